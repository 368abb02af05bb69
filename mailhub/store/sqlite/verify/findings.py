"""What can be wrong with a store: the kinds of findings, and findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from ..change import Change


class Kind(Enum):
    """What is wrong.  The values never change: programs read them."""

    DATABASE = "database"
    SCHEMA = "schema"
    VALUE = "value"
    SETTING = "setting"
    MODE = "mode"
    NO_ACCOUNT = "no-account"
    NO_DOMAIN = "no-domain"
    NO_INBOX = "no-inbox"
    NO_MAILBOX = "no-mailbox"
    NAME = "name"
    QUOTA = "quota"
    COUNTER = "counter"
    DOOMED = "doomed"
    STRAY = "stray"
    UID = "uid"
    UIDNEXT = "uidnext"
    UIDVALIDITY = "uidvalidity"
    UID_GAP = "uid-gap"
    VANISHED = "vanished"
    VANISHED_LIVING = "vanished-living"
    MODSEQ = "modseq"
    RECENT = "recent"
    FLAG_HISTORY = "flag-history"
    FLAGS = "flags"
    KEYWORD = "keyword"
    SIZE = "size"
    ITEM_REFERENCES = "item-references"
    BLOB_REFERENCES = "blob-references"
    UNREFERENCED_ITEM = "unreferenced-item"
    UNREFERENCED_BLOB = "unreferenced-blob"
    NO_ITEM = "no-item"
    NO_BLOB = "no-blob"
    NO_FILE = "no-file"
    UNREADABLE = "unreadable"
    CONTENT = "content"
    BLOB_SIZE = "blob-size"
    SUMMARY = "summary"
    QUEUE_MESSAGE = "queue-message"
    QUEUE_RECIPIENT = "queue-recipient"
    QUEUE_STATE = "queue-state"
    QUEUE_DESTINATION = "queue-destination"
    ORPHAN_FILE = "orphan-file"
    STRANGE_FILE = "strange-file"


#: For each kind: what it means, and what a repair does; ``""`` where there is none.
MEANINGS: dict[Kind, tuple[str, str]] = {
    Kind.DATABASE: ("SQLite finds the database file damaged, or cannot read it", ""),
    Kind.SCHEMA: (
        "a table, index or trigger is missing, or is another one",
        "missing indexes and triggers are made; tables are not",
    ),
    Kind.VALUE: ("a column holds a value of a type that it cannot have", ""),
    Kind.SETTING: (
        "a counter of the whole store is missing, or behind what was counted",
        "it is set to the highest value in use",
    ),
    Kind.MODE: (
        "other users of the machine may read a file or directory of the store",
        "its permissions are taken back to its owner",
    ),
    Kind.NO_ACCOUNT: ("a mailbox belongs to no account", ""),
    Kind.NO_DOMAIN: (
        "an account's domain is not one of this server's",
        "the domain is added",
    ),
    Kind.NO_INBOX: ("an account has no INBOX", "an empty INBOX is made"),
    Kind.NO_MAILBOX: (
        "messages lie in a mailbox that is not there",
        "the mailbox is made anew, as ``Rescued-N``; not without an account",
    ),
    Kind.NAME: ("a mailbox has a name that none can have", ""),
    Kind.QUOTA: (
        "the octets counted against an account's quota are not those of its mail",
        "they are counted",
    ),
    Kind.COUNTER: (
        "a mailbox's number of messages, of unseen ones, or of octets is wrong",
        "they are counted",
    ),
    Kind.DOOMED: (
        "a mailbox is to be emptied as deleted, but is not deleted",
        "it is left in peace",
    ),
    Kind.STRAY: (
        "rows belong to a mailbox, an account or content that is not there",
        "they are removed",
    ),
    Kind.UID: ("a UID is not between 1 and 2^32-1", ""),
    Kind.UIDNEXT: (
        "a UID was given that is to be given next, or later",
        "the mailbox goes on above the highest UID there was",
    ),
    Kind.UIDVALIDITY: (
        "a UIDVALIDITY is not between 1 and 2^32-1, or lower than its name had before",
        "the mailbox gets a new one; clients read it anew",
    ),
    Kind.UID_GAP: (
        "a UID was given, is in use no more, and did not vanish",
        "it is noted as vanished",
    ),
    Kind.VANISHED: (
        "a range of vanished UIDs is impossible, or overlaps another",
        "its UIDs are noted anew, as vanished just now",
    ),
    Kind.VANISHED_LIVING: (
        "a UID is said to have vanished and is in use",
        "it has not vanished; clients are told that the message has changed",
    ),
    Kind.MODSEQ: (
        "a modseq is below 1, or above that of its mailbox or account",
        "the mailbox and the account go on from the highest",
    ),
    Kind.RECENT: (
        "messages are not recent any more before they have come",
        "messages from the next one on are recent",
    ),
    Kind.FLAG_HISTORY: (
        "a session that asks what has changed would not be told of a change of flags",
        "all messages of the mailbox are said to have changed",
    ),
    Kind.FLAGS: (
        "a message has flags that mean nothing",
        "its system flags stay; its keywords are lost",
    ),
    Kind.KEYWORD: (
        "a message has a keyword that its mailbox does not know",
        "the mailbox learns it, unless it has another spelling of it",
    ),
    Kind.SIZE: ("a message's size is not that of its octets", "it is corrected"),
    Kind.ITEM_REFERENCES: (
        "a message's content is counted for more or fewer copies than there are",
        "they are counted",
    ),
    Kind.BLOB_REFERENCES: (
        "octets are counted for more or fewer messages than have them",
        "they are counted",
    ),
    Kind.UNREFERENCED_ITEM: (
        "a message is in no mailbox",
        "none, as it may be the last of somebody's mail; with --rescue ADDRESS it is"
        " put into that account's mailbox ``Rescued``",
    ),
    Kind.UNREFERENCED_BLOB: (
        "octets of a message belong to none",
        "none, as it may be the last of somebody's mail; with --rescue ADDRESS they"
        " become a message in that account's mailbox ``Rescued``",
    ),
    Kind.NO_ITEM: ("all that a message had but its flags is missing", ""),
    Kind.NO_BLOB: ("the octets of a message are missing from the database", ""),
    Kind.NO_FILE: ("the file with the octets of a message is missing", ""),
    Kind.UNREADABLE: ("the file with the octets of a message cannot be read", ""),
    Kind.CONTENT: ("the octets of a message are not those that were stored", ""),
    Kind.BLOB_SIZE: (
        "the octets of a message are not as many as were noted",
        "the number is corrected, if they have been read and are right",
    ),
    Kind.SUMMARY: (
        "what is kept beside a message (header, envelope, structure, parts, date) is"
        " not what its octets say",
        "it is derived anew",
    ),
    Kind.QUEUE_MESSAGE: ("a recipient waits in the queue, and its message is gone", ""),
    Kind.QUEUE_RECIPIENT: (
        "a message is in the queue for nobody",
        "none, as it may be the last of somebody's mail; with --rescue ADDRESS it is"
        " put into that account's mailbox ``Rescued``",
    ),
    Kind.QUEUE_STATE: (
        "a recipient in the queue is neither ready, nor due later, nor lent, nor held,"
        " or is in the wrong line; or its message's parameters cannot be read",
        "it waits for its time anew, unless it is held; parameters that cannot be read"
        " are those of a message without any",
    ),
    Kind.QUEUE_DESTINATION: (
        "the queue's list of destinations is not that of those who are ready",
        "it is put right",
    ),
    Kind.ORPHAN_FILE: (
        "no row points to a file, which has been there for an hour",
        "it is removed, unless the rows of other messages' octets are missing",
    ),
    Kind.STRANGE_FILE: ("something lies among the files that is not the store's", ""),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.  Two are equal if they are about the same.

    :ivar detail: a line for people.
    :ivar account: the address, where one is concerned.
    :ivar mailbox: its name.
    :ivar blob: the SHA-256 in hex of the octets concerned.
    :ivar item_id: the content, for a finding about each message that has it.
    :ivar what: tells apart findings of a kind that are alike in all of these.
    :ivar repair: puts it right, inside a transaction; ``None`` where nothing can.
    """

    kind: Kind
    detail: str = field(compare=False)
    account: str | None = None
    mailbox: str | None = None
    uid: int | None = None
    blob: str | None = None
    item_id: int | None = None
    what: str = ""
    repair: Callable[[Change], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding as it is told, and what became of it."""

    finding: Finding
    repaired: bool = False

    def as_json(self) -> dict[str, object]:
        """The finding for programs; see ``docs/verify.rst``."""
        finding = self.finding
        return {
            "kind": finding.kind.value,
            "account": finding.account,
            "mailbox": finding.mailbox,
            "uid": finding.uid,
            "blob": finding.blob,
            "detail": finding.detail,
            "repairable": finding.repair is not None,
            "repaired": self.repaired,
        }

    def __str__(self) -> str:
        finding = self.finding
        place = [finding.account, finding.mailbox]
        if finding.uid is not None:
            place.append(f"UID {finding.uid}")
        where = " ".join(part for part in place if part)
        if self.repaired:
            state = " (repaired)"
        else:
            state = "" if finding.repair is None else " (can be repaired)"
        text = f"{where}: {finding.detail}" if where else finding.detail
        return f"{finding.kind.value}: {text}{state}"
