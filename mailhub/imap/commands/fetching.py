"""FETCH: a slice of the messages at a time, large ones piece by piece."""

from __future__ import annotations

from typing import cast

from ...errors import LocalFault, MailError
from ...mail.flags import SEEN, FlagChange, Flags
from .. import responses
from ..fetch import SMALL_MESSAGE, FetchPlan, Row, parse_fetch
from ..sections import Span
from ..session import Content, Conversation, OutOfStep
from ..syntax import Scanner
from ..view import Places

#: Messages answered at once from what the session itself knows.
FLAGS_SLICE = 4_000
#: Messages asked of the store and answered at once.
COLUMNS_SLICE = 500
#: The same where each may bring its octets along.
CONTENT_SLICE = 64
#: Octets of a message read and sent at once (see ``IContent.read``).
CHUNK = 256 * 1024

_SEEN: Flags = frozenset((SEEN,))


async def fetch(talk: Conversation, scanner: Scanner) -> bytes | None:
    """FETCH (RFC 3501, section 6.4.5).

    Request:  ``fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" /
              fetch-att / "(" fetch-att *(SP fetch-att) ")")``
    Response: untagged FETCH for each message that is still there.
    """
    return await _fetch(talk, scanner, by_uid=False)


async def uid_fetch(talk: Conversation, scanner: Scanner) -> bytes | None:
    """UID FETCH (RFC 3501, section 6.4.8): as FETCH, by UIDs."""
    return await _fetch(talk, scanner, by_uid=True)


async def _fetch(
    talk: Conversation, scanner: Scanner, *, by_uid: bool
) -> bytes | None:
    scanner.space()
    numbers = scanner.sequence_set()
    scanner.space()
    plan = parse_fetch(scanner, by_uid=by_uid)
    scanner.end()
    places = talk.session.view.places(numbers, by_uid=by_uid)
    all_there = True
    size = _slice_size(plan)
    for start in range(0, len(places), size):
        all_there &= await _fetch_slice(talk, plan, places[start : start + size])
        await talk.breathe()
    return None if all_there else responses.EXPUNGE_ISSUED


def _slice_size(plan: FetchPlan) -> int:
    if plan.reads_content:
        return CONTENT_SLICE
    return COLUMNS_SLICE if plan.columns else FLAGS_SLICE


async def _fetch_slice(talk: Conversation, plan: FetchPlan, places: Places) -> bool:
    """Answer for the messages at *places*.  -> whether all of them are there."""
    view = talk.session.view
    uids = view.uids_at(places)
    rows: list[Row] = []
    all_there = True
    if plan.columns:
        rows = await talk.session.mailbox.fetch(uids, plan.columns)
        all_there = len(rows) == len(places)
        if not all_there:
            uids = [cast(int, row[0]) for row in rows]
            places = view.places_of(uids)
    if plan.sets_seen and await _set_seen(talk, places):
        plan = plan.with_flags()
    flags = view.flags_at(places) if plan.needs_flags else []
    numbers = view.numbers_at(places)
    if not plan.reads_content:
        talk.send(plan.render(numbers, uids, flags, rows))
        return all_there
    for index, row in enumerate(rows):
        now = flags[index] if flags else frozenset()
        await _send_message(talk, plan, numbers[index], now, row)
        await talk.breathe()
    return all_there


async def _set_seen(talk: Conversation, places: Places) -> bool:
    """Flag the messages at *places* as seen.  -> whether one of them was not."""
    session = talk.session
    view = session.view
    unseen = [place for place in places if SEEN not in view.flags[place]]
    if not unseen or view.read_only:
        return False
    uids = view.uids_at(unseen)
    try:
        changes = await session.mailbox.set_flags(uids, FlagChange.ADD, _SEEN)
    except MailError:
        # Mail can be read while nothing can be written, say on a full volume.
        return False
    view.take_flags(changes.entries)
    return True


async def _send_message(
    talk: Conversation, plan: FetchPlan, number: int, flags: Flags, row: Row
) -> None:
    """Answer for one message of which octets are wanted."""
    content = cast(Content, plan.content(row))
    uid = cast(int, row[0])
    try:
        if content.size <= SMALL_MESSAGE:
            octets = await _octets(content, (0, content.size))
            talk.send(plan.whole(number, uid, flags, row, octets))
            return
        nested = [await _octets(content, span) for span in plan.nested_headers(row)]
        for piece in plan.pieces(number, uid, flags, row, nested):
            if isinstance(piece, bytes):
                talk.send(piece)
            else:
                await _send_span(talk, content, piece)
    finally:
        content.close()


async def _octets(content: Content, span: Span) -> bytes:
    octets = await content.read(*span)
    if len(octets) != span[1] - span[0]:
        raise LocalFault("a message is shorter than its store says")
    return octets


async def _send_span(talk: Conversation, content: Content, span: Span) -> None:
    """Send these octets, whose number the client has been told."""
    start, stop = span
    try:
        while start < stop:
            end = min(start + CHUNK, stop)
            talk.send(await _octets(content, (start, end)))
            start = end
            await talk.breathe()
    except Exception as error:
        raise OutOfStep(b"") from error
