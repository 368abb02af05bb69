"""A stub resolver: what names mean, asked of servers that find it out (``IResolver``).

Questions for the same at the same time are asked once; answers are kept for as long as
they say.  Everything has an end: a question :attr:`DNSLimits.total` seconds, a chain of
CNAMEs ``MAX_LINKS``, the cache its size, the number of questions at a time a limit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..counting import Histogram
from ..errors import DNSFault, NoSuchDomain, SyntaxFault
from ..interfaces import IResolver
from ..mail.dns import Answer, RecordType
from .dns_cache import FAULT, LONGEST, Cache, Failed, Key, Outcome
from .dns_exchange import Exchange, NameServer
from .dns_lookup import Lookup
from .dns_message import Code, Reply, encode_name

#: CNAMEs in a row; names of real services need three at most (attack: chains without
#: end).
MAX_LINKS = 16
#: Questions that are asked at the same time: each has a socket of its own.
MAX_OPEN = 256
#: Questions that may wait for that; more are answered with a fault at once.
MAX_WAITING = 10_000
#: Seconds that a server which did not answer is asked after the others.
DISTRUST = 30.0

Ask = Callable[[NameServer, bytes, int], Coroutine[Any, Any, Reply]]


@dataclass(frozen=True, slots=True)
class DNSLimits:
    """How long to wait, in seconds, and how much to keep, in octets.

    :ivar attempt: for one server's answer before another is asked.
    :ivar total: for a question, whoever is asked however often.
    :ivar cache: memory for answers.
    """

    attempt: float = 3.0
    total: float = 10.0
    cache: int = 16_777_216


class DNSCounts:
    """What the resolver has done, for metrics."""

    def __init__(self) -> None:
        self.hits = 0
        self.questions = 0
        self.faults = 0
        self.seconds = Histogram()


@implementer(IResolver)
class Resolver:
    """DNS, asked of *servers*.

    :param reactor: reads sockets, connects and tells the time.
    :param servers: gives those to ask, in order; asked for each question.
    :param ask: in place of an ``Exchange`` over sockets.
    :ivar counts: what it has done.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        servers: Callable[[], Sequence[NameServer]],
        limits: DNSLimits | None = None,
        ask: Ask | None = None,
    ) -> None:
        self._clock = reactor
        self._servers = servers
        self._limits = limits or DNSLimits()
        self._ask = ask or Exchange(reactor).ask
        self._cache = Cache(self._limits.cache)
        self._askers: dict[Key, list[Deferred[Outcome]]] = {}
        self._running: set[Deferred[Any]] = set()
        self._queue: deque[Deferred[None]] = deque()
        self._open = 0
        self._distrusted: dict[NameServer, float] = {}
        self.counts = DNSCounts()

    async def query(self, name: str, kind: RecordType) -> Answer:
        """See ``IResolver``.

        :raises mailhub.errors.NoSuchDomain: also for what can be no name.
        """
        key = (name.removesuffix(".").lower(), kind)
        outcome = self._cache.get(key, self._clock.seconds())
        if outcome is None:
            outcome = await self._outcome(key)
        else:
            self.counts.hits += 1
        if isinstance(outcome, Failed):
            raise outcome.error()
        return outcome

    def use(
        self, servers: Callable[[], Sequence[NameServer]], limits: DNSLimits
    ) -> None:
        """From now on other servers and limits; what is known is forgotten."""
        self._servers = servers
        self._limits = limits
        self._cache = Cache(limits.cache)
        self._distrusted.clear()

    def forget(self) -> None:
        """Forget all answers, and which servers did not give any."""
        self._cache.clear()
        self._distrusted.clear()

    def stop(self) -> None:
        """End all questions; who waits for an answer gets a ``DNSFault``."""
        for each in list(self._running):
            each.cancel()

    def _outcome(self, key: Key) -> Deferred[Outcome]:
        """What comes of asking, for one of perhaps many who want to know."""
        askers = self._askers.get(key)
        asker: Deferred[Outcome] = Deferred()
        if askers is not None:
            askers.append(asker)
            return asker
        self._askers[key] = [asker]
        running = Deferred.fromCoroutine(self._find(key))
        self._running.add(running)
        running.addBoth(self._tell, key, running)
        return asker

    def _tell(self, result: Outcome | Failure, key: Key, running: Any) -> None:
        self._running.discard(running)
        if isinstance(result, Failure):
            if not result.check(CancelledError):
                self.log.failure("asking for {name} failed", result, name=key[0])
            result = Failed(DNSFault, f"{key[0]}: the question was given up", 0)
        self._cache.put(key, result, self._clock.seconds())
        for asker in self._askers.pop(key):
            if not asker.called:
                asker.callback(result)

    async def _find(self, key: Key) -> Outcome:
        """Ask, within the time of a question."""
        self.counts.questions += 1
        began = self._clock.seconds()
        asking = Deferred.fromCoroutine(self._in_turn(key))
        asking.addTimeout(self._limits.total, self._clock)
        try:
            return await asking
        except (DNSFault, TimeoutError) as fault:
            self.counts.faults += 1
            why = fault if isinstance(fault, DNSFault) else "no answer in time"
            return Failed(DNSFault, f"{key[0]} {key[1].name}: {why}", FAULT)
        finally:
            self.counts.seconds.add(self._clock.seconds() - began)

    async def _in_turn(self, key: Key) -> Outcome:
        """Ask as soon as there is room for one more question."""
        if self._open < MAX_OPEN:
            self._open += 1
        elif len(self._queue) < MAX_WAITING:
            turn: Deferred[None] = Deferred(self._queue.remove)
            self._queue.append(turn)
            await turn
        else:
            raise DNSFault("too many questions at a time")
        try:
            return await self._chain(*key)
        finally:
            if self._queue:
                self._queue.popleft().callback(None)
            else:
                self._open -= 1

    async def _chain(self, name: str, kind: RecordType) -> Outcome:
        """Ask for *name*, and for where CNAMEs lead to if that is not told along."""
        authentic, ttl, links = True, LONGEST, 0
        while True:
            try:
                encoded = encode_name(name)
            except SyntaxFault as fault:
                return Failed(NoSuchDomain, f"{name!r}: {fault}", LONGEST)
            server, reply = await self._asked(encoded, kind)
            links += reply.links
            if links > MAX_LINKS:
                raise DNSFault("too many CNAMEs in a row")
            authentic = authentic and reply.authentic and server.trusted
            ttl = min(ttl, reply.ttl)
            if reply.code == Code.NXDOMAIN:
                return Failed(NoSuchDomain, f"{reply.name} does not exist", ttl)
            if reply.complete:
                return Answer(reply.name, reply.records, authentic, ttl)
            name = reply.name

    async def _asked(self, name: bytes, kind: int) -> tuple[NameServer, Reply]:
        lookup = Lookup(
            self._clock,
            lambda server: self._ask(server, name, kind),
            self._in_order(),
            self._limits.attempt,
        )
        try:
            return await lookup.start()
        finally:
            until = self._clock.seconds() + DISTRUST
            for server in lookup.slow:
                self._distrusted[server] = until

    def _in_order(self) -> list[NameServer]:
        """Whom to ask, those that were slow last.

        Where some are trusted, the others are not asked: what a validating server
        refuses as forged they would hand out.
        """
        servers = list(self._servers())
        trusted = [server for server in servers if server.trusted]
        now = self._clock.seconds()
        return sorted(
            trusted or servers,
            key=lambda server: self._distrusted.get(server, 0.0) > now,
        )
