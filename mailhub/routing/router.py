"""Where mail for an address goes: to accounts here, elsewhere, or nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..errors import (
    MailError,
    NoRouteYet,
    Refused,
    RelayDenied,
    RoutingLoop,
    Status,
    UnknownRecipient,
)
from ..mail.account import Account, Alias
from ..mail.address import Address

#: Aliases of aliases, and addresses that one alias may lead to in all (attack:
#: alias loop, alias bomb).
MAX_DEPTH = 20
MAX_ADDRESSES = 1_000

#: Decisions that are kept: what strangers ask for must not fill the memory.
MAX_DECISIONS = 10_000

#: Names that people write to about a domain (RFC 2142; RFC 5321, section 4.5.1).
ROLES = frozenset({"postmaster", "abuse"})


class Outcome(Enum):
    """What a decision comes to."""

    LOCAL = "delivered here"
    ELSEWHERE = "another server's"
    UNKNOWN = "nobody here"
    DISABLED = "an account that takes no mail now"
    LOOP = "aliases without an end"
    NO_ROUTE = "an alias that leads elsewhere"


@dataclass(frozen=True, slots=True)
class Step:
    """One turn on the way: *address* was *found* to be this."""

    address: str
    found: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Where mail for *address* goes.

    :ivar accounts: each once, in the order they were found.
    :ivar remote: addresses elsewhere that aliases lead to, each once.
    :ivar steps: how the decision came about.
    """

    address: str
    outcome: Outcome
    accounts: tuple[Account, ...] = ()
    remote: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    def objection(self) -> MailError | None:
        """Why mail from elsewhere cannot go there, or ``None``."""
        match self.outcome:
            case Outcome.LOCAL:
                return None
            case Outcome.ELSEWHERE:
                return RelayDenied(f"{self.address} is not local")
            case Outcome.UNKNOWN:
                return UnknownRecipient(f"no {self.address}")
            case Outcome.DISABLED:
                # Not for good: the account may be back before the sender gives up.
                return Refused(
                    "Mailbox disabled", status=Status.MAILBOX_DISABLED, permanent=False
                )
            case Outcome.LOOP:
                return RoutingLoop(f"aliases of {self.address} never end")
            case Outcome.NO_ROUTE:
                return NoRouteYet(f"{self.address} leads to {self.remote[0]}")


class TooManyAddresses(Exception):
    """An expansion went over its limits."""


@dataclass(slots=True)
class _Walk:
    """What was found so far on the way from one address."""

    seen: set[str] = field(default_factory=set)
    path: list[str] = field(default_factory=list)
    accounts: dict[int, Account] = field(default_factory=dict)
    remote: dict[str, None] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    disabled: bool = False
    looped: bool = False

    def enter(self, address: str) -> None:
        # The address that mail came for is not one that it leads to.
        if len(self.seen) > MAX_ADDRESSES:
            raise TooManyAddresses
        self.seen.add(address)

    def leave(self, address: str) -> None:
        self.enter(address)
        self.remote[address] = None
        self.note(address, "elsewhere")

    def note(self, address: str, found: str) -> None:
        self.steps.append(Step(address, found))

    def take(self, address: str, account: Account) -> None:
        if not account.enabled:
            self.disabled = True
            self.note(address, "a disabled account")
            return
        self.accounts[account.account_id] = account
        self.note(address, f"account {account.address}")

    def decision(self, address: str) -> Decision:
        if self.remote:
            # Not even those who are here get it: a retry must not double it.
            outcome = Outcome.NO_ROUTE
        elif self.accounts:
            outcome = Outcome.LOCAL
        elif self.disabled:
            outcome = Outcome.DISABLED
        elif self.looped:
            outcome = Outcome.LOOP
        else:
            outcome = Outcome.UNKNOWN
        return Decision(
            address,
            outcome,
            tuple(self.accounts.values()),
            tuple(self.remote),
            tuple(self.steps),
        )


