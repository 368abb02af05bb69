"""Domains, accounts and aliases in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from zope.interface import implementer

from ..errors import MailboxExists, NotPermitted, UnknownRecipient
from ..interfaces import IDirectory
from ..mail.account import Account, Alias, Forward
from ..mail.mailbox import INBOX, SPECIAL_MAILBOXES
from ..powers import IForwards
from .memory_state import AccountState


def domain_of(address: str) -> str:
    """What stands after the last ``@``."""
    return address.rpartition("@")[2]


@implementer(IDirectory, IForwards)
class MemoryDirectory:
    """``IDirectory`` whose methods have their answers at hand.

    :param now: seconds since the epoch; UIDVALIDITY values start there, so that
        those of an earlier process do not come back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._domains: set[str] = set()
        self._aliases: dict[str, Alias] = {}
        self._forwards: dict[str, Forward] = {}
        self._accounts: dict[str, AccountState] = {}
        self._by_id: dict[int, AccountState] = {}
        self._validities: dict[str, int] = {}
        self._last_id = 0

    def state(self, address: str) -> AccountState:
        """
        :raises UnknownRecipient: no such account.
        """
        state = self._accounts.get(address)
        if state is None:
            raise UnknownRecipient(f"no account {address!r}")
        return state

    def state_by_id(self, account_id: int) -> AccountState:
        """
        :raises UnknownRecipient: no such account (any more).
        """
        state = self._by_id.get(account_id)
        if state is None:
            raise UnknownRecipient(f"no account with id {account_id}")
        return state

    def version(self) -> None:
        """Not counted: its answers cost nothing."""

    async def is_local_domain(self, domain: str) -> bool:
        return domain in self._domains

    async def find_account(self, address: str) -> Account | None:
        state = self._accounts.get(address)
        return None if state is None else state.account

    async def find_alias(self, address: str) -> Alias | None:
        return self._aliases.get(address)

    async def domains(self) -> list[str]:
        return sorted(self._domains)

    async def accounts(self) -> list[Account]:
        return [self._accounts[address].account for address in sorted(self._accounts)]

    async def aliases(self) -> list[Alias]:
        return [self._aliases[address] for address in sorted(self._aliases)]

    async def add_domain(self, domain: str) -> bool:
        new = domain not in self._domains
        self._domains.add(domain)
        return new

    async def remove_domain(self, domain: str) -> bool:
        if any(domain_of(address) == domain for address in self._accounts):
            raise NotPermitted(f"accounts of {domain!r} exist")
        if domain not in self._domains:
            return False
        self._domains.remove(domain)
        return True

    async def add_account(
        self, address: str, password: str, quota: int | None = None
    ) -> Account:
        if address in self._accounts:
            raise MailboxExists(f"{address!r} is taken")
        self._last_id += 1
        account = Account(self._last_id, address, password, quota)
        # An address that comes back must not reuse UIDVALIDITY values either.
        last = max(int(self._now()), self._validities.get(address, 0))
        state = AccountState(account, uidvalidity=last)
        state.make_mailbox(INBOX)
        for name, use in SPECIAL_MAILBOXES.items():
            state.make_mailbox(name, use)
        state.subscribed.update(state.mailboxes)
        self._accounts[address] = self._by_id[account.account_id] = state
        self._domains.add(domain_of(address))
        return account

    async def remove_account(self, address: str) -> bool:
        state = self._accounts.pop(address, None)
        if state is None:
            return False
        del self._by_id[state.account.account_id]
        self._forwards.pop(address, None)
        self._validities[address] = state.uidvalidity
        state.gone = True
        for mailbox in list(state.mailboxes.values()):
            state.drop_mailbox(mailbox)
        return True

    async def set_password(
        self, address: str, password: str, expected: str | None = None
    ) -> bool:
        state = self._accounts.get(address)
        if state is None or expected not in (None, state.account.password):
            return False
        state.account = replace(state.account, password=password)
        return True

    async def set_alias(self, address: str, targets: Iterable[str]) -> None:
        self._aliases[address] = Alias(address, tuple(targets))

    async def remove_alias(self, address: str) -> bool:
        return self._aliases.pop(address, None) is not None

    async def find_forward(self, address: str) -> Forward | None:
        return self._forwards.get(address)

    async def forwards(self) -> list[Forward]:
        return [self._forwards[address] for address in sorted(self._forwards)]

    async def set_forward(
        self, address: str, targets: Iterable[str], keeps: bool = False
    ) -> bool:
        if address not in self._accounts:
            return False
        self._forwards[address] = Forward(address, tuple(targets), keeps)
        return True

    async def remove_forward(self, address: str) -> bool:
        return self._forwards.pop(address, None) is not None
