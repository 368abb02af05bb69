"""Commands of the TRANSACTION state (RFC 1939, sections 5 and 7)."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ReadOnlyMailbox
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
    try:
        data = await content.read(0, PIECE)
        dialogue.send(replies.message(maildrop.sizes[index]))
        if content.size <= PIECE:
            dialogue.send(stuff(data))
            return ending(data)
        return await _send_rest(dialogue, content, data)
    finally:
        content.close()


async def top(dialogue: Dialogue, argument: bytes) -> bytes:
    """TOP msg n: the header, an empty line, n lines of the body."""
    number, lines = read_numbers(argument, 2)
    maildrop = dialogue.maildrop
    index = maildrop.find(number)
    eager = dialogue.has_input
    data = await maildrop.header(index, eager)
    if lines and maildrop.sizes[index] > len(data):
        content = await maildrop.content(index, eager)
        try:
            data += await _first_lines(content, len(data), lines)
        finally:
            content.close()
    dialogue.send(replies.TOP_FOLLOWS)
    dialogue.send(stuff(data))
    return ending(data)


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


async def _send_rest(dialogue: Dialogue, content: Content, data: bytes) -> bytes:
    """Send a large message piece by piece; the end of it.

    After the first piece an error has no words: the connection is cut, and the
    client sees that the final dot is missing.
    """
    stuffer, position = Stuffer(), 0
    dialogue.session.sending = True
    while data:
        dialogue.send(stuffer.feed(data))
        await dialogue.drain()
        position += len(data)
        data = await content.read(position, position + PIECE)
    dialogue.session.sending = False
    return stuffer.finish()


async def _first_lines(content: Content, start: int, lines: int) -> bytes:
    """The first *lines* lines of *content* from the octet *start* on."""
    pieces = []
    while lines and (data := await content.read(start, start + PIECE)):
        split = data.split(b"\n", lines)
        if len(split) > lines:
            data = data[: len(data) - len(split[-1])]
        lines -= len(split) - 1
        start += len(data)
        pieces.append(data)
    return b"".join(pieces)
