"""Which way mail takes: by its destination, by its sender, or the usual one."""

from __future__ import annotations

from collections.abc import Iterable

from ..config.settings import Outbound
from ..mail.routes import BY_MX, Route, is_way, parse_route

#: Stands before a sender, or a sender's domain, in a rule.
FROM = "from:"
ANY = "*"


class Routes:
    """Rules, the closest of which counts.

    That is, in this order: the destination's own, that of the domains above it, the
    sender's own, that of the sender's domain, the one for all.

    :param rules: pairs of whom it is for and the way: ``example.com``,
        ``.example.com`` (what is below it), ``from:jo@example.com``,
        ``from:example.com``, or ``*``; in lower case.
    """

    def __init__(self, rules: Iterable[tuple[str, Route]] = ()) -> None:
        self._rules = dict(rules)

    def find(self, destination: str, sender: str) -> Route:
        """The way for a message.

        :param destination: of its recipients, as a queue has it.
        :raises mailhub.mail.routes.MalformedRoute: the destination names a way that
            cannot be understood.
        """
        if is_way(destination):
            return parse_route(destination)
        rules = self._rules
        if not rules:
            return BY_MX
        route = rules.get(destination)
        parent = destination
        while route is None and parent:
            _, _, parent = parent.partition(".")
            route = rules.get("." + parent) if parent else None
        return route or self._of_sender(sender.lower()) or rules.get(ANY, BY_MX)

    def _of_sender(self, sender: str) -> Route | None:
        if not sender:
            return None
        _, _, domain = sender.rpartition("@")
        return self._rules.get(FROM + sender) or self._rules.get(FROM + domain)


def routes_of(settings: Outbound) -> Routes:
    """The rules of a configuration."""
    rules = {whom: parse_route(way) for whom, way in settings.routes}
    if settings.smarthost:
        rules.setdefault(ANY, parse_route(settings.smarthost))
    return Routes(rules.items())
