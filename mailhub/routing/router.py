"""Where mail for an address goes: to accounts here, elsewhere, or nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..mail.address import Address, ascii_domain, format_mailbox
from .decision import Decision, Departure, Outcome, Step
from .expansion import Customs, Expansion
from .lookups import Domains, Lookups
from .rewriting import Rewriting
from .sources import Source
from .srs import SRS, NotOurs

#: Decisions that are kept, and places that they lead to in all: what strangers ask
#: for must not fill the memory.
MAX_DECISIONS = 10_000
MAX_PLACES = 100_000
#: From so many places on, one decision serves an address with every tag.
MANY = 16


class Router:
    """Decides by the directory and the sources, for every protocol alike.

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
    :param sources: who is asked where the directory knows nothing.
    :param relay_domains: where strangers may send to through here, in A-labels;
        ``.domain`` for those below it.
    :param recipients: what recipients' addresses become before anything else.
    :param senders: what senders' addresses become.
    :param in_headers: whether they become so in headers, too.
    :param srs: signs the senders of what is forwarded; ``None`` leaves them.
    :param now: seconds since the epoch.
    """

    def __init__(
        self,
        directory: Any,
        *,
        host_names: Iterable[str] = (),
        postmaster: str = "",
        separator: str = "+",
        sources: Sequence[Source] = (),
        relay_domains: Iterable[str] = (),
        recipients: Rewriting | None = None,
        senders: Rewriting | None = None,
        in_headers: bool = True,
        srs: SRS | None = None,
        customs: Customs | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.lookups = Lookups(
            directory,
            sources,
            host_names=host_names,
            postmaster=postmaster.lower(),
            separator=separator,
        )
        self._relay_domains = Domains(relay_domains)
        self._recipients = recipients or Rewriting()
        self._senders = senders or Rewriting()
        self._srs = srs
        self._customs = customs or Customs()
        self._now = now
        self._sources = tuple(sources)
        self._in_headers = in_headers
        self._decisions: dict[Address, Decision] = {}
        self._places = 0
        self._version: object = None

    async def resolve(self, address: Address) -> Decision:
        """Where mail for *address* goes; the errors are the directory's.

        A decision stands until the directory or a source changes.
        """
        version = self.lookups.version()
        if version is None:
            return await self._decide(address)
        if (
            version != self._version
            or len(self._decisions) >= MAX_DECISIONS
            or self._places >= MAX_PLACES
        ):
            self._decisions = {}
            self._places = 0
            self._version = version
        decisions = self._decisions
        decision = decisions.get(address)
        if decision is None:
            decision = await self._decide(address)
            if decision.lasts:
                # If the directory changes meanwhile, another call has put a new
                # table in the place of this one.
                decisions[address] = decision
                self._places += decision.places
        return decision

    async def relays(self, domain: str) -> bool:
        """Whether strangers may send to *domain* through here."""
        return ascii_domain(domain) in self._relay_domains or (
            await self.lookups.is_relay_domain(domain)
        )

    @property
    def rewrites_headers(self) -> bool:
        """Whether senders in the headers of mail that is submitted may be others."""
        return self._in_headers and self._rewrites_senders

    @property
    def _rewrites_senders(self) -> bool:
        return bool(self._senders) or any(
            source.rewrites_senders for source in self._sources
        )

    async def sender(self, address: Address) -> Address:
        """What a sender's *address* becomes (canonical maps, masquerading)."""
        if not self._rewrites_senders:
            return address
        return await self.lookups.sender(address, self._senders)

    async def forwarder(self, sender: Address, departure: Departure) -> str:
        """The address for MAIL when mail of *sender* leaves as *departure* says.

        Bounces of what a list or a forward sent on come back to here.  Programs and
        mailboxes beside this server, which no SPF is asked for, see who has sent it.
        """
        if departure.owner is not None:
            return departure.owner
        is_beside = departure.destination.startswith(_BESIDE)
        if not departure.via or is_beside or self._srs is None:
            return format_mailbox(sender).decode()
        if await self.lookups.localized(sender.local.lower(), sender.domain):
            return format_mailbox(sender).decode()
        domain = departure.via[0].rpartition("@")[2]
        signed = self._srs.sign(sender, domain, self._now())
        return format_mailbox(signed).decode()

    async def _decide(self, address: Address) -> Decision:
        given = str(address).lower()
        rewritten = await self.lookups.recipient(address, self._recipients)
        steps: tuple[Step, ...] = ()
        if rewritten != address:
            steps = (Step(given, f"rewritten to {rewritten}"),)
        decision = await self._decide_on(given, rewritten)
        return replace(decision, steps=steps + decision.steps) if steps else decision

    async def _decide_on(self, given: str, address: Address) -> Decision:
        name = await self.lookups.localized(address.local.lower(), address.domain)
        if name is None:
            return await self._elsewhere(given, address)
        if self._srs is not None and self._srs.is_signed(address.local):
            return await self._back(given, address, self._srs)
        base = await self.lookups.without_tag(name)
        if base is not None and self._version is not None:
            local, _, domain = base.rpartition("@")
            there = await self.resolve(Address(local, domain))
            if there.places > MANY and there.lasts:
                # Attack: a long list, with another tag each time.
                return replace(there, address=given)
        expansion = Expansion(self.lookups, self._customs)
        return await expansion.decide(given, address, name)

    async def _elsewhere(self, given: str, address: Address) -> Decision:
        recipient = format_mailbox(address).decode()
        destination = await self.lookups.destination(recipient, address.domain)
        departure = Departure(recipient, destination)
        outcome, found = Outcome.ELSEWHERE, "no local domain"
        if await self.relays(address.domain):
            outcome, found = Outcome.RELAY, "a relay domain"
        return Decision(
            given, outcome, departures=(departure,), steps=(Step(given, found),)
        )

    async def _back(self, given: str, address: Address, srs: SRS) -> Decision:
        """To whom a bounce of what was forwarded goes."""
        try:
            sender = srs.undo(address, self._now())
        except NotOurs as error:
            step = Step(given, str(error))
            return Decision(given, Outcome.UNKNOWN, lasts=False, steps=(step,))
        step = Step(given, f"signed here for {sender}")
        there = await self._decide_on(str(sender).lower(), sender)
        if there.outcome in _GOES_OUT:
            there = replace(there, outcome=Outcome.BOUNCE)
        return replace(
            there, address=given, lasts=False, steps=(step, *there.steps)
        )


#: How destinations begin that are no other organisation's servers.
_BESIDE = ("lmtp:", "function:", "http:", "program:")
_GOES_OUT = frozenset({Outcome.LOCAL, Outcome.RELAY, Outcome.ELSEWHERE})
