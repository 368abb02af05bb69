"""FETCH: a slice of the messages at a time, large ones piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ...errors import LocalFault, MailError
from ...mail.flags import SEEN, FlagChange, Flags
from ...mail.mailbox import Column
from .. import responses
from ..fetch import SMALL_MESSAGE, FetchPlan, Piece, Row, parse_fetch
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
#: Octets of messages whose headers, or what was prepared of them, are held at once:
#: as few messages as that means, if they are large (attack: FETCH of a mailbox full
#: of megabytes of header).
OCTETS_SLICE = 4 * 1024 * 1024
#: The same for trees of parts, which cost more time for each octet: a thousandth of
#: a second for four thousand octets of tiny parts.
PARTS_SLICE = 512 * 1024
#: Octets of a header from which on its sections are answered one by one (attack: ten
#: lists of fields of a header with a million of them).
LARGE_HEADER = 256 * 1024
#: Octets of a message read and sent at once (see ``IContent.read``).
CHUNK = 256 * 1024

_SEEN: Flags = frozenset((SEEN,))
#: Columns that are small, or that a store gives bit by bit.
_LIGHT = frozenset({Column.INTERNAL_DATE, Column.SIZE, Column.CONTENT})


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
    octets = await _octets_at_once(talk, plan, places)
    outcome = _Outcome()
    size = _slice_size(plan)
    for start in range(0, len(places), size):
        for some in await _weighed(talk, places[start : start + size], octets):
            await _fetch_slice(talk, plan, some, outcome)
            await talk.breathe()
    if outcome.fault is not None:
        # The others have been told of: one message that cannot be given must not
        # keep a client from its mailbox.
        raise outcome.fault
    return None if outcome.all_there else responses.EXPUNGE_ISSUED


@dataclass(slots=True)
class _Outcome:
    """What a FETCH has come to so far.

    :ivar all_there: whether no message has gone.
    :ivar fault: why the first of those was left out that could not be told of.
    """

    all_there: bool = True
    fault: Exception | None = None


def _slice_size(plan: FetchPlan) -> int:
    if plan.reads_content:
        return CONTENT_SLICE
    return COLUMNS_SLICE if plan.columns else FLAGS_SLICE


async def _octets_at_once(talk: Conversation, plan: FetchPlan, places: Places) -> int:
    """How many octets of messages a slice may stand for; 0 where it is all one."""
    if len(places) < 2 or _LIGHT.issuperset(plan.columns):
        return 0
    octets = PARTS_SLICE if Column.PARTS in plan.columns else OCTETS_SLICE
    octets //= max(1, plan.header_items)
    status = await talk.session.mailbox.status()
    return octets if status.size > octets else 0


async def _weighed(talk: Conversation, places: Places, octets: int) -> list[Places]:
    """*places* in slices of *octets* at most; one message alone may have more."""
    if not octets:
        return [places]
    session = talk.session
    uids = session.view.uids_at(places)
    rows = await session.mailbox.fetch(uids, (Column.SIZE,))
    sizes = cast("list[tuple[int, int]]", rows)
    if sum([size for _, size in sizes]) <= octets:
        return [places]
    return _divided(places, uids, dict(sizes), octets)


def _divided(
    places: Places, uids: Sequence[int], sizes: dict[int, int], octets: int
) -> list[Places]:
    slices = []
    start = held = 0
    for index, uid in enumerate(uids):
        size = sizes.get(uid, 0)
        if held + size > octets and index > start:
            slices.append(places[start:index])
            start, held = index, 0
        held += size
    return [*slices, places[start:]]


async def _fetch_slice(
    talk: Conversation, plan: FetchPlan, places: Places, outcome: _Outcome
) -> None:
    """Answer for the messages at *places*; if that fails, for each on its own."""
    rows: list[Row] = []
    try:
        if plan.columns:
            rows, places = await _rows(talk, plan, places, outcome)
        if plan.header_items > 1 and _has_large_header(plan, rows):
            for each in plan.divided():
                await _fetch_slice(talk, each, places, outcome)
                await talk.breathe()
            return
        if plan.reads_content:
            await _send_messages(talk, plan, places, rows, outcome)
        else:
            await _send_rows(talk, plan, places, rows)
    except OutOfStep:
        raise
    except Exception as fault:
        if len(places) == 1:
            outcome.fault = outcome.fault or fault
            return
        for place in places:
            await _fetch_slice(talk, plan, range(place, place + 1), outcome)
            await talk.breathe()
    finally:
        if plan.reads_content:
            # Also those that were not sent, as the connection is lost.
            for row in rows:
                _content(plan, row).close()


def _has_large_header(plan: FetchPlan, rows: list[Row]) -> bool:
    """Whether there is one message, with a header that many sections take long of."""
    if len(rows) != 1 or Column.HEADER not in plan.columns:
        return False
    [row] = rows
    header = cast(bytes, row[1 + plan.columns.index(Column.HEADER)])
    return len(header) > LARGE_HEADER


async def _rows(
    talk: Conversation, plan: FetchPlan, places: Places, outcome: _Outcome
) -> tuple[list[Row], Places]:
    """What the store has of the messages at *places*, and where those are."""
    view = talk.session.view
    rows = await talk.session.mailbox.fetch(view.uids_at(places), plan.columns)
    if len(rows) != len(places):
        outcome.all_there = False
        places = view.places_of([cast(int, row[0]) for row in rows])
    return rows, places


async def _send_rows(
    talk: Conversation, plan: FetchPlan, places: Places, rows: list[Row]
) -> None:
    """Answer for messages of which no octets are wanted."""
    view = talk.session.view
    if plan.needs_flags or plan.sets_seen:
        await talk.session.know_flags(places)
    if plan.sets_seen and await _set_seen(talk, places):
        plan = plan.with_flags()
    flags = view.flags_at(places) if plan.needs_flags else []
    uids, numbers = view.uids_at(places), view.numbers_at(places)
    talk.send(plan.render(numbers, uids, flags, rows))


async def _send_messages(
    talk: Conversation,
    plan: FetchPlan,
    places: Places,
    rows: list[Row],
    outcome: _Outcome,
) -> None:
    """Answer for messages of which octets are wanted, one after the other."""
    view = talk.session.view
    if plan.needs_flags or plan.sets_seen:
        await talk.session.know_flags(places)
    if plan.sets_seen and await _set_seen(talk, places):
        plan = plan.with_flags()
    flags = view.flags_at(places) if plan.needs_flags else []
    numbers = view.numbers_at(places)
    for index, row in enumerate(rows):
        now = flags[index] if flags else frozenset()
        try:
            await _send_message(talk, plan, numbers[index], now, row)
        except OutOfStep:
            raise
        except Exception as fault:
            outcome.fault = outcome.fault or fault
        await talk.breathe()


async def _set_seen(talk: Conversation, places: Places) -> bool:
    """Flag the messages at *places* as seen.  -> whether one of them was not."""
    session = talk.session
    view = session.view
    unseen = view.unseen_at(places)
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
    content = _content(plan, row)
    uid = cast(int, row[0])
    try:
        if content.size <= SMALL_MESSAGE:
            octets = await _octets(content, (0, content.size))
            talk.send(plan.whole(number, uid, flags, row, octets))
            return
        nested = [await _octets(content, span) for span in plan.nested_headers(row)]
        pieces = plan.pieces(number, uid, flags, row, nested)
        await _send_pieces(talk, content, pieces)
    finally:
        content.close()


async def _send_pieces(
    talk: Conversation, content: Content, pieces: Sequence[Piece]
) -> None:
    """Send texts, and octets of *content*.

    Nothing is sent before some of the octets could be read: what has been announced
    has to come.
    """
    texts: list[bytes] = []
    has_begun = False
    for piece in pieces:
        if isinstance(piece, bytes):
            texts.append(piece)
            continue
        start, stop = piece
        first = start if has_begun else min(start + CHUNK, stop)
        texts.append(await _octets(content, (start, first)))
        talk.send(b"".join(texts))
        texts.clear()
        has_begun = True
        if first < stop:
            await talk.breathe()
            await _send_span(talk, content, (first, stop))
    talk.send(b"".join(texts))


def _content(plan: FetchPlan, row: Row) -> Content:
    return cast(Content, plan.content(row))


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
