"""One answer of the directory and the sources together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..mail.account import Account
from ..mail.address import Address, ascii_domain
from ..powers import IForwards
from .decision import Misrouted
from .rewriting import Rewriting
from .sources import Rule, Source

#: Names that people write to about a domain (RFC 2142; RFC 5321, section 4.5.1).
ROLES = frozenset({"postmaster", "abuse"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Who takes mail for an address.

    :ivar what: an account, or a rule that leads to others.
    :ivar key: the address that it was found as.
    :ivar tag: what stood behind the separator, if that was not looked at.
    """

    what: Account | Rule
    key: str
    tag: str = ""


class Domains:
    """Names of domains, and of all below them (``.example.org``).

    :param names: lower case.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)

    def __contains__(self, domain: str) -> bool:
        if not self._names or domain in self._names:
            return domain in self._names
        above = domain
        while "." in above:
            above = above.partition(".")[2]
            if f".{above}" in self._names:
                return True
        return False


class Lookups:
    """What a router asks: first the directory, then each of the sources.

    :param directory: :class:`mailhub.interfaces.IDirectory`; it is asked for forwards
        where it provides :class:`mailhub.powers.IForwards`.
    :param host_names: names and ``[literals]`` of this machine itself.
    :param postmaster: an address in lower case, or ``""``.
    :param separator: between a name and its tag; ``""`` turns tags off.
    """

    def __init__(
        self,
        directory: Any,
        sources: Sequence[Source],
        *,
        host_names: Iterable[str],
        postmaster: str,
        separator: str,
    ) -> None:
        self.separator = separator
        self._directory = directory
        self._sources = tuple(sources)
        self._forwards = directory if IForwards.providedBy(directory) else None
        self._host_names = frozenset(name.lower() for name in host_names)
        self._postmaster = postmaster

    def version(self) -> object:
        """Another value after each change of what is answered; ``None``: not known."""
        version = self._directory.version()
        if version is None or not self._sources:
            return version
        versions = (version, *[source.version() for source in self._sources])
        return None if None in versions else versions

    async def localized(self, local: str, domain: str) -> str | None:
        """The address in a local domain, or ``None`` if it is elsewhere's.

        Addresses of the machine itself are those of the first local domain.
        """
        if await self._is_local(domain):
            return f"{local}@{domain}"
        if domain and domain not in self._host_names:
            return None
        domains: list[str] = await self._directory.domains()
        return f"{local}@{domains[0] if domains else ''}"

    async def _is_local(self, domain: str) -> bool:
        if await self._directory.is_local_domain(domain):
            return True
        for source in self._sources:
            if await source.is_local_domain(domain):
                return True
        return False

    async def is_relay_domain(self, domain: str) -> bool:
        """Whether a source says that everybody may send there."""
        for source in self._sources:
            if await source.is_relay_domain(domain):
                return True
        return False

    async def destination(self, recipient: str, domain: str) -> str:
        """Where mail for *recipient*, in a domain elsewhere, leaves for.

        :raises mailhub.errors.Refused: it does not leave.
        """
        for source in self._sources:
            way = await source.way(recipient.lower())
            if way is not None:
                return way
        return ascii_domain(domain)

    async def find(self, address: str) -> Finding | None:
        """Who takes mail for *address*, whose domain is local."""
        local, _, domain = address.rpartition("@")
        found = await self.exactly(address)
        name, tag = local, ""
        if found is None and self.separator:
            name, _, tag = local.partition(self.separator)
            if tag and name:
                found = await self.exactly(f"{name}@{domain}", tag)
            else:
                name, tag = local, ""
        if found is None and name in ROLES and self._postmaster:
            found = await self.exactly(self._postmaster)
        if found is None and (rule := await self._rule(f"@{domain}")) is not None:
            found = Finding(rule, f"@{domain}", tag)
        if found is None and name in ROLES:
            found = await self._first_account(domain)
        return found

    async def without_tag(self, address: str) -> str | None:
        """*address* without its tag, if that is what leads to others, whatever the
        tag."""
        local, _, domain = address.rpartition("@")
        if not self.separator or self.separator not in local[1:-1]:
            return None
        name = local.partition(self.separator)[0]
        base = f"{name}@{domain}"
        rule = await self._rule(base)
        if rule is None or rule.in_pattern or await self.exactly(address) is not None:
            return None
        return base

    async def exactly(self, address: str, tag: str = "") -> Finding | None:
        """The rule or the account of *address* itself."""
        what = await self._rule(address) or await self.account(address)
        return None if what is None else Finding(what, address, tag)

    async def account(self, address: str) -> Account | None:
        """The account of *address* itself."""
        account: Account | None = await self._directory.find_account(address)
        return account

    async def _rule(self, address: str) -> Rule | None:
        alias = await self._directory.find_alias(address)
        if alias is not None:
            return Rule(alias.targets, f"alias {alias.address}")
        for source in self._sources:
            rule = await source.find_alias(address)
            if rule is not None:
                return rule
        return None

    async def _first_account(self, domain: str) -> Finding | None:
        """Of the domain; of the whole server, where that has none."""
        accounts: list[Account] = await self._directory.accounts()
        here = [one for one in accounts if one.address.endswith(f"@{domain}")]
        for account in here or accounts:
            return Finding(account, account.address)
        return None

    async def forward(self, account: str) -> Rule | None:
        r"""Where the user of *account* has mail sent on; ``\user`` keeps a copy."""
        if self._forwards is not None:
            forward = await self._forwards.find_forward(account)
            if forward is not None:
                kept = (f"\\{account}",) if forward.keeps else ()
                return Rule((*kept, *forward.targets), f"forward of {account}")
        for source in self._sources:
            rule = await source.find_forward(account)
            if rule is not None:
                return rule
        return None

    async def include(self, path: str) -> Rule:
        """The targets in a file.

        :raises Misrouted: nobody reads files here.
        :raises LocalFault: it cannot be read.
        """
        for source in self._sources:
            return await source.include(path)
        raise Misrouted(f"nobody reads {path}")

    async def recipient(self, address: Address, rewriting: Rewriting) -> Address:
        """What *address* is as a recipient's, after canonical maps."""
        for source in self._sources:
            new = await source.recipient(str(address).lower())
            if new is not None:
                address = _split(new)
                break
        return rewriting(address)

    async def sender(self, address: Address, rewriting: Rewriting) -> Address:
        """What *address* is as a sender's, after canonical maps and masquerading."""
        for source in self._sources:
            new = await source.sender(str(address).lower())
            if new is not None:
                address = _split(new)
                break
        return rewriting(address)

    @property
    def has_sources(self) -> bool:
        """Whether anybody but the directory is asked."""
        return bool(self._sources)


def _split(address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(local, domain.lower())
