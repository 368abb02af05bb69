"""How mail leaves: MX hosts in their order, TLS policy, connections, other ways.

The way of a lease: :mod:`.ways` asks :mod:`.routes` which way it takes.  :mod:`.by_mx`
asks DNS for servers (:mod:`.mx`, :mod:`.addresses`), :mod:`.by_route` goes to the one
that is configured (:mod:`.login`), both with what :mod:`.tls_policy` asks of them.
:mod:`.carrier` tries one address after the other, over :mod:`.sessions` that are new or
have waited in the :mod:`.pool`, and :mod:`.parcel` notes what each server said of each
recipient.

What holds everywhere: only a server's own answer, or the absence of any server by DNS,
returns mail; an answer that was not seen is ``DEFERRED``; exactly the address that was
checked is connected to.
"""
