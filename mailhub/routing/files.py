"""The classic files as a source of a router."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import Any

from ..errors import LocalFault
from ..tables.actions import parse_action
from ..tables.aliases import Aliases, parse_aliases
from ..tables.canonical import Canonical, parse_canonical
from ..tables.domains import Names, parse_names
from ..tables.forward import MAX_INCLUDE, parse_forward
from ..tables.lines import Entry
from ..tables.transport import Transport, parse_transport
from ..tables.virtual import Virtual, has_pattern, parse_virtual
from ..watched.homes import Homes
from ..watched.places import Places
from ..watched.shelf import InThread, Kept, Shelf
from .sources import Rule

#: ``:include:`` files that are looked after.
MAX_INCLUDES = 1_000
#: A target that is only a name.
_BARE = re.compile(r'\\?(?:"(?:[^"\\]|\\.)*"|[^\s@:|/"\\]+)')


class ClassicFiles:
    """Aliases, virtual users, local and relay domains, canonical maps, ``.forward``.

    Provides :class:`mailhub.routing.sources.Source`.  *Own* domains are those in
    local-host-names and *origin*, or, where neither is told, all that are no virtual
    domains: in these, names without a domain hold.  What is not found in an own domain
    is looked for in *origin*, whose users are users of all of them.

    :param shelf: keeps the files.
    :param programs: whether aliases may start programs.
    """

    def __init__(
        self,
        shelf: Shelf,
        places: Places,
        clock: Any,
        in_thread: InThread,
        *,
        separator: str = "+",
        programs: bool = False,
    ) -> None:
        self._shelf = shelf
        self._origin = places.origin
        self._separator = separator
        aliases = partial(parse_aliases, programs=programs)
        canonical = partial(parse_canonical, origin=places.origin)
        keep = shelf.keep
        self._aliases: list[Kept[Aliases]] = [
            keep(path, aliases) for path in places.aliases
        ]
        self._virtual: list[Kept[Virtual]] = [
            keep(path, parse_virtual) for path in places.virtusertable
        ]
        self._hosts: list[Kept[Names]] = [
            keep(path, parse_names) for path in places.local_host_names
        ]
        self._relays: list[Kept[Names]] = [
            keep(path, parse_names) for path in places.relay_domains
        ]
        both = [keep(path, canonical) for path in places.canonical]
        self._senders: list[Kept[Canonical]] = [
            *(keep(path, canonical) for path in places.sender_canonical), *both
        ]
        self._recipients: list[Kept[Canonical]] = [
            *(keep(path, canonical) for path in places.recipient_canonical), *both
        ]
        self._transports: list[Kept[Transport]] = [
            keep(path, parse_transport) for path in places.transport
        ]
        self._includes = Shelf(clock, in_thread, most=MAX_INCLUDES)
        self._homes: Homes | None = None
        if places.forward and places.origin:
            self._homes = Homes(clock, in_thread, places.forward)

    def version(self) -> int | None:
        """See :class:`mailhub.routing.sources.Source`."""
        parts = [self._shelf.version(), self._includes.version()]
        if self._homes is not None:
            parts.append(self._homes.version())
        # Each of them only grows, so that another sum means a change.
        return None if None in parts else sum(map(int, filter(None, parts)))

    def look_again(self) -> None:
        """Look at all of the files at once (SIGHUP)."""
        self._shelf.look_again()
        self._includes.look_again()
        if self._homes is not None:
            self._homes.look_again()

    def aliases(self) -> list[Aliases]:
        """What the alias files have, as far as they have been read.

        :raises LocalFault: one was never right.
        """
        return [kept.now() for kept in self._aliases]

    async def is_local_domain(self, domain: str) -> bool:
        """Whether local-host-names has it, or it is a virtual domain."""
        if domain == self._origin != "":
            return True
        for names in self._hosts:
            if domain in await self._shelf.value(names):
                return True
        return await self._is_virtual(domain)

    async def is_relay_domain(self, domain: str) -> bool:
        """Whether relay-domains has it, or one above it."""
        for names in self._relays:
            if (await self._shelf.value(names)).covers(domain):
                return True
        return False

    async def find_alias(self, address: str) -> Rule | None:
        """Of virtual users, then of aliases; ``@domain`` of an own domain leads to
        the users of the origin."""
        local, _, domain = address.rpartition("@")
        for kept in self._virtual:
            virtual = await self._shelf.value(kept)
            entry = virtual.find(address, self._separator)
            if entry is not None:
                return self._rule(entry, virtual.path, has_pattern(entry))
        if not local:
            return await self._elsewhere(domain)
        is_own = await self._is_own(domain)
        if is_own:
            for kept in self._virtual:
                virtual = await self._shelf.value(kept)
                entry = virtual.user(local)
                if entry is not None:
                    return self._rule(entry, virtual.path)
        for source in self._aliases:
            aliases = await self._shelf.value(source)
            entry = aliases.find(address)
            if entry is None and is_own:
                entry = aliases.find(local)
            if entry is not None:
                return self._rule(entry, aliases.path)
        return None

    async def find_forward(self, account: str) -> Rule | None:
        """Of a user of this machine, whose account is in the origin."""
        user, _, domain = account.rpartition("@")
        if self._homes is None or domain != self._origin:
            return None
        forward = await self._homes.find(user)
        if forward is None or forward.entry is None:
            return None
        return self._rule(forward.entry, forward.path)

    async def include(self, path: str) -> Rule:
        """Addresses in a file; programs in one are not started, whoever allows them.

        :raises LocalFault: it cannot be read, or others can write it.
        """
        if not os.path.isabs(path):
            raise LocalFault(f"{path}: expected a path that begins with /")
        kept = self._includes.find(path)
        if kept is None:
            parse = partial(parse_forward, most=MAX_INCLUDE)
            kept = self._includes.keep(path, parse, most=MAX_INCLUDE)
        entry = (await self._includes.value(kept)).entry
        if entry is None:
            return Rule((), path)
        if any(target.startswith("|") for target in entry.targets):
            raise LocalFault(f"{path}: programs are not allowed in lists")
        return self._rule(entry, path)

    async def way(self, address: str) -> str | None:
        """Of a transport map.

        :raises Refused: that says ``error:``.
        """
        for kept in self._transports:
            transport = await self._shelf.value(kept)
            way = transport.find(address)
            if way is None:
                continue
            if way.refusal is not None:
                origin = f"{transport.path}:{way.line}"
                raise parse_action(f"REJECT {way.refusal}", origin).refusal()
            return way.destination or None
        return None

    @property
    def rewrites_senders(self) -> bool:
        """Whether there are such files."""
        return bool(self._senders)

    async def sender(self, address: str) -> str | None:
        """After sender_canonical and canonical."""
        return await self._canonical(self._senders, address)

    async def recipient(self, address: str) -> str | None:
        """After recipient_canonical and canonical."""
        return await self._canonical(self._recipients, address)

    async def _canonical(self, maps: list[Kept[Canonical]], address: str) -> str | None:
        now = address
        for kept in maps:
            canonical = await self._shelf.value(kept)
            is_own = await self._is_own(now.rpartition("@")[2])
            now = (canonical.find(now.lower(), is_own=is_own)) or now
        return None if now == address else now

    async def _elsewhere(self, domain: str) -> Rule | None:
        """Where the users of another own domain are."""
        if domain == self._origin or not self._origin:
            return None
        for kept in self._hosts:
            names = await self._shelf.value(kept)
            line = names.lines.get(domain)
            if line is not None:
                return Rule((f"@{self._origin}",), f"{names.path}:{line}")
        return None

    async def _is_own(self, domain: str) -> bool:
        if domain == self._origin != "":
            return True
        for kept in self._hosts:
            if domain in await self._shelf.value(kept):
                return True
        told = self._hosts or self._origin
        return not told and not await self._is_virtual(domain)

    async def _is_virtual(self, domain: str) -> bool:
        for kept in self._virtual:
            if domain in (await self._shelf.value(kept)).domains:
                return True
        return False

    def _rule(self, entry: Entry, path: str, in_pattern: bool = False) -> Rule:
        targets = entry.targets
        if self._origin:
            targets = tuple(
                f"{each}@{self._origin}" if _BARE.fullmatch(each) else each
                for each in targets
            )
        return Rule(targets, f"{path}:{entry.line}", in_pattern)
