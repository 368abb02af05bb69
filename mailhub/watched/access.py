"""Access tables in files, as :class:`mailhub.policy.access.AccessCheck` asks them."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import Protocol

from ..mail.address import Address
from ..tables.access import Access, parse_access
from ..tables.actions import Action, What
from ..tables.domains import Names, parse_names
from ..tables.networks import Networks, parse_host
from .places import AccessPlace
from .shelf import Kept, Shelf


class Client(Protocol):
    """A peer, as far as files ask for it: :class:`mailhub.policy.names.PeerNames`."""

    @property
    def host(self) -> str:
        """Its IP address."""

    @property
    def is_local(self) -> bool:
        """Whether its names are known without a question."""

    def names(self) -> Awaitable[Sequence[str]]:
        """What it is called."""


class AccessFiles:
    """What access tables and relay-domains say of peers and addresses.

    The first file that knows an answer counts.

    :param shelf: keeps the files.
    :param relay_domains: files with networks whose hosts may send everywhere; the
        domains in them are another's matter.
    """

    def __init__(
        self,
        shelf: Shelf,
        places: Iterable[AccessPlace],
        relay_domains: Iterable[str] = (),
    ) -> None:
        self._shelf = shelf
        self._access: list[Kept[Access]] = [
            shelf.keep(place.path, partial(parse_access, about=place.about))
            for place in places
        ]
        self._relays: list[Kept[Names]] = [
            shelf.keep(path, parse_names) for path in relay_domains
        ]
        self._networks: tuple[int | None, Networks[Action]] = (-1, Networks())

    async def client(self, client: Client) -> Action | None:
        """What is to be done with a peer.

        In each file its names come before its address, as in Sendmail and in Postfix.
        They are asked for only where a file has names of hosts.

        :raises mailhub.errors.LocalFault: a file cannot be followed; likewise below.
        """
        for kept in self._access:
            access = await self._shelf.value(kept)
            if access.minds_names or client.is_local:
                for name in await client.names():
                    action = access.host(name)
                    if action is not None:
                        return action
            action = access.client(client.host)
            if action is not None:
                return action
        return await self._relayed(client.host) if self._relays else None

    async def lets_names_relay(self) -> bool:
        """Whether the name of a peer may let it send everywhere."""
        for kept in self._access:
            if (await self._shelf.value(kept)).lets_names_relay:
                return True
        return False

    async def sender(self, address: Address | None) -> Action | None:
        """What is to be done with mail of *address*."""
        for kept in self._access:
            action = (await self._shelf.value(kept)).sender(address)
            if action is not None:
                return action
        return None

    async def recipient(self, address: Address) -> Action | None:
        """What is to be done with mail for *address*."""
        for kept in self._access:
            action = (await self._shelf.value(kept)).recipient(address)
            if action is not None:
                return action
        return None

    async def _relayed(self, host: str) -> Action | None:
        lists = [await self._shelf.value(kept) for kept in self._relays]
        version = self._shelf.version()
        if version is None or version != self._networks[0]:
            self._networks = version, _relaying(lists)
        address = parse_host(host)
        found = None if address is None else next(self._networks[1].find(address), None)
        return None if found is None else found[1]


def _relaying(lists: Iterable[Names]) -> Networks[Action]:
    networks: Networks[Action] = Networks()
    for names in lists:
        for network, line in names.networks.items():
            networks.add(network, Action(What.RELAY, origin=f"{names.path}:{line}"))
    return networks
