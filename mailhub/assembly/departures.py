"""The half of a server that sends: the queue's scheduler, and the ways out."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from ..config.naming import server_name
from ..config.resolving import make_resolver, reconfigure
from ..config.settings import Config
from ..mail.account import Delivery
from ..mail.queue_list import Selection
from ..mail.queued import WAY_SEPARATOR, Lease, Letter, Result
from ..net.descriptors import Capacity
from ..outbound.building import way_out
from ..outbound.functions import ByFunction, Function
from ..outbound.programs import ByProgram
from ..outbound.sinks import Discarding, IntoMailbox
from ..outbound.ways import WayOut
from ..queue.keepers import Keepers
from ..queue.scheduler import Scheduler
from ..queue.steady import Memory
from ..routing.dispatching import Dispatching
from ..routing.local_way import LocalWay
from ..routing.planning import LOCAL_WAY
from ..routing.router import Router
from ..smtp.dialogue import Started
from .names import tls_policies_of
from .taking_in import TakingIn

#: Which schedulers of the data folder are alive.
KEEPERS_FOLDER, MEMORY = "run/keepers", "run/queue.time"
#: Seconds for attempts to end before the server does.
GRACE = 10.0


class Departures:
    """What leaves, from the first process of a server, and what its users leave there.

    :param router: makes what decides where letters of the server itself go.
    :ivar scheduler: sends what is in the queue.
    :ivar resolver: of names, for all parts of the server.
    :ivar functions: of the application, that aliases and routes lead to, by name.
    :ivar way: out, by the configuration in use.
    :ivar capacity: of the process, which all its connections share.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        store: Any,
        router: Callable[[Config], Router],
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._store = store
        self._router = router
        self.capacity = Capacity()
        self.resolver = make_resolver(config.dns, reactor)
        self.functions: dict[str, Function] = {}
        self._dispatching, self.way = self._made(config)
        keepers = memory = None
        if config.store.kind != "memory":
            keepers = Keepers(os.path.join(config.server.data, KEEPERS_FOLDER))
            memory = Memory(os.path.join(config.server.data, MEMORY))
        self.scheduler = Scheduler(
            store.queue,
            _Latest(self),
            reactor,
            config.queue,
            self._dispatch,
            host_name=server_name(config),
            keepers=keepers,
            memory=memory,
        )
        self._taking_in = None
        if config.local.drop:
            self._taking_in = TakingIn(config, reactor, store, router, self.scheduler)

    async def start_queue(self, node: str, below: bool = False) -> Started:
        """Let mail for the domain *node* go now, if it is one that waits here.

        :param below: likewise for all domains below it.
        """
        relays, nodes = self._router(self._config).relays, []
        if await relays(node):
            nodes.append(node)
        if below and await relays(f"any.{node}"):
            rows = await self._store.queue.ages(self.scheduler.time.now(), ())
            under = [row.destination for row in rows]
            nodes += [each for each in under if each.endswith(f".{node}")]
        elif not nodes:
            return Started.NOT_ALLOWED
        numbers = [
            await self.scheduler.flush(Selection(destination=each)) for each in nodes
        ]
        return Started.YES if any(numbers) else Started.NOTHING

    def start(self) -> None:
        """Begin to send.

        :raises ConfigError: nobody could leave mail where that is wished for.
        """
        if self._taking_in is not None:
            self._taking_in.startService()
        self.scheduler.start()

    async def stop(self) -> None:
        """Let attempts end, and close all connections."""
        if self._taking_in is not None:
            await self._taking_in.stopService()
        await self.scheduler.stop(GRACE)
        await self.way.stop()
        self.resolver.stop()

    def prepare(self, config: Config) -> Callable[[], None]:
        """Get ready for another configuration.  -> what has to be called to use it"""
        made = self._made(config)

        def use() -> None:
            self._config = config
            reconfigure(self.resolver, config.dns, self._reactor)
            old, (self._dispatching, self.way) = self.way, made
            self.scheduler.use(config.queue)
            if self._taking_in is not None:
                self._taking_in.use(config)
            # What is under way ends as it began; idle connections end now.
            Deferred.fromCoroutine(old.stop())

        return use

    async def _dispatch(self, letter: Letter) -> Delivery:
        return await self._dispatching.dispatch(letter)

    def _made(self, config: Config) -> tuple[Dispatching, WayOut]:
        name, router = server_name(config), self._router(config)
        dispatching = Dispatching(router, name, limits=config.queue)
        local = LocalWay(self._store, router)
        others: dict[str, Any] = {
            LOCAL_WAY.removesuffix(WAY_SEPARATOR): local,
            "mailbox": IntoMailbox(local),
            "discard": Discarding(),
            "function": ByFunction(self.functions),
        }
        if config.routing.programs:
            others["program"] = ByProgram(self._reactor)
        way = way_out(
            config.outbound,
            self._reactor,
            self.resolver,
            name,
            listening=[each.host for each in config.listen.endpoints("smtp")],
            policies=tls_policies_of(config, self._reactor, self.resolver),
            others=others,
            capacity=self.capacity,
        )
        return dispatching, way


class _Latest:
    """``IWayOut`` of the configuration in use."""

    def __init__(self, departures: Departures) -> None:
        self._departures = departures

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """See :class:`mailhub.interfaces.IWayOut`."""
        results: list[Result] = await self._departures.way.send(lease, content)
        return results
