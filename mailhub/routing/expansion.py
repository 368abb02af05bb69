"""From one address here to all that its mail goes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import LocalFault, MailError, Refused
from ..mail.account import Account, Target
from ..mail.address import Address, format_mailbox
from ..mail.mailbox import INBOX, canonical_name
from .decision import Decision, Departure, Outcome, Step
from .lookups import Finding, Lookups
from .sources import Rule
from .targets import (
    Deny,
    Discard,
    Domain,
    Folder,
    Hold,
    Include,
    Lead,
    Mail,
    MalformedTarget,
    Program,
    Way,
    parse_target,
)

#: Aliases of aliases, and addresses that one alias may lead to in all (attack:
#: alias loop, alias bomb).
MAX_DEPTH = 20
MAX_ADDRESSES = 1_000

#: Before the name of a list: who gets what bounces, and is its sender.
OWNER = "owner-"


@dataclass(frozen=True, slots=True)
class Customs:
    """What expansions may do.

    :ivar addresses: that one address may lead to.
    :ivar depth: of rules behind rules.
    :ivar programs: whether aliases may start programs.
    :ivar tag_is_mailbox: ``user+name`` is the mailbox of that name, if there is one.
    """

    addresses: int = MAX_ADDRESSES
    depth: int = MAX_DEPTH
    programs: bool = False
    tag_is_mailbox: bool = False


class TooManyAddresses(Exception):
    """An expansion went over its limits."""


@dataclass(slots=True)
class _Found:
    """What was found so far."""

    targets: dict[Target, None] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    departures: dict[tuple[str, str], Departure] = field(default_factory=dict)
    owners: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    refusal: Refused | None = None
    hold: str = ""
    discarded: bool = False
    disabled: bool = False
    looped: bool = False
    broken: Step | None = None

    def outcome(self) -> Outcome:
        """What all of it comes to."""
        if self.targets or self.departures or self.discarded:
            return Outcome.LOCAL
        if self.refusal is not None:
            return Outcome.REFUSED
        if self.broken is not None:
            return Outcome.BROKEN
        if self.disabled:
            return Outcome.DISABLED
        return Outcome.LOOP if self.looped else Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class _Place:
    """Where on its way an expansion is.

    :ivar path: addresses whose rules and forwards were followed so far.
    :ivar owner: of the list that was met last.
    :ivar is_forward: whether a user's forward is on the way.
    :ivar tag: behind the name that the last rule was found for.
    :ivar by_user: whether a user has written the rule that is followed now.
    """

    path: tuple[str, ...] = ()
    owner: str | None = None
    is_forward: bool = False
    tag: str = ""
    by_user: bool = False


class Expansion:
    """One walk from an address to accounts, addresses elsewhere, and other ways.

    :param lookups: who is asked.
    """

    def __init__(self, lookups: Lookups, customs: Customs) -> None:
        self._lookups = lookups
        self._customs = customs
        self._found = _Found()
        self._seen: set[str] = set()

    async def decide(self, given: str, address: Address, name: str) -> Decision:
        """Where mail for *address* goes, whose domain is local.

        :param given: what the decision is called by.
        :param name: *address* in its canonical form.
        :raises LocalFault: who was asked cannot tell now.
        """
        found = self._found
        try:
            await self._walk(name, Mail(address.local, address.domain), _Place(), 0)
        except TooManyAddresses:
            self._note(name, "more aliases than allowed")
            return Decision(given, Outcome.LOOP, steps=tuple(found.steps))
        return Decision(
            given,
            found.outcome(),
            tuple(found.targets),
            tuple(found.accounts.values()),
            tuple(found.departures.values()),
            frozenset(found.owners),
            found.refusal,
            found.hold,
            steps=self._steps(),
        )

    def _steps(self) -> tuple[Step, ...]:
        """The last is the one that a person has to mend, if there is one."""
        steps, broken = self._found.steps, self._found.broken
        if broken is not None:
            steps = [*(step for step in steps if step is not broken), broken]
        return tuple(steps)

    def _note(self, address: str, found: str) -> Step:
        step = Step(address, found)
        self._found.steps.append(step)
        return step

    def _enter(self, name: str) -> None:
        # The address that mail came for is not one that it leads to.
        if len(self._seen) > self._customs.addresses:
            raise TooManyAddresses
        self._seen.add(name)

    async def _walk(self, name: str, mail: Mail, place: _Place, depth: int) -> None:
        """Follow *name*, which is canonical and local, to where it leads.

        :param mail: the same in its own spelling.
        """
        if name in self._seen:
            self._found.looped = self._found.looped or name in place.path
            self._note(name, "met before")
            return
        if depth > self._customs.depth:
            raise TooManyAddresses
        self._enter(name)
        match await self._lookups.find(name):
            case Finding(Account() as account, _, tag):
                self._note(name, f"account {account.address}")
                folder = self._folder(self._spelled(mail, tag))
                await self._arrive(account, folder, place, depth)
            case Finding(Rule() as rule, key, tag):
                self._note(name, rule.origin)
                owner = await self._owner(key, place)
                tag = self._spelled(mail, tag)
                place = _Place((*place.path, name), owner, place.is_forward, tag)
                await self._follow(name, mail, rule, place, depth)
            case _:
                self._note(name, "nobody")

    async def _owner(self, key: str, place: _Place) -> str | None:
        """Who is the sender of what a list sends on (RFC 5321, section 3.9.2)."""
        if key.startswith(("@", OWNER)):
            return place.owner
        owner = OWNER + key
        if await self._lookups.exactly(owner) is None:
            return place.owner
        self._note(owner, "gets what bounces")
        return _written(*owner.rsplit("@", 1))

    async def _follow(
        self, name: str, mail: Mail, rule: Rule, place: _Place, depth: int
    ) -> None:
        """Follow all targets of a rule that was found for *name*."""
        for text in rule.targets:
            try:
                lead = parse_target(text, name.rpartition("@")[2])
                await self._lead(name, mail, lead, rule, place, depth)
            except MalformedTarget as error:
                self._break(text, str(error))

    def _break(self, address: str, why: str) -> None:
        self._found.broken = self._note(address, why)

    async def _lead(
        self, name: str, mail: Mail, lead: Lead, rule: Rule, place: _Place, depth: int
    ) -> None:
        """Go where one target leads."""
        found = self._found
        match lead:
            case Mail():
                if rule.in_pattern:
                    lead = self._filled(lead, mail)
                await self._mail(name, lead, place, depth)
            case Domain(domain):
                await self._mail(name, Mail(mail.local, domain), place, depth)
            case Include(path):
                await self._include(name, mail, path, place, depth)
            case Folder(address, mailbox):
                await self._take_folder(address, mailbox, place)
            case Way(destination):
                self._divert(mail, destination, place)
            case Program(command):
                self._start(mail, command, place)
            case Hold(reason):
                found.hold = found.hold or reason
                self._note(name, f"held: {reason}")
            case Discard():
                found.discarded = True
                self._note(name, "thrown away")
            case Deny(refusal):
                found.refusal = found.refusal or refusal
                self._note(name, f"refused: {refusal.text}")

    def _filled(self, lead: Mail, mail: Mail) -> Mail:
        separator = self._lookups.separator
        if not separator:
            return lead.filled(mail.local, "", "")
        local, _, tag = mail.local.partition(separator)
        return lead.filled(local, tag, separator)

    async def _mail(self, name: str, mail: Mail, place: _Place, depth: int) -> None:
        """Go on to another address, or arrive at the account of this one."""
        local = mail.local.lower()
        there = await self._lookups.localized(local, mail.domain)
        if there is None:
            await self._elsewhere(mail, place)
        elif not mail.exact and there != name:
            await self._walk(there, mail, place, depth + 1)
        elif account := await self._lookups.account(there):
            self._note(there, f"account {account.address}")
            folder = self._folder(place.tag)
            if mail.exact or place.is_forward:
                self._take(account, folder, place)
            else:
                await self._arrive(account, folder, place, depth)
        elif mail.exact:
            self._note(there, "nobody")
        else:
            self._found.looped = True
            self._note(there, "its own alias")

    async def _include(
        self, name: str, mail: Mail, path: str, place: _Place, depth: int
    ) -> None:
        text = f":include:{path}"
        if text in self._seen:
            self._note(text, "met before")
            return
        if depth >= self._customs.depth:
            raise TooManyAddresses
        self._enter(text)
        try:
            rule = await self._lookups.include(path)
        except LocalFault as error:
            self._break(text, str(error))
            return
        self._note(text, rule.origin)
        await self._follow(name, mail, rule, place, depth + 1)

    async def _arrive(
        self, account: Account, folder: str, place: _Place, depth: int
    ) -> None:
        """Deliver to an account, or where its user wants mail sent on."""
        if account.enabled and not place.is_forward:
            self._found.owners.add(account.address)
        rule = await self._lookups.forward(account.address)
        if rule is None:
            self._take(account, folder, place)
            return
        self._note(account.address, rule.origin)
        local, _, domain = account.address.rpartition("@")
        path = (*place.path, account.address)
        inner = _Place(path, place.owner, True, place.tag, by_user=True)
        mail = Mail(local, domain)
        await self._follow(account.address, mail, rule, inner, depth)

    def _take(self, account: Account, folder: str, place: _Place) -> None:
        if not account.enabled:
            self._found.disabled = True
            self._note(account.address, "a disabled account")
            return
        if not place.is_forward:
            self._found.owners.add(account.address)
        self._found.accounts[account.account_id] = account
        self._found.targets[Target(account.account_id, folder)] = None
        self._check_places()

    async def _take_folder(self, address: str, mailbox: str, place: _Place) -> None:
        account = await self._lookups.account(address)
        if account is None:
            self._note(address, "nobody")
            return
        self._note(address, f"mailbox {mailbox}")
        self._take(account, mailbox, place)

    def _spelled(self, mail: Mail, tag: str) -> str:
        """A tag as it was given: names of mailboxes have capitals."""
        return tag and mail.local.partition(self._lookups.separator)[2]

    def _folder(self, tag: str) -> str:
        """The mailbox that a tag means; the store takes INBOX where there is none."""
        if not tag or not self._customs.tag_is_mailbox:
            return INBOX
        try:
            return canonical_name(tag)
        except MailError:
            return INBOX

    async def _elsewhere(self, mail: Mail, place: _Place) -> None:
        recipient = _written(mail.local, mail.domain)
        self._enter(recipient.lower())
        destination = await self._lookups.destination(recipient, mail.domain)
        self._note(recipient, "elsewhere")
        self._depart(recipient, destination, place)

    def _leave(self, mail: Mail, destination: str, place: _Place) -> None:
        recipient = _written(mail.local, mail.domain)
        self._enter(destination)
        self._note(recipient, f"by {destination}")
        self._depart(recipient, destination, place)

    def _divert(self, mail: Mail, destination: str, place: _Place) -> None:
        """Attack: a user's forward would lead to services inside our network."""
        if place.by_user:
            self._break(place.path[-1], "only the operator may name other ways")
            return
        self._leave(mail, destination, place)

    def _start(self, mail: Mail, command: str, place: _Place) -> None:
        """Attack: a program in a forward would run with the server's rights."""
        if not self._customs.programs or place.is_forward:
            self._break(place.path[-1], "programs are not allowed here")
            return
        self._leave(mail, f"program:{command}", place)

    def _depart(self, recipient: str, destination: str, place: _Place) -> None:
        key = recipient.lower(), destination
        departure = Departure(recipient, destination, place.owner, place.path)
        self._found.departures.setdefault(key, departure)
        self._check_places()

    def _check_places(self) -> None:
        places = len(self._found.targets) + len(self._found.departures)
        if places > self._customs.addresses:
            raise TooManyAddresses


def _written(local: str, domain: str) -> str:
    try:
        return format_mailbox(Address(local, domain)).decode()
    except MailError as error:
        raise MalformedTarget(str(error)) from None