class Router:
    """Decides by the directory, for every protocol alike.

    The first that exists of these takes the mail: an alias of exactly that
    address, an account, either of them without the ``+tag``, the postmaster for
    ``postmaster@`` and ``abuse@``, the domain's catch-all alias ``@domain``, and
    for these two names at last the domain's first account, because postmaster
    must always be there (RFC 5321, section 4.5.1).  An alias that names its own
    address means the account of that address.

    :param directory: :class:`mailhub.interfaces.IDirectory`.
    :param host_names: names and ``[literals]`` of this machine itself; their
        addresses are those of the first local domain.  Other literals are
        elsewhere.
    :param postmaster: an address, or ``""``.
    :param separator: between a name and its tag; ``""`` turns tags off.
    """

    def __init__(
        self,
        directory: Any,
        *,
        host_names: Iterable[str] = (),
        postmaster: str = "",
        separator: str = "+",
    ) -> None:
        self.directory = directory
        self.host_names = frozenset(name.lower() for name in host_names)
        self.postmaster = postmaster.lower()
        self.separator = separator
        self._decisions: dict[Address, Decision] = {}
        self._version: int | None = None

    async def resolve(self, address: Address) -> Decision:
        """Where mail for *address* goes; the errors are the directory's.

        A decision stands until the directory changes.
        """
        version = self.directory.version()
        if version is None:
            return await self._decide(address)
        if version != self._version or len(self._decisions) >= MAX_DECISIONS:
            self._decisions = {}
            self._version = version
        decisions = self._decisions
        decision = decisions.get(address)
        if decision is None:
            # If the directory changes meanwhile, another call has put a new table
            # in the place of this one.
            decision = decisions[address] = await self._decide(address)
        return decision

    async def _decide(self, address: Address) -> Decision:
        local, domain = address.local.lower(), address.domain
        given = f"{local}@{domain}" if domain else local
        name = await self._localized(local, domain)
        if name is None:
            step = Step(given, "no local domain")
            return Decision(given, Outcome.ELSEWHERE, steps=(step,))
        walk = _Walk()
        try:
            await self._walk(name, walk, 0)
        except TooManyAddresses:
            walk.note(name, "more aliases than allowed")
            return Decision(given, Outcome.LOOP, steps=tuple(walk.steps))
        return walk.decision(given)

    async def _localized(self, local: str, domain: str) -> str | None:
        """The address in a local domain, or ``None`` if it is elsewhere's."""
        if await self.directory.is_local_domain(domain):
            return f"{local}@{domain}"
        if domain and domain not in self.host_names:
            return None
        domains: list[str] = await self.directory.domains()
        return f"{local}@{domains[0] if domains else ''}"

    async def _walk(self, address: str, walk: _Walk, depth: int) -> None:
        """Follow *address*, which is canonical and local, to its accounts."""
        if address in walk.seen:
            walk.looped = walk.looped or address in walk.path
            walk.note(address, "met before")
            return
        if depth > MAX_DEPTH:
            raise TooManyAddresses
        walk.enter(address)
        match await self._find(address):
            case Account() as account:
                walk.take(address, account)
            case Alias() as alias:
                walk.note(address, f"alias {alias.address}")
                walk.path.append(address)
                await self._follow(address, alias, walk, depth)
                walk.path.pop()
            case _:
                walk.note(address, "nobody")

    async def _follow(
        self, address: str, alias: Alias, walk: _Walk, depth: int
    ) -> None:
        for target in alias.targets:
            local, _, domain = target.lower().rpartition("@")
            name = await self._localized(local, domain)
            if name is None:
                walk.leave(f"{local}@{domain}")
            elif name != address:
                await self._walk(name, walk, depth + 1)
            elif account := await self.directory.find_account(name):
                walk.take(name, account)
            else:
                walk.looped = True
                walk.note(name, "its own alias")

    async def _find(self, address: str) -> Account | Alias | None:
        """What takes mail for *address*, whose domain is local."""
        local, _, domain = address.rpartition("@")
        found = await self._exactly(address)
        if found is None and self.separator:
            name, tag, _ = local.partition(self.separator)
            if tag and name:
                found = await self._exactly(f"{name}@{domain}")
                local = name
        if found is None and local in ROLES and self.postmaster:
            found = await self._exactly(self.postmaster)
        if found is None:
            found = await self.directory.find_alias(f"@{domain}")
        if found is None and local in ROLES:
            found = await self._first_account(domain)
        return found

    async def _exactly(self, address: str) -> Account | Alias | None:
        alias: Alias | None = await self.directory.find_alias(address)
        if alias is not None:
            return alias
        account: Account | None = await self.directory.find_account(address)
        return account

    async def _first_account(self, domain: str) -> Account | None:
        """Of the domain; of the whole server, where that has none."""
        accounts: list[Account] = await self.directory.accounts()
        here = [one for one in accounts if one.address.endswith(f"@{domain}")]
        return next(iter(here or accounts), None)
