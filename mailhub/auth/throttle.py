"""Failed logins: how many an address or a user may have, and their delay."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

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


class Tally(Protocol):
    """Failures by key."""

    def figures(self, key: str, now: float) -> tuple[int, int]:
        """Those of the minute and of the day that are running for *key*."""

    def add(self, key: str, now: float) -> None:
        """Count one."""


class SharedFailures(Protocol):
    """What all processes of a server know together."""

    def tally(self, kind: str, minute: float, day: float) -> Tally:
        """Failures of everybody in two windows, of so many seconds.

        Each *kind* has keys of its own.
        """

    def is_known(self, pair: str) -> bool:
        """Whether somebody remembers this pair of an address and a user."""

    def remember(self, pair: str) -> None:
        """The user has logged in from the address."""

    def forget(self, pair: str) -> None:
        """It counts as known no more, as far as this process is asked."""


class Throttle:
    """Counts failures in memory; a restart of the server forgets them.

    That they are forgotten then is no way around the limits, as nobody who guesses
    passwords can restart a server, and it is a way out for whoever looks after it.
    A minute or a day begins with the first failure of an address or user.

    :param clock: an ``IReactorTime``.
    :param shared: counts for several processes together.
    :ivar limits: may be exchanged at any time.
    """

    def __init__(
        self,
        clock: Any,
        limits: LoginLimits | None = None,
        shared: SharedFailures | None = None,
    ) -> None:
        self._clock = clock
        self.limits = limits or LoginLimits()
        self._shared = shared
        self._addresses, self._pairs, self._users = map(self._tally, "apu")
        self._known: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        self._delayed = 0

    def check(self, peer: Peer, user: str) -> None:
        """Whether *peer* may try to log in as *user* now.

        :raises LoginThrottled: too many failures.
        """
        address, limits = address_key(peer.host), self.limits
        by_address = limits.address_per_minute, limits.address_per_day
        if self._is_known(user, address):
            if self._is_full(self._pairs, f"{address} {user}", *by_address):
                raise LoginThrottled(f"too many failed logins as {user} from there")
            return
        if self._is_full(self._addresses, address, *by_address):
            raise LoginThrottled(f"too many failed logins from {address}")
        by_user = limits.user_per_minute, limits.user_per_day
        if self._is_full(self._users, user, *by_user):
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
        if self._shared is not None and address not in addresses:
            self._shared.remember(f"{address} {user}")
        addresses[address] = None
        addresses.move_to_end(address)
        self._known.move_to_end(user)
        if len(addresses) > self.limits.known_addresses:
            self._forget(user, [addresses.popitem(last=False)[0]])
        if len(self._known) > self.limits.tracked:
            self._forget(*self._known.popitem(last=False))

    async def penalty(self) -> None:
        """Wait before a failure is told, if not too many wait already."""
        if self._delayed >= self.limits.delayed:
            return
        self._delayed += 1
        try:
            await deferLater(self._clock, self.limits.delay)
        finally:
            self._delayed -= 1

    def _tally(self, kind: str) -> Tally:
        if self._shared is not None:
            return self._shared.tally(kind, MINUTE, DAY)
        return _MemoryTally(lambda: self.limits.tracked)

    def _is_full(self, tally: Tally, key: str, per_minute: int, per_day: int) -> bool:
        in_minute, in_day = tally.figures(key, self._clock.seconds())
        return in_minute >= per_minute or in_day >= per_day

    def _is_known(self, user: str, address: str) -> bool:
        if address in self._known.get(user, ()):
            return True
        return self._shared is not None and self._shared.is_known(f"{address} {user}")

    def _forget(self, user: str, addresses: Iterable[str]) -> None:
        if self._shared is not None:
            for address in addresses:
                self._shared.forget(f"{address} {user}")


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


class _MemoryTally:
    """Failures by key; the keys that failed longest ago are forgotten first.

    :param tracked: how many keys are remembered.
    """

    def __init__(self, tracked: Callable[[], int]) -> None:
        self._tracked = tracked
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def figures(self, key: str, now: float) -> tuple[int, int]:
        found = self._failures.get(key)
        if found is None:
            return 0, 0
        return (
            found.in_minute if now < found.minute_ends else 0,
            found.in_day if now < found.day_ends else 0,
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
        if len(self._failures) > self._tracked():
            self._failures.popitem(last=False)
