"""A leased message on its way out: who still waits for it, and what became of whom."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.threads import deferToThreadPool

from ..errors import MailError
from ..mail.envelope import MailParameters, Notify
from ..mail.headers import header_end
from ..mail.queued import Lease, Outcome, Result
from ..mail.seven_bit import in_seven_bits
from ..smtp.client_capabilities import Capabilities
from ..smtp.client_commands import (
    Shape,
    mail_command,
    needs_utf8,
    path_of,
    rcpt_command,
)
from ..smtp.client_outcome import Mail, Sent
from ..smtp.client_replies import ServerReply
from ..store.content import READ_SIZE, BytesContent
from .places import LHLO, Place
from .results import result_of, result_of_error, unknown

#: Recipients of one transaction (RFC 5321, section 4.5.3.1.8).
MOST_RECIPIENTS = 100
#: Octets of a large message that are looked at for its header.
_HEAD = 65_536
#: RFC 8689, section 3.
_WAIVED = re.compile(
    rb"(?:^|\n)TLS-Required:(?:[ \t]*\r?\n(?=[ \t]))?[ \t]*No[ \t]*\r?\n", re.IGNORECASE
)
_TOO_MANY = frozenset({(452, "4.5.3"), (452, "4.0.0"), (552, "5.5.3")})
#: Octets that are converted without a thread: some milliseconds.
_AT_ONCE = 262_144


@dataclass(frozen=True, slots=True)
class Form:
    """A message as it is sent.

    :ivar content: ``IContent``: all octets.
    """

    content: Any
    shape: Shape


class Parcel:
    """One attempt's message.

    :ivar lease: what was lent.
    :ivar content: ``IContent``.
    :ivar pending: indices of recipients without a result.
    :ivar header: the message's, or the beginning of it.
    """

    def __init__(self, lease: Lease, content: Any, header: bytes) -> None:
        self.lease = lease
        self.content = content
        self.header = header
        self._results: list[Result | None] = [None] * len(lease.recipients)
        self.pending = list(range(len(lease.recipients)))
        data = content.data
        eight_bit = data is None or not data.isascii()
        utf8_header = eight_bit and not header.isascii()
        self._form = Form(content, Shape(content.size, eight_bit, utf8_header))
        self._seven_bit: Form | None = None

    @classmethod
    async def unpack(cls, lease: Lease, content: Any) -> Parcel:
        """The parcel of a lease.

        :raises MailError: the message cannot be read.
        """
        data = content.data
        head = await content.read(0, _HEAD) if data is None else data
        return cls(lease, content, head[: header_end(head)])

    @property
    def parameters(self) -> MailParameters:
        """Those of its MAIL."""
        return self.lease.message.parameters

    @property
    def requires_tls(self) -> bool:
        """Whether it rather fails than goes to a server without REQUIRETLS.

        Not what comes back, which would be lost (RFC 8689, sections 4.2.1 and 5).
        """
        return self.parameters.require_tls and bool(self.lease.message.sender)

    @property
    def is_tls_waived(self) -> bool:
        """Whether its sender wants it to arrive rather than to be secret."""
        if b"tls-required" not in self.header.lower():
            return False
        return _WAIVED.search(self.header) is not None

    @property
    def has_results(self) -> bool:
        """Whether something is known of some recipient."""
        return len(self.pending) < len(self._results)

    @property
    def results(self) -> list[Result]:
        """One for each recipient, when nothing is pending."""
        return [each for each in self._results if each is not None]

    def set_aside_malformed(self) -> None:
        """End it for recipients that no server can be told of."""
        for index in tuple(self.pending):
            try:
                path_of(self.lease.recipients[index].recipient)
            except MailError as error:
                self.settle([index], result_of_error(error))

    def settle(self, indices: Sequence[int], result: Result) -> None:
        """Note what became of some recipients."""
        for index in tuple(indices):
            self._results[index] = result
            self.pending.remove(index)

    def settle_all(self, result: Result) -> None:
        """Note what became of all that are pending."""
        self.settle(self.pending, result)

    def next_group(self, able: Capabilities) -> list[int]:
        """Whom the next transaction is for: at first those who need no SMTPUTF8 where
        the server has none.
        """
        most = able.most_recipients or MOST_RECIPIENTS
        pending = self.pending
        if not able.smtputf8:
            pending = list(filter(self._is_plain, pending)) or pending
        return pending[: min(most, MOST_RECIPIENTS)]

    def _is_plain(self, index: int) -> bool:
        recipient = self.lease.recipients[index].recipient
        return recipient.isascii() or path_of(recipient).isascii()

    async def form_for(self, able: Capabilities, reactor: Any) -> Form:
        """The message as a server can read it.

        :raises MailError: there is no such form of it, or it cannot be made now.
        """
        form = self._form
        if able.eight_bit or not form.shape.eight_bit:
            return form
        if self._seven_bit is None:
            octets = await octets_of(self.content)
            if len(octets) <= _AT_ONCE:
                octets = in_seven_bits(octets)
            else:
                pool = reactor.getThreadPool()
                octets = await deferToThreadPool(reactor, pool, in_seven_bits, octets)
            shape = Shape(len(octets), False, form.shape.utf8_header)
            self._seven_bit = Form(BytesContent(octets), shape)
        return self._seven_bit

    def mail(
        self,
        group: list[int],
        able: Capabilities,
        form: Form,
        now: float,
        *,
        one_by_one: bool,
    ) -> Mail:
        """The transaction for some recipients.

        :param form: what :meth:`form_for` has made.
        :raises MailError: the server cannot be given this message.
        """
        message = self.lease.message
        waiting = [self.lease.recipients[index] for index in group]
        is_forgotten = self._is_time_forgotten(able, now)
        names = [message.sender, *(each.recipient for each in waiting)]
        utf8 = needs_utf8(names, message.parameters, form.shape)
        opening = mail_command(
            message.sender, message.parameters, form.shape, able, utf8=utf8, now=now
        )
        commands = [
            rcpt_command(
                each.recipient,
                _with_delay(each.notify) if is_forgotten else each.notify,
                each.original,
                able,
                utf8=utf8,
            )
            for each in waiting
        ]
        return Mail(opening, commands, form.content, one_by_one)

    def note(
        self,
        group: list[int],
        sent: Sent,
        place: Place,
        able: Capabilities,
        now: float,
    ) -> None:
        """Take the results of a transaction that was made at *now*."""
        is_forgotten = self._is_time_forgotten(able, now)
        verdicts = sent.verdicts
        may_split = place.verb != LHLO
        some_taken = any(each is not None and each.is_positive for each in verdicts)
        for index, verdict in zip(group, verdicts, strict=True):
            if verdict is None:
                if sent.is_unknown:
                    self.settle([index], unknown(sent, place))
            elif not (may_split and some_taken and _is_too_many(verdict)):
                notify = self.lease.recipients[index].notify
                wants = notify is not None and Notify.SUCCESS in notify
                # What the other server does not know, its sender hears from us.
                ours = is_forgotten or (wants and not able.dsn)
                good = Outcome.RELAYED if ours else Outcome.DELIVERED
                self.settle([index], result_of(verdict, place, good))


    def _is_time_forgotten(self, able: Capabilities, now: float) -> bool:
        """Whether nobody tells its sender when it is late (RFC 2852, 4.1.4.2)."""
        wish = self.parameters.deliver_by
        return (
            wish is not None
            and not wish.returns
            and able.by is None
            and now < wish.until
        )


def _with_delay(notify: Notify | None) -> Notify:
    """What is asked of a server that knows no DELIVERBY (RFC 2852, 4.1.4.2)."""
    if notify is None:
        return Notify.FAILURE | Notify.DELAY
    return notify if notify is Notify.NEVER else notify | Notify.DELAY


async def octets_of(content: Any) -> bytes:
    """All octets of an ``IContent``."""
    if content.data is not None:
        return bytes(content.data)
    starts = range(0, content.size, READ_SIZE)
    return b"".join([await content.read(start, start + READ_SIZE) for start in starts])


def _is_too_many(reply: ServerReply) -> bool:
    """Whether a recipient belongs into another transaction.

    RFC 5321, section 4.5.3.1.10; who says no more than 452 may mean that.
    """
    return (reply.code, reply.status) in _TOO_MANY
