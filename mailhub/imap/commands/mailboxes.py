"""Commands about mailboxes by name: CREATE, DELETE, RENAME, LIST, STATUS, ..."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ...errors import SyntaxFault
from ...mail.mailbox import SPECIAL_MAILBOXES, MailboxStatus
from .. import responses
from ..matching import Pattern, Row, hidden_rows, list_rows, subscribed_rows
from ..session import Conversation, State
from ..syntax import Scanner

_USE = re.compile(rb"\\[A-Za-z]+")
#: Special uses that a mailbox may be created with, by lower case.
_USES = {use.lower(): use for use in SPECIAL_MAILBOXES.values()}

#: What STATUS may be asked for (RFC 3501, section 6.3.10).
_STATUS_ITEMS: dict[str, Callable[[MailboxStatus], int]] = {
    "MESSAGES": lambda status: status.messages,
    "RECENT": lambda status: status.recent,
    "UIDNEXT": lambda status: status.uidnext,
    "UIDVALIDITY": lambda status: status.uidvalidity,
    "UNSEEN": lambda status: status.unseen,
}


async def create(talk: Conversation, scanner: Scanner) -> bytes | None:
    """CREATE (RFC 3501, section 6.3.3; RFC 6154, section 3).

    Request:  ``create = "CREATE" SP mailbox [SP "(USE (" use-attr ")" ")"]``
    Response: none besides OK.
    """
    scanner.space()
    name = scanner.new_mailbox()
    uses = _special_uses(scanner) if scanner.take(0x20) else []
    scanner.end()
    if len(uses) > 1 or any(use not in _USES for use in uses):
        return responses.BAD_SPECIAL_USE
    special_use = _USES[uses[0]] if uses else None
    await talk.session.account.create(name, special_use)
    return None


def _special_uses(scanner: Scanner) -> list[str]:
    """The attributes of a ``(USE (\\Sent))`` parameter, in lower case."""
    scanner.open()
    if scanner.keyword() != "USE":
        raise scanner.fault("USE")
    scanner.space()
    scanner.open()
    uses: list[str] = []
    while not scanner.take(0x29):
        if uses:
            scanner.space()
        use = scanner.match(_USE)
        if use is None:
            raise scanner.fault("a special use")
        uses.append(use[0].decode("ascii").lower())
    scanner.shallower()
    scanner.close()
    return uses


async def delete(talk: Conversation, scanner: Scanner) -> None:
    """DELETE (RFC 3501, section 6.3.4).

    Request:  ``delete = "DELETE" SP mailbox``
    Response: none besides OK.  A client that deletes the mailbox it has selected
    has none selected afterwards.
    """
    scanner.space()
    name = scanner.mailbox()
    scanner.end()
    session = talk.session
    await session.account.delete(name)
    if session.state is State.SELECTED and session.mailbox.name == name:
        session.deselect()


async def rename(talk: Conversation, scanner: Scanner) -> None:
    """RENAME (RFC 3501, section 6.3.5).

    Request:  ``rename = "RENAME" SP mailbox SP mailbox``
    Response: none besides OK.
    """
    scanner.space()
    name = scanner.mailbox()
    scanner.space()
    new_name = scanner.new_mailbox()
    scanner.end()
    await talk.session.account.rename(name, new_name)


async def subscribe(talk: Conversation, scanner: Scanner) -> None:
    """SUBSCRIBE (RFC 3501, section 6.3.6).

    Request:  ``subscribe = "SUBSCRIBE" SP mailbox``
    Response: none besides OK.  The mailbox need not exist.
    """
    scanner.space()
    name = scanner.mailbox()
    scanner.end()
    await talk.session.account.subscribe(name)


async def unsubscribe(talk: Conversation, scanner: Scanner) -> None:
    """UNSUBSCRIBE (RFC 3501, section 6.3.7).

    Request:  ``unsubscribe = "UNSUBSCRIBE" SP mailbox``
    Response: none besides OK.
    """
    scanner.space()
    name = scanner.mailbox()
    scanner.end()
    await talk.session.account.unsubscribe(name)


async def list_mailboxes(talk: Conversation, scanner: Scanner) -> None:
    """LIST (RFC 3501, section 6.3.8; RFC 6154, section 2).

    Request:  ``"LIST" [SP "(SPECIAL-USE)"] SP mailbox SP list-mailbox
              [SP "RETURN (" options ")"]``
    Response: untagged LIST for each; special uses are always shown.
    """
    scanner.space()
    special_only = False
    if scanner.peek() == 0x28:
        special_only = "SPECIAL-USE" in _options(scanner, {"SPECIAL-USE"})
        scanner.space()
    pattern = _pattern(scanner)
    if scanner.take(0x20):
        if scanner.keyword() != "RETURN":
            raise scanner.fault("RETURN")
        scanner.space()
        _options(scanner, {"SPECIAL-USE", "CHILDREN"})
    scanner.end()
    if pattern is None:
        talk.send(responses.listing(b"LIST", [b"\\Noselect"], ""))
        return
    infos = await talk.session.account.mailboxes()
    rows = list_rows(infos, special_only=special_only)
    await _send_rows(talk, b"LIST", rows, pattern)


async def _send_rows(
    talk: Conversation, kind: bytes, rows: Iterable[Row], pattern: Pattern
) -> set[str]:
    """Send those of *rows* that *pattern* means.  -> their names."""
    shown = set()
    for row in rows:
        if pattern.matches(row.name):
            shown.add(row.name)
            talk.send(responses.listing(kind, row.attributes, row.name))
        await talk.breathe()
    return shown


def _options(scanner: Scanner, known: set[str]) -> set[str]:
    """The words of an option list (RFC 5258, section 6), all of them *known*."""
    scanner.open()
    options: set[str] = set()
    while not scanner.take(0x29):
        if options:
            scanner.space()
        options.add(scanner.keyword())
    scanner.shallower()
    if not options <= known:
        raise SyntaxFault(f"unknown options: {options - known}")
    return options


def _pattern(scanner: Scanner) -> Pattern | None:
    """A reference and a name with wildcards; ``None`` where the name is empty.

    An empty name asks for the separator (RFC 3501, section 6.3.8).
    """
    reference = scanner.list_mailbox()
    scanner.space()
    name = scanner.list_mailbox()
    return Pattern(reference + name) if name else None


async def list_subscribed(talk: Conversation, scanner: Scanner) -> None:
    """LSUB (RFC 3501, section 6.3.9).

    Request:  ``"LSUB" SP mailbox SP list-mailbox``
    Response: untagged LSUB for each.
    """
    scanner.space()
    pattern = _pattern(scanner)
    scanner.end()
    if pattern is None:
        talk.send(responses.listing(b"LSUB", [b"\\Noselect"], ""))
        return
    rows = list(subscribed_rows(await talk.session.account.mailboxes()))
    shown = await _send_rows(talk, b"LSUB", rows, pattern)
    hidden = [row.name for row in rows if row.name not in shown]
    await _send_rows(talk, b"LSUB", hidden_rows(hidden, shown), pattern)


async def status(talk: Conversation, scanner: Scanner) -> None:
    """STATUS (RFC 3501, section 6.3.10).

    Request:  ``status = "STATUS" SP mailbox SP "(" status-att ")"``
    Response: untagged STATUS.
    """
    scanner.space()
    name = scanner.mailbox()
    scanner.space()
    scanner.open()
    items = [scanner.keyword()]
    while scanner.take(0x20):
        items.append(scanner.keyword())
    scanner.close()
    scanner.end()
    unknown = set(items) - _STATUS_ITEMS.keys()
    if unknown:
        raise SyntaxFault(f"unknown STATUS items: {unknown}")
    values = await talk.session.account.status(name)
    shown = [(item.encode("ascii"), _STATUS_ITEMS[item](values)) for item in items]
    talk.send(responses.status(name, shown))
