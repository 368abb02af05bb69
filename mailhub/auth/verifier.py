"""Checking passwords against stored hashes without telling who exists."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.logger import Logger

from ..errors import SyntaxFault
from . import memory_hard, schemes
from .cache import SuccessCache
from .workers import Workers


@dataclass(frozen=True, slots=True)
class _Outcome:
    matches: bool
    fault: str = ""


class PasswordVerifier:
    """Computes hashes among *workers*, and keeps successes in *cache*."""

    log = Logger()

    def __init__(self, workers: Workers, cache: SuccessCache | None = None) -> None:
        self.workers = workers
        self._cache = cache
        self._unmatchable = memory_hard.unmatchable()

    async def verify(self, identity: str, stored: str, password: bytes) -> bool:
        """Whether *password* belongs to *stored*.

        Fails in the same time for everybody: with no hash stored an
        unmatchable one is checked; after a weak one, the unmatchable one too.

        :param identity: full canonical identity, with the source of the hash:
            the key of the cache, and a name for the log.
        :param stored: ``""`` where no password works.
        :raises Busy: too many checks wait already.
        :raises LocalFault: a library for the stored scheme is missing.
        """
        if stored and self._cache and self._cache.knows(identity, stored, password):
            return True
        outcome = await self.workers.run(self._check, stored, password)
        if outcome.fault:
            self.log.error(
                "stored password hash of {identity} is unusable: {fault}",
                identity=identity, fault=outcome.fault,
            )
        if outcome.matches and stored and self._cache:
            self._cache.remember(identity, stored, password)
        return outcome.matches

    async def hash(self, password: bytes) -> str:
        """A new hash of *password*; raises as :meth:`verify` does."""
        return await self.workers.run(schemes.hash_password, password)

    def _check(self, stored: str, password: bytes) -> _Outcome:
        """In a worker's thread."""
        fault = ""
        if stored:
            try:
                if schemes.verify(stored, password):
                    return _Outcome(True)
            except SyntaxFault as error:
                fault = str(error)
        if not stored or schemes.needs_rehash(stored):
            schemes.verify(self._unmatchable, password)
        return _Outcome(False, fault)
