"""Makes ``mailhub`` known to ``twistd``."""

from twisted.application.service import ServiceMaker

mailhub = ServiceMaker(
    "mailhub", "mailhub.tap", "A mail server: SMTP, LMTP, POP3 and IMAP.", "mailhub"
)
