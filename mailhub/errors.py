"""What can go wrong with mail, in no protocol's words.

Each protocol turns these into its own replies in exactly one function
(``smtp.replies.reply_for``, ``imap.responses.response_for``,
``pop3.replies.reply_for``).  An exception's ``str()`` is for the log; only
:class:`Refused` carries a text that is meant for the peer.
"""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """Subject and detail of an enhanced status code (RFC 3463, section 3).

    The class digit is not here: 4 or 5 follows from ``permanent``, so that a
    reply's code and its enhanced code cannot disagree.
    """

    OTHER = "0.0"
    SENDER_OK = "1.0"
    BAD_MAILBOX = "1.1"
    BAD_DESTINATION = "1.2"
    BAD_MAILBOX_SYNTAX = "1.3"
    RECIPIENT_OK = "1.5"
    NULL_MX = "1.10"
    MAILBOX_DISABLED = "2.1"
    MAILBOX_FULL = "2.2"
    MESSAGE_TOO_LARGE_FOR_MAILBOX = "2.3"
    SYSTEM = "3.0"
    SYSTEM_FULL = "3.1"
    SYSTEM_BUSY = "3.2"
    MESSAGE_TOO_LARGE = "3.4"
    PRIORITY_CHANGED = "3.6"
    NETWORK = "4.0"
    NO_ANSWER = "4.1"
    BAD_CONNECTION = "4.2"
    DIRECTORY_FAULT = "4.3"
    NO_ROUTE = "4.4"
    ROUTING_LOOP = "4.6"
    EXPIRED = "4.7"
    PROTOCOL = "5.0"
    BAD_COMMAND = "5.1"
    SYNTAX = "5.2"
    TOO_MANY_RECIPIENTS = "5.3"
    BAD_ARGUMENTS = "5.4"
    EXCHANGE_TOO_LONG = "5.6"
    CONTENT = "6.0"
    CONVERSION_NEEDED = "6.3"
    NON_ASCII_ADDRESS = "6.7"
    SECURITY = "7.0"
    NOT_ALLOWED = "7.1"
    CRYPTOGRAPHIC_FAILURE = "7.5"
    AUTHENTICATION_FAILED = "7.8"
    ENCRYPTION_REQUIRED = "7.11"
    REQUIRETLS_NEEDED = "7.30"


class MailError(Exception):
    """Something about a message, a mailbox or an account did not work.

    ``permanent`` says whether trying again later can help: a fault of ours is
    never permanent (a full disk must not bounce mail).
    """

    status = Status.OTHER
    permanent = True


class SyntaxFault(MailError):
    """Bytes that do not follow their grammar; raised by every parser of ours."""

    status = Status.SYNTAX


class Refused(MailError):
    """A policy, or an application's own code, refuses with a text for the peer.

    :param text: one line, printable; sent to the peer.
    :param permanent: ``False`` asks the peer to try again later.
    :param code: the SMTP reply code where the usual 550 or 450 does not fit.
    """

    status = Status.NOT_ALLOWED

    def __init__(
        self,
        text: str,
        *,
        status: Status = Status.NOT_ALLOWED,
        permanent: bool = True,
        code: int | None = None,
    ) -> None:
        super().__init__(text)
        if not text.isprintable():
            raise ValueError("a refusal is one printable line")
        self.text = text
        self.status = status
        self.permanent = permanent
        self.code = code

    def again(self) -> Refused:
        """Another that says the same, to be raised instead.

        What is raised a second time keeps the traceback of the first, and all that was
        in those frames (attack: memory that grows with each refusal).
        """
        return Refused(
            self.text, status=self.status, permanent=self.permanent, code=self.code
        )


# Recipients and routes.


class UnknownRecipient(MailError):
    """No such address here."""

    status = Status.BAD_MAILBOX


class RelayDenied(MailError):
    """Mail for elsewhere, from a peer that may not send there through us."""

    status = Status.NOT_ALLOWED


class NoRouteYet(MailError):
    """An address elsewhere that this server cannot reach as it is set up now."""

    status = Status.NO_ROUTE
    permanent = False


class RoutingLoop(MailError):
    """The message has been through too many servers, or here before."""

    status = Status.ROUTING_LOOP


class NoSuchDomain(MailError):
    """DNS knows no such name (NXDOMAIN)."""

    status = Status.BAD_DESTINATION


class DNSFault(MailError):
    """DNS did not tell: a timeout, a refusal, an answer that makes no sense."""

    status = Status.DIRECTORY_FAULT
    permanent = False


class TLSFault(MailError):
    """Another server does not prove in TLS who it is, or offers none, where its
    domain asks for that: mail waits, as an attack ends and a mistake is mended."""

    status = Status.CRYPTOGRAPHIC_FAILURE
    permanent = False


class RequireTLSUnsupported(MailError):
    """The sender asks for REQUIRETLS, and no server there knows it (RFC 8689)."""

    status = Status.REQUIRETLS_NEEDED


class NoSuchMessage(MailError):
    """The queue has no such message, or has it no more."""


# Storing.


class LocalFault(MailError):
    """A fault on our side: disk, database, memory.  Always worth a retry."""

    status = Status.SYSTEM
    permanent = False


class StorageFull(LocalFault):
    """No space or no inodes left on the volume."""

    status = Status.SYSTEM_FULL


class Busy(LocalFault):
    """A limit of concurrent work is reached; later there is room."""

    status = Status.SYSTEM_BUSY


class OverQuota(MailError):
    """Storing this would take the account over its quota."""

    status = Status.MAILBOX_FULL
    permanent = False


class MessageTooLarge(MailError):
    """Larger than this server, or this mailbox, accepts."""

    status = Status.MESSAGE_TOO_LARGE


# Mailboxes.


class NoSuchMailbox(MailError):
    """There is no mailbox of that name."""

    status = Status.BAD_MAILBOX


class MailboxExists(MailError):
    """The name is taken."""


class InvalidMailboxName(MailError):
    """A name that no mailbox can have."""


class MailboxInUse(MailError):
    """Another session holds the maildrop (RFC 1939, section 4)."""

    permanent = False


class ReadOnlyMailbox(MailError):
    """The mailbox was opened for reading only."""


class NotPermitted(MailError):
    """The operation is not allowed on this object (deleting INBOX, say)."""

    status = Status.NOT_ALLOWED


class LimitReached(MailError):
    """A named limit of this server; the message says which."""


# Login.


class AuthenticationFailed(MailError):
    """Wrong user or password; which of them is not told."""

    status = Status.AUTHENTICATION_FAILED


class TooManyAttempts(AuthenticationFailed):
    """This address or this user failed too often; try again later."""

    permanent = False


class EncryptionRequired(MailError):
    """Refused on a connection without TLS."""

    status = Status.ENCRYPTION_REQUIRED
