"""IMAP4rev1 (RFC 3501) and its extensions, as a pure session and a thin server.

A command arrives in ``server``, is put together by ``reading`` and looked up in
``commands.table``: one row and one short function each.  What the client knows of
its mailbox is a ``view``; what it is told is written in ``responses``.

Invariants:

* Sequence numbers never leave this package; stores know UIDs.
* A view changes only together with the responses that tell of the change, and
  EXPUNGE is never told during FETCH, STORE or SEARCH (section 7.4.1).
* The size of a literal is judged before the go-ahead, and octets of a refused
  one are never read as commands.
* Nothing is parsed on FETCH: rows hold octets that were prepared at delivery.

Extensions: RFC 2177 IDLE, 2342 NAMESPACE, 2971 ID, 3348 CHILDREN, 3502
MULTIAPPEND, 3691 UNSELECT, 4315 UIDPLUS, 4959 SASL-IR, 5161 ENABLE, 5530 response
codes, 6154 SPECIAL-USE and CREATE-SPECIAL-USE, 6851 MOVE, 7888 LITERAL+.
"""
