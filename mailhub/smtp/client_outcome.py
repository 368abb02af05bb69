"""A message for another server, and what became of it or of the session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import MailError
from .client_replies import ServerReply
from .client_steps import Step


class SessionFailed(Exception):
    """The session is over before it did what it was for.

    :ivar step: where.
    :ivar text: what happened, for people.
    :ivar reply: what the server said, if that was it.
    :ivar error: what our own rules say about it, such as a ``TLSFault``.
    :ivar may_go_clear: TLS did not work, and nothing looked like an attack.
    :ivar is_silent: the other side said nothing, or read nothing, for too long.
    """

    def __init__(
        self,
        step: Step,
        text: str,
        reply: ServerReply | None = None,
        error: MailError | None = None,
        *,
        may_go_clear: bool = False,
        is_silent: bool = False,
    ) -> None:
        super().__init__(text)
        self.step = step
        self.text = text
        self.reply = reply
        self.error = error
        self.may_go_clear = may_go_clear
        self.is_silent = is_silent


@dataclass(frozen=True, slots=True)
class Mail:
    """A message to send to a server that is known.

    :ivar opening: MAIL with its CRLF, which suits the server's capabilities; likewise
        the RCPTs in *recipients*.
    :ivar content: ``IContent``: its octets.
    :ivar one_by_one: LMTP.
    """

    opening: bytes
    recipients: list[bytes]
    content: Any
    one_by_one: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message.

    :ivar verdicts: for each recipient the reply that decided; ``None``: none came.
    :ivar fault: why there is no reply for some.
    :ivar is_unknown: whether the server has seen the end of the message, and so may
        have taken it for those without a verdict.
    """

    verdicts: list[ServerReply | None]
    fault: SessionFailed | None = None
    is_unknown: bool = False
