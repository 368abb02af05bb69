"""IMAP4rev1 (RFC 3501).  Pure, except server."""
