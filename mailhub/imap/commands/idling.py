"""IDLE: the mailbox's news as they happen (RFC 2177)."""

from __future__ import annotations

from ...errors import SyntaxFault
from .. import responses
from ..session import Conversation
from ..syntax import Scanner


async def idle(talk: Conversation, scanner: Scanner) -> None:
    """IDLE (RFC 2177, section 3).

    Request:  ``idle = "IDLE" CRLF "DONE"``
    Response: a continuation, then untagged responses until DONE.
    """
    scanner.end()
    session = talk.session
    talk.send(responses.IDLING)
    session.stale = True
    while not talk.has_input:
        news = await session.catch_up(expunges=True)
        if news:
            talk.send(news)
            await talk.breathe()
        # Something may have happened while this was found out.
        if not session.stale:
            await talk.wait_for_news()
    line = await talk.next_line()
    if line.upper() != b"DONE":
        raise SyntaxFault(f"expected DONE, got {line[:32]!r}")
