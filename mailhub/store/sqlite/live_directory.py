"""``IDirectory`` for a server: reads at once, changes in the writer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from zope.interface import implementer

from ...interfaces import IAtomicDirectory, IDirectory
from ...mail.account import Account, Alias, Forward
from ...powers import IForwards
from .access import Access
from .at_once import perform_at_once
from .change import Change
from .directory import Directory

T = TypeVar("T")

#: Answers kept at most: names that strangers try must not fill the memory.
MAX_ANSWERS = 10_000


@implementer(IDirectory, IAtomicDirectory, IForwards)
class LiveDirectory:
    """
    :param access: gives the open store.
    """

    def __init__(self, access: Callable[[], Access]) -> None:
        self._access = access
        self._version = -1
        self._answers: dict[tuple[str, str], Any] = {}

    def _known(self, kind: str, name: str, ask: Callable[[Directory, str], T]) -> T:
        """What *ask* answers about *name*, from before while nothing has changed.

        Every recipient of every message asks these questions, and looking up the
        version costs a third of an answer or less.
        """
        version = self._access().directory_version()
        if version != self._version or len(self._answers) >= MAX_ANSWERS:
            self._answers.clear()
            self._version = version
        key = (kind, name)
        if key not in self._answers:
            self._answers[key] = self._read(lambda directory: ask(directory, name))
        answer: T = self._answers[key]
        return answer

    def _read(self, ask: Callable[[Directory], T]) -> T:
        with self._access().reading() as connection:
            return ask(Directory(connection))

    def _change(self, make: Callable[[Directory], T]) -> Awaitable[T]:
        def change(change: Change) -> T:
            directory = Directory(change.connection, lambda: change.now)
            result = make(directory)
            change.touched.update(directory.touched)
            return result

        return self._access().change(change)

    async def perform(self, work: Callable[[Any], Awaitable[T]]) -> T:
        return await self._change(lambda directory: perform_at_once(work, directory))

    def version(self) -> int:
        return self._access().directory_version()

    async def is_local_domain(self, domain: str) -> bool:
        return self._known("domain", domain, Directory.is_local_domain)

    async def find_account(self, address: str) -> Account | None:
        return self._known("account", address, Directory.find_account)

    async def find_alias(self, address: str) -> Alias | None:
        return self._known("alias", address, Directory.find_alias)

    async def domains(self) -> list[str]:
        return self._read(Directory.domains)

    async def accounts(self) -> list[Account]:
        return self._read(Directory.accounts)

    async def aliases(self) -> list[Alias]:
        return self._read(Directory.aliases)

    async def add_domain(self, domain: str) -> bool:
        return await self._change(lambda directory: directory.add_domain(domain))

    async def remove_domain(self, domain: str) -> bool:
        return await self._change(lambda directory: directory.remove_domain(domain))

    async def add_account(
        self, address: str, password: str, quota: int | None = None
    ) -> Account:
        return await self._change(
            lambda directory: directory.add_account(address, password, quota)
        )

    async def remove_account(self, address: str) -> bool:
        return await self._change(lambda directory: directory.remove_account(address))

    async def set_password(
        self, address: str, password: str, expected: str | None = None
    ) -> bool:
        return await self._change(
            lambda directory: directory.set_password(address, password, expected)
        )

    async def set_alias(self, address: str, targets: Iterable[str]) -> None:
        targets = tuple(targets)
        await self._change(lambda directory: directory.set_alias(address, targets))

    async def remove_alias(self, address: str) -> bool:
        return await self._change(lambda directory: directory.remove_alias(address))

    async def find_forward(self, address: str) -> Forward | None:
        return self._known("forward", address, Directory.find_forward)

    async def forwards(self) -> list[Forward]:
        return self._read(Directory.forwards)

    async def set_forward(
        self, address: str, targets: Iterable[str], keeps: bool = False
    ) -> bool:
        targets = tuple(targets)
        return await self._change(
            lambda directory: directory.set_forward(address, targets, keeps)
        )

    async def remove_forward(self, address: str) -> bool:
        return await self._change(lambda directory: directory.remove_forward(address))
