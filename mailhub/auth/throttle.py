"""Failed logins: how many an address or a user may have, and their delay."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from twisted.internet.task import deferLater

from ..mail.envelope import Peer
from .credentials import LoginThrottled

MINUTE = 60.0
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How much guessing is borne.

    An address from which a user logged in before is *known* for that user.  Such
    a pair has a count of its own, with the limits of an address, and is held to
    no other: nobody elsewhere can lock an owner out, and one wrong password kept
    in a telephone does not lock out the rest of an office.

    :ivar address_per_minute: failures from one address (IPv6: one /64) before
        its logins are refused until the minute is over.
    :ivar address_per_day: the same for a day.
    :ivar user_per_minute: failures for one user, from all addresses together.
    :ivar user_per_day: the same for a day.
    :ivar delay: seconds before a failure is answered.
    :ivar delayed: failures that may wait for their answer at the same time;
        more are answered at once.
    :ivar tracked: addresses, and users, whose failures are remembered.
    :ivar known_addresses: addresses remembered as a user's own.
    """

    address_per_minute: int = 10
    address_per_day: int = 50
    user_per_minute: int = 10
    user_per_day: int = 100
    delay: float = 1.5
    delayed: int = 1_000
    tracked: int = 20_000
    known_addresses: int = 16


class Throttle:
    """Counts failures in memory; a restart forgets them.

    A minute or a day begins with the first failure of an address or user.

    :param clock: an ``IReactorTime``.
    """

    def __init__(self, clock: Any, limits: LoginLimits | None = None) -> None:
        self._clock = clock
        self.limits = limits = limits or LoginLimits()
        per_minute, per_day = limits.address_per_minute, limits.address_per_day
        self._addresses = _Tally(per_minute, per_day, limits.tracked)
        self._pairs = _Tally(per_minute, per_day, limits.tracked)
        self._users = _Tally(
            limits.user_per_minute, limits.user_per_day, limits.tracked
        )
        self._known: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        self._delayed = 0

    def check(self, peer: Peer, user: str) -> None:
        """Whether *peer* may try to log in as *user* now.

        :raises LoginThrottled: too many failures.
        """
        now, address = self._clock.seconds(), address_key(peer.host)
        if self._is_known(user, address):
            if self._pairs.is_full(f"{address} {user}", now):
                raise LoginThrottled(f"too many failed logins as {user} from there")
        elif self._addresses.is_full(address, now):
            raise LoginThrottled(f"too many failed logins from {address}")
        elif self._users.is_full(user, now):
            raise LoginThrottled(f"too many failed logins as {user}")

    def failed(self, peer: Peer, user: str) -> None:
        """Count a failure.  *user* is ``""`` for what is no name at all."""
        now, address = self._clock.seconds(), address_key(peer.host)
        if self._is_known(user, address):
            self._pairs.add(f"{address} {user}", now)
            return
        if address:
            self._addresses.add(address, now)
        if user:
            self._users.add(user, now)

    def succeeded(self, peer: Peer, user: str) -> None:
        """Remember that *user* comes from there."""
        address = address_key(peer.host)
        if not address:
            return
        addresses = self._known.setdefault(user, OrderedDict())
        addresses[address] = None
        addresses.move_to_end(address)
        self._known.move_to_end(user)
        if len(addresses) > self.limits.known_addresses:
            addresses.popitem(last=False)
        if len(self._known) > self.limits.tracked:
            self._known.popitem(last=False)

    async def penalty(self) -> None:
        """Wait before a failure is told, if not too many wait already."""
        if self._delayed >= self.limits.delayed:
            return
        self._delayed += 1
        try:
            await deferLater(self._clock, self.limits.delay)
        finally:
            self._delayed -= 1

    def _is_known(self, user: str, address: str) -> bool:
        return address in self._known.get(user, ())


def address_key(host: str) -> str:
    """What is counted for *host*: the address, or its /64 for IPv6.

    One IPv6 customer has a /64 at least, and walks through it for free.  Empty
    where there is no address (a UNIX socket).
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"


@dataclass(slots=True)
class _Failures:
    """Failures of one key, in the minute and the day that are running."""

    minute_ends: float
    day_ends: float
    in_minute: int = 0
    in_day: int = 0


class _Tally:
    """Failures by key; the keys that failed longest ago are forgotten first."""

    def __init__(self, per_minute: int, per_day: int, tracked: int) -> None:
        self._per_minute = per_minute
        self._per_day = per_day
        self._tracked = tracked
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def is_full(self, key: str, now: float) -> bool:
        found = self._failures.get(key)
        if found is None:
            return False
        return (found.in_minute >= self._per_minute and now < found.minute_ends) or (
            found.in_day >= self._per_day and now < found.day_ends
        )

    def add(self, key: str, now: float) -> None:
        found = self._failures.pop(key, None)
        if found is None or now >= found.day_ends:
            found = _Failures(now + MINUTE, now + DAY)
        elif now >= found.minute_ends:
            found.minute_ends, found.in_minute = now + MINUTE, 0
        found.in_minute += 1
        found.in_day += 1
        self._failures[key] = found
        if len(self._failures) > self._tracked:
            self._failures.popitem(last=False)
