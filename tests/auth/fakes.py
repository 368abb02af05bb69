"""Stand-ins that the tests of login share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from mailhub.auth import schemes
from mailhub.auth.cache import SuccessCache
from mailhub.auth.credentials import PasswordLogin
from mailhub.auth.verifier import PasswordVerifier
from mailhub.auth.workers import BlockingWorkers
from mailhub.mail.account import Account
from mailhub.mail.envelope import Peer

ALICE = b"alice@example.org"


def make_peer(host: str = "192.0.2.1") -> Peer:
    return Peer(host, 4711, "imaps", "mail.example.org", tls="TLSv1.3")


def login_as(name: bytes, password: bytes, host: str = "192.0.2.1") -> PasswordLogin:
    return PasswordLogin(name, password, make_peer(host))


class FakeDirectory:
    """``IDirectory`` as far as login asks."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._accounts: dict[str, Account] = {}

    def add(self, address: str, password: str, enabled: bool = True) -> None:
        number = len(self._accounts) + 1
        self._accounts[address] = Account(number, address, password, None, enabled)

    async def find_account(self, address: str) -> Account | None:
        self.found.append(address)
        return self._accounts.get(address)

    async def set_password(
        self, address: str, password: str, expected: str | None = None
    ) -> bool:
        account = self._accounts[address]
        if expected not in (None, account.password):
            return False
        self.add(address, password, account.enabled)
        return True

    def password_of(self, address: str) -> str:
        return self._accounts[address].password


def make_verifier(clock: Clock) -> PasswordVerifier:
    return PasswordVerifier(BlockingWorkers(), SuccessCache(clock))


def count_hashes(test: Any) -> list[str]:
    """The stored hashes that get verified from now on, in order."""
    verified: list[str] = []
    verify = schemes.verify

    def counting(stored: str, password: bytes) -> bool:
        verified.append(stored)
        return verify(stored, password)

    test.patch(schemes, "verify", counting)
    return verified


class HeldPool:
    """A thread pool whose work is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[bool, Any], None], Callable[[], Any]]] = []

    def callInThreadWithCallback(
        self, finished: Callable[[bool, Any], None], function: Callable[[], Any]
    ) -> None:
        self.waiting.append((finished, function))

    def work(self) -> None:
        """Do what has waited longest."""
        finished, function = self.waiting.pop(0)
        try:
            result = function()
        except Exception:
            finished(False, Failure())
        else:
            finished(True, result)


class ThreadlessReactor(Clock):
    """A clock on which results of threads arrive at once."""

    def callFromThread(self, function: Any, *args: Any) -> None:
        function(*args)
