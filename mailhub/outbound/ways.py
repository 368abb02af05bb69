"""All ways out as one ``IWayOut``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from ..errors import LocalFault, MailError
from ..interfaces import IWayOut
from ..mail.queued import Lease, Result
from ..mail.routes import Route
from .by_mx import ByMX
from .by_route import ByRoute
from .parcel import Parcel
from .results import result_of_error
from .routes import Routes
from .sessions import Sessions


@implementer(IWayOut)
class WayOut:
    """Sends each message the way that its destination, or a route, names.

    :param others: an ``IWayOut`` for each other kind of destination: ``local``,
        ``function``, and so on.
    :ivar routes: may be exchanged at any time.
    :ivar roll: the connections to other servers, and what they have done so far.
    """

    log = Logger()

    def __init__(
        self,
        routes: Routes,
        by_mx: ByMX,
        by_route: ByRoute,
        sessions: Sessions,
        others: Mapping[str, Any] | None = None,
    ) -> None:
        self.routes = routes
        self._by_mx = by_mx
        self._by_route = by_route
        self._sessions = sessions
        self.roll = sessions.roll
        self._others = others or {}

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """See ``IWayOut``.

        :raises MailError: nothing was tried, for a fault of ours.
        """
        try:
            route = self.routes.find(lease.destination, lease.message.sender)
        except MailError as error:
            return [result_of_error(error)] * len(lease.recipients)
        other = self._others.get(route.kind)
        if other is not None:
            named = replace(lease, destination=route.text)
            results: list[Result] = await other.send(named, content)
            return results
        parcel = await Parcel.unpack(lease, content)
        parcel.set_aside_malformed()
        if parcel.pending:
            await self._send(parcel, route)
        return parcel.results

    async def stop(self) -> None:
        """See ``IWayOut``."""
        await self._sessions.stop()
        for each in self._others.values():
            await each.stop()

    async def _send(self, parcel: Parcel, route: Route) -> None:
        try:
            match route.kind:
                case "mx":
                    await self._by_mx.send(parcel)
                case "smtp" | "lmtp":
                    await self._by_route.send(parcel, route)
                case _:
                    fault = LocalFault(f"this server has no way {route.kind!r}")
                    parcel.settle_all(result_of_error(fault))
        except MailError as error:
            parcel.settle_all(result_of_error(error))
        except Exception:
            if not parcel.has_results:
                raise
            # Somebody has it already, and must not get it again.
            self.log.failure("{id} failed", id=parcel.lease.message.queue_id)
            fault = LocalFault("a fault of this server")
            parcel.settle_all(result_of_error(fault))
