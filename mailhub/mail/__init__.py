"""Values and formats of mail.  Pure: no Twisted, no zope, no clock, no files."""
