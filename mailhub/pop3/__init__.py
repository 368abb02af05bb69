"""POP3 (RFC 1939).  Pure, except server."""
