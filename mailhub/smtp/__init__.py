"""SMTP (RFC 5321), submission (RFC 6409) and LMTP (RFC 2033).

Extensions: PIPELINING (RFC 2920), ENHANCEDSTATUSCODES (RFC 2034), STARTTLS (RFC
3207), AUTH (RFC 4954), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531)
and LIMITS (RFC 9422).

What holds everywhere: a command is performed when the one before it is answered;
a message ends at CRLF.CRLF and nowhere else, and nothing of it is ever read as a
command; a fault of ours is answered 4yz; 250 after a message means that the
``ISubmission`` avatar has made it durable.

The way of a line: :mod:`.server` reads it, :mod:`.syntax` splits it, the row in
:mod:`.commands` says when it is allowed and what performs it, :mod:`.session`
counts, and every reply stands in :mod:`.replies`.  All but :mod:`.server` and
:mod:`.client` is pure.

The other direction: :mod:`.client` talks to another server, with
:mod:`.client_replies`, :mod:`.client_capabilities`, :mod:`.client_commands`,
:mod:`.client_transaction`, :mod:`.client_data`, :mod:`.client_login` and
:mod:`.client_outcome`.
"""
