"""The way to functions of the application that this server is a part of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from zope.interface import implementer

from ..errors import LocalFault, MailError
from ..interfaces import IWayOut
from ..mail.queued import Lease, Outcome, QueuedMessage, Result
from ..mail.routes import parse_route
from .results import result_of_error

#: Takes a message for a recipient: the message, the address, the ``IContent``.
#: Refusing is raising a ``MailError``, for good or not.
Function = Callable[[QueuedMessage, str, Any], Awaitable[object]]


@implementer(IWayOut)
class ByFunction:
    """Calls a function for each recipient.

    :param functions: by their names; may be changed at any time.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """See ``IWayOut``."""
        name = parse_route(lease.destination).name
        function = self._functions.get(name)
        if function is None:
            fault = LocalFault(f"no function {name!r} in this server")
            return [result_of_error(fault)] * len(lease.recipients)
        results = []
        for each in lease.recipients:
            try:
                await function(lease.message, each.recipient, content)
            except MailError as error:
                results.append(result_of_error(error))
            else:
                text = f"taken by the function {name}"
                results.append(Result(Outcome.DELIVERED, "2.0.0", text))
        return results

    async def stop(self) -> None:
        """Nothing is open."""
