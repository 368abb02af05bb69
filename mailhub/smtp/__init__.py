"""SMTP and LMTP (RFC 5321, RFC 6409, RFC 2033).  Pure, except server."""
