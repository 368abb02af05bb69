"""Commands of the TRANSACTION state (RFC 1939, sections 5 and 7)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from ...errors import LocalFault, ReadOnlyMailbox
from .. import replies
from ..dialogue import Dialogue
from ..maildrop import Content
from ..stuffing import Stuffer, ending, stuff
from ..syntax import read_nothing, read_numbers

#: Octets of a message that are read and sent at a time.
PIECE = 256 * 1024
#: Lines of LIST and UIDL that are made before others get a turn: some ms.
LINES_AT_A_TIME = 10_000


async def noop(dialogue: Dialogue, argument: bytes) -> bytes:
    """NOOP."""
    read_nothing(argument)
    return replies.OK


async def stat(dialogue: Dialogue, argument: bytes) -> bytes:
    """STAT: messages and octets, without those that are marked."""
    read_nothing(argument)
    maildrop = dialogue.maildrop
    return replies.status(maildrop.count, maildrop.octets)


async def list_(dialogue: Dialogue, argument: bytes) -> bytes:
    """LIST [msg]."""
    maildrop = dialogue.maildrop
    if argument.strip():
        [number] = read_numbers(argument, 1)
        return replies.scan(number, maildrop.sizes[maildrop.find(number)])
    first = replies.listing(maildrop.count, maildrop.octets)
    return await _send_lines(dialogue, first, maildrop.scan_lines)


async def uidl(dialogue: Dialogue, argument: bytes) -> bytes:
    """UIDL [msg]."""
    maildrop = dialogue.maildrop
    if argument.strip():
        [number] = read_numbers(argument, 1)
        uid = maildrop.uids[maildrop.find(number)]
        return replies.unique_id(number, maildrop.uidvalidity, uid)
    return await _send_lines(dialogue, replies.UIDS_FOLLOW, maildrop.id_lines)


async def dele(dialogue: Dialogue, argument: bytes) -> bytes:
    """DELE msg: a mark; see QUIT."""
    [number] = read_numbers(argument, 1)
    maildrop = dialogue.maildrop
    if maildrop.read_only:
        raise ReadOnlyMailbox("DELE in a mailbox for reading only")
    maildrop.deleted.add(maildrop.find(number))
    return replies.MARKED


async def rset(dialogue: Dialogue, argument: bytes) -> bytes:
    """RSET: take all marks away."""
    read_nothing(argument)
    dialogue.maildrop.deleted.clear()
    return replies.OK


async def retr(dialogue: Dialogue, argument: bytes) -> bytes:
    """RETR msg: the whole message."""
    [number] = read_numbers(argument, 1)
    maildrop = dialogue.maildrop
    index = maildrop.find(number)
    content = await maildrop.content(index, dialogue.has_input)
    first = replies.message(maildrop.sizes[index])
    try:
        if content.size > PIECE:
            return await _send_pieces(dialogue, first, _pieces(content))
        data = await _read(content, 0)
    finally:
        content.close()
    return _send_whole(dialogue, first, data)


async def top(dialogue: Dialogue, argument: bytes) -> bytes:
    """TOP msg n: the header, an empty line, n lines of the body."""
    number, lines = read_numbers(argument, 2)
    maildrop = dialogue.maildrop
    index = maildrop.find(number)
    eager = dialogue.has_input
    header = await maildrop.header(index, eager)
    if not lines or maildrop.sizes[index] <= len(header):
        return _send_whole(dialogue, replies.TOP_FOLLOWS, header)
    content = await maildrop.content(index, eager)
    try:
        pieces = _first_lines(content, header, lines)
        return await _send_pieces(dialogue, replies.TOP_FOLLOWS, pieces)
    finally:
        content.close()


def top_capability(dialogue: Dialogue) -> bytes:
    """RFC 2449, section 6.1."""
    return b"TOP"


def uidl_capability(dialogue: Dialogue) -> bytes:
    """RFC 2449, section 6.8."""
    return b"UIDL"


async def _send_lines(
    dialogue: Dialogue, first: bytes, lines: Callable[[int, int], list[bytes]]
) -> bytes:
    """A reply with a line for each message; the end of it."""
    total = len(dialogue.maildrop.uids)
    dialogue.send(first)
    for start in range(0, total, LINES_AT_A_TIME):
        if start:
            await dialogue.drain()
            await dialogue.pause()
        some = lines(start, start + LINES_AT_A_TIME)
        if some:
            dialogue.send(b"\r\n".join(some) + b"\r\n")
    return replies.END


def _send_whole(dialogue: Dialogue, first: bytes, data: bytes) -> bytes:
    """Send *first* and a message; the end of it."""
    dialogue.send(first)
    dialogue.send(stuff(data))
    return ending(data)


async def _send_pieces(
    dialogue: Dialogue, first: bytes, pieces: AsyncIterator[bytes]
) -> bytes:
    """Send *first* and a message piece by piece; the end of it.

    Nothing is sent before the first piece could be read.  After it an error has
    no words: the connection is cut, and the client sees that the final dot is
    missing.
    """
    session, stuffer = dialogue.session, Stuffer()
    async for data in pieces:
        if session.sending:
            await dialogue.drain()
        else:
            dialogue.send(first)
            session.sending = True
        dialogue.send(stuffer.feed(data))
    session.sending = False
    return stuffer.finish()


async def _read(content: Content, start: int) -> bytes:
    """A piece of *content* from *start* on; nothing at its end.

    :raises LocalFault: there is less than there should be.
    """
    stop = min(start + PIECE, content.size)
    data = await content.read(start, stop)
    if len(data) != stop - start:
        raise LocalFault("a message is shorter than its store says")
    return data


async def _pieces(content: Content) -> AsyncIterator[bytes]:
    """All octets of *content*."""
    for start in range(0, content.size, PIECE):
        yield await _read(content, start)


async def _first_lines(
    content: Content, header: bytes, lines: int
) -> AsyncIterator[bytes]:
    """*header*, and the first *lines* lines after it."""
    start, before = len(header), header
    while lines and (data := await _read(content, start)):
        split = data.split(b"\n", lines)
        if len(split) > lines:
            data = data[: len(data) - len(split[-1])]
        lines -= len(split) - 1
        start += len(data)
        yield before + data
        before = b""
    if before:
        yield before
