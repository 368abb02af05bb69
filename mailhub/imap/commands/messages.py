"""Commands on messages of the selected mailbox: STORE, COPY, MOVE, SEARCH."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import NoSuchMailbox, ReadOnlyMailbox
from ...mail.flags import FlagChange
from .. import responses
from ..search import parse_search
from ..session import Conversation
from ..syntax import Scanner

_SILENT = ".SILENT"
_CHANGES = {change.value: change for change in FlagChange}


async def store(talk: Conversation, scanner: Scanner) -> bytes | None:
    """STORE (RFC 3501, section 6.4.6).

    Request:  ``store = "STORE" SP sequence-set SP ["+" / "-"] "FLAGS"
              [".SILENT"] SP (flag-list / (flag *(SP flag)))``
    Response: untagged FETCH with the flags, unless ``.SILENT``.
    """
    return await _store(talk, scanner, by_uid=False)


async def uid_store(talk: Conversation, scanner: Scanner) -> bytes | None:
    """UID STORE (RFC 3501, section 6.4.8): as STORE, by UIDs."""
    return await _store(talk, scanner, by_uid=True)


async def _store(
    talk: Conversation, scanner: Scanner, *, by_uid: bool
) -> bytes | None:
    scanner.space()
    numbers = scanner.sequence_set()
    scanner.space()
    word = scanner.keyword()
    silent = word.endswith(_SILENT)
    change = _CHANGES.get(word.removesuffix(_SILENT))
    if change is None:
        raise scanner.fault("FLAGS")
    scanner.space()
    flags = scanner.flag_list()
    scanner.end()
    session = talk.session
    view = session.view
    if view.read_only:
        raise ReadOnlyMailbox("STORE in a mailbox opened for reading")
    places = view.places(numbers, by_uid=by_uid)
    if not places:
        return None
    await session.know_flags(places)
    uids = view.uids_at(places)
    before = view.flags.of(uids) if silent else []
    changes = await session.mailbox.set_flags(uids, change, flags)
    view.take_flags(changes.entries)
    told = places
    if silent:
        # Only what the client cannot work out for itself, because another session
        # has set flags in the meantime (section 6.4.6).
        expected = {old: change.apply(old, flags) for old in set(before)}
        after = view.flags.of(uids)
        told = [
            place
            for place, old, now in zip(places, before, after, strict=True)
            if now != expected[old]
        ]
    talk.send(view.tell_keywords(changes.entries))
    talk.send(view.fetched_flags(told, with_uid=by_uid))
    gone = len(changes.entries.uids) < len(places)
    return responses.EXPUNGE_ISSUED if gone else None


async def copy(talk: Conversation, scanner: Scanner) -> bytes | None:
    """COPY (RFC 3501, section 6.4.7).

    Request:  ``copy = "COPY" SP sequence-set SP mailbox``
    Response: OK with COPYUID (RFC 4315, section 3), if there was anything to copy.
    """
    return await _copy(talk, scanner, by_uid=False)


async def uid_copy(talk: Conversation, scanner: Scanner) -> bytes | None:
    """UID COPY (RFC 3501, section 6.4.8): as COPY, by UIDs."""
    return await _copy(talk, scanner, by_uid=True)


async def _copy(
    talk: Conversation, scanner: Scanner, *, by_uid: bool
) -> bytes | None:
    uids, target = _transfer(talk, scanner, by_uid=by_uid)
    if not uids:
        return None
    session = talk.session
    try:
        copied = await session.mailbox.copy(uids, target)
    except NoSuchMailbox:
        return responses.TRY_CREATE
    session.expect_change(target)
    if not copied.uids:
        return responses.EXPUNGE_ISSUED
    return responses.copy_uid(copied, b"COPY completed")


async def move(talk: Conversation, scanner: Scanner) -> bytes | None:
    """MOVE (RFC 6851, section 3).

    Request:  ``move = "MOVE" SP sequence-set SP mailbox``
    Response: untagged OK with COPYUID, then EXPUNGE for each.
    """
    return await _move(talk, scanner, by_uid=False)


async def uid_move(talk: Conversation, scanner: Scanner) -> bytes | None:
    """UID MOVE (RFC 6851, section 3.2): as MOVE, by UIDs."""
    return await _move(talk, scanner, by_uid=True)


async def _move(
    talk: Conversation, scanner: Scanner, *, by_uid: bool
) -> bytes | None:
    uids, target = _transfer(talk, scanner, by_uid=by_uid)
    session = talk.session
    if session.view.read_only:
        raise ReadOnlyMailbox("MOVE from a mailbox opened for reading")
    if not uids:
        return None
    try:
        moved = await session.mailbox.move(uids, target)
    except NoSuchMailbox:
        return responses.TRY_CREATE
    session.expect_change(target)
    if not moved.uids:
        return responses.EXPUNGE_ISSUED
    # The command's updates tell what has gone, after this (section 4.3).
    talk.send(responses.untagged(responses.copy_uid(moved, b"Moved")))
    session.view.vanished += moved.uids
    return None


def _transfer(
    talk: Conversation, scanner: Scanner, *, by_uid: bool
) -> tuple[Sequence[int], str]:
    """The UIDs and the target of COPY and MOVE."""
    scanner.space()
    numbers = scanner.sequence_set()
    scanner.space()
    target = scanner.mailbox()
    scanner.end()
    view = talk.session.view
    return view.uids_at(view.places(numbers, by_uid=by_uid)), target


async def search(talk: Conversation, scanner: Scanner) -> None:
    """SEARCH (RFC 3501, section 6.4.4).

    Request:  ``search = "SEARCH" [SP "CHARSET" SP astring] 1*(SP search-key)``
    Response: untagged SEARCH with sequence numbers.
    """
    scanner.space()
    session = talk.session
    uids = await session.mailbox.search(parse_search(scanner, session.view))
    talk.send(responses.search(session.view.numbers_of(uids)))


async def uid_search(talk: Conversation, scanner: Scanner) -> None:
    """UID SEARCH (RFC 3501, section 6.4.8): as SEARCH, with UIDs in the response.

    A message that the client was not told of yet may be among them.
    """
    scanner.space()
    session = talk.session
    uids = await session.mailbox.search(parse_search(scanner, session.view))
    talk.send(responses.search(uids))
