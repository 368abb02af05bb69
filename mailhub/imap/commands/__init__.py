"""The commands of IMAP4rev1 and its extensions, a row each in ``table``."""
