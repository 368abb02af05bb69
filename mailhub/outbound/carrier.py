"""Giving a message to one of some addresses, whichever of them takes it.

What a server says of a recipient counts; only where it says nothing (no connection, no
TLS that is good enough, a session that ends) the next address is tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import Busy, MailError
from ..mail.queued import Outcome, Result
from ..smtp.client import SMTPClient
from ..smtp.client_outcome import SessionFailed
from ..smtp.client_steps import Step
from .crowd import Crowd
from .doubts import Doubts
from .parcel import Parcel
from .places import LHLO, Place
from .results import result_of_error, result_of_fault
from .sessions import Prepare, Sessions
from .tls_policy import HostPolicy

#: Where a session that has waited may turn out to have ended.
_BETWEEN_MESSAGES = (Step.RESET, Step.MAIL)


class Carrier:
    """Brings parcels to servers.

    :param clock: the reactor: ``IReactorTime`` and ``IReactorThreads``.
    :param attempt: seconds after which no further address is tried.
    :param most: messages that go to one server at the same time.
    :param now: seconds since the epoch, as the sender of a message counts them.
    """

    def __init__(
        self,
        clock: Any,
        sessions: Sessions,
        attempt: float,
        most: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._clock = clock
        self._sessions = sessions
        self._crowd = Crowd(most)
        self._doubts = Doubts(clock.seconds)
        self._attempt = attempt

    def ends(self) -> float:
        """When an attempt that begins now is over."""
        return float(self._clock.seconds()) + self._attempt

    def is_over(self, ends: float) -> bool:
        """Whether that is now."""
        return bool(self._clock.seconds() >= ends)

    def doubts(self, place: Place) -> bool:
        """Whether others are better asked before it."""
        return self._doubts.is_about(place)

    async def carry(
        self,
        parcel: Parcel,
        places: Sequence[Place],
        policy: HostPolicy,
        ends: float,
        prepare: Prepare | None = None,
    ) -> list[Result]:
        """Send to one address after the other until nobody waits any more.

        :param ends: when to stop trying.
        :param prepare: what is done on a new session before mail is sent: logging in.

        -> what went wrong
        """
        failures: list[Result] = []
        for place in places:
            if failures and self.is_over(ends):
                break
            try:
                await self._take_turn(place, ends)
                try:
                    await self._send_to(place, policy, prepare, parcel)
                finally:
                    self._crowd.leave(place)
                self._doubts.end(place)
            except SessionFailed as fault:
                failures.append(result_of_fault(fault, place))
                if not failures[-1].reached:
                    self._doubts.add(place)
            except MailError as error:
                failures.append(result_of_error(error, place))
            if not parcel.pending:
                break
        return failures

    async def _take_turn(self, place: Place, ends: float) -> None:
        await self._crowd.enter(place)
        if self.is_over(ends):
            self._crowd.leave(place)
            raise Busy(f"too much goes to {place.host} at the same time")

    async def _send_to(
        self, place: Place, policy: HostPolicy, prepare: Prepare | None, parcel: Parcel
    ) -> None:
        client = self._sessions.used(place, policy)
        if client is not None:
            try:
                await self._send_over(client, place, parcel)
                return
            except SessionFailed as fault:
                # It may have ended while it waited, which says nothing about now.
                if fault.step not in _BETWEEN_MESSAGES:
                    raise
        client = await self._sessions.new(place, policy, prepare)
        await self._send_over(client, place, parcel)

    async def _send_over(
        self, client: SMTPClient, place: Place, parcel: Parcel
    ) -> None:
        """All transactions that are needed.

        :raises SessionFailed: it ended before they did.
        :raises MailError: the server cannot be given this message.
        """
        able, is_lmtp = client.able, place.verb == LHLO
        try:
            form = await parcel.form_for(able, self._clock)
            while parcel.pending:
                group = parcel.next_group(able)
                now = self._now()
                mail = parcel.mail(group, able, form, now, one_by_one=is_lmtp)
                sent = await client.send_mail(mail)
                parcel.note(group, sent, place, able, now)
                if sent.fault is not None and parcel.pending:
                    raise sent.fault
        finally:
            self._sessions.give_back(place, client)


def gravest(failures: Sequence[Result]) -> Result:
    """What the recipients that nobody decided about are told of.

    One server that may be better later is a reason to wait; one that could be talked
    to says more than one that could not.
    """
    for failure in failures:
        if failure.outcome is Outcome.DEFERRED and failure.reached:
            return failure
    for failure in failures:
        if failure.outcome is Outcome.DEFERRED:
            return failure
    return failures[-1]
