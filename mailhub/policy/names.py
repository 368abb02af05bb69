"""Names of peers: only those that both sides of DNS agree on.

Whoever has an address decides what name DNS tells for it.  A name therefore counts only
if its own addresses have that one among them (RFC 1912, section 2.1, asks everybody for
such a pair; attack: a reverse name in somebody else's domain).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from ..errors import DNSFault, NoSuchDomain
from ..mail.dns import RecordType
from ..mail.envelope import Peer
from ..tables.networks import parse_host

#: Names of one address that are looked at; honest ones have one or two (attack: a
#: thousand of them, and as many questions for each connection).
MAX_NAMES = 5
#: Seconds for all questions about one peer together.
SECONDS = 10.0
#: Seconds until a connection asks again for what could not be told: not for each of a
#: hundred recipients.
PAUSE = 60.0
#: What loopback addresses are called, whatever DNS says (RFC 6761, section 6.3).
LOCALHOST = "localhost"

_Host = IPv4Address | IPv6Address


class PeerNames:
    """What one peer is called, found out when it is first asked for, and then kept.

    :param clock: ``IReactorTime``.
    :param resolver: ``IResolver``.
    :ivar host: its IP address.
    :ivar is_local: it is on this machine: its name is known without a question.
    :ivar is_doubtful: nobody could tell when it was asked for last.
    """

    __slots__ = (
        "_again", "_clock", "_names", "_resolver", "host", "is_doubtful", "is_local"
    )  # fmt: skip

    def __init__(self, peer: Peer, resolver: Any, clock: Any) -> None:
        self.host = peer.host
        self.is_local = peer.is_loopback
        self.is_doubtful = False
        self._resolver = resolver
        self._clock = clock
        self._again = 0.0
        self._names: tuple[str, ...] | None = None

    async def names(self) -> tuple[str, ...]:
        """In lower case, in alphabetical order; none that DNS does not confirm.

        What DNS cannot tell now is asked for again a little later.
        """
        if self._names is None:
            if self.is_doubtful and self._clock.seconds() < self._again:
                return ()
            asking = Deferred.fromCoroutine(self._find())
            asking.addTimeout(SECONDS, self._clock)
            try:
                self._names = await asking
            except (DNSFault, TimeoutError, CancelledError):
                self.is_doubtful = True
                self._again = self._clock.seconds() + PAUSE
                return ()
            self.is_doubtful = False
        return self._names

    async def _find(self) -> tuple[str, ...]:
        address = parse_host(self.host)
        if address is None:
            return ()
        if self.is_local:
            return (LOCALHOST,)
        try:
            answer = await self._resolver.query(
                address.reverse_pointer, RecordType.PTR
            )
        except NoSuchDomain:
            return ()
        claimed = sorted(str(each) for each in answer.records)[:MAX_NAMES]
        verdicts = {name: await self._confirms(name, address) for name in claimed}
        names = tuple(name for name, verdict in verdicts.items() if verdict)
        if not names and None in verdicts.values():
            raise DNSFault(f"{self.host}: no name could be confirmed")
        return names

    async def _confirms(self, name: str, address: _Host) -> bool | None:
        """Whether *name* has that address; ``None``: nobody can tell now."""
        kind = RecordType.A if address.version == 4 else RecordType.AAAA
        try:
            answer = await self._resolver.query(name, kind)
        except NoSuchDomain:
            return False
        except DNSFault:
            return None
        return any(parse_host(str(each)) == address for each in answer.records)


class PeerBook:
    """Knows the names of peers, each for as long as its connection.

    :param resolver: ``IResolver``.
    :param clock: ``IReactorTime``.
    """

    def __init__(self, resolver: Any, clock: Any) -> None:
        self._resolver = resolver
        self._clock = clock

    def of(self, peer: Peer) -> PeerNames:
        """The names of *peer*."""
        known = peer.known.get(PeerBook)
        if not isinstance(known, PeerNames):
            known = PeerNames(peer, self._resolver, self._clock)
            peer.known[PeerBook] = known
        return known
