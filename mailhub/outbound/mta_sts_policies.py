"""Policies of MTA-STS: fetched when a domain has a new one, kept as long as they hold.

A policy that is known holds until its time is over, whatever becomes of its TXT record
and its web server meanwhile: who attacks can make both go away, which is what the
policy is against (RFC 8461, section 10.2).  So they are kept on the disk, too.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import DNSFault, MailError, NoSuchDomain, SyntaxFault
from ..mail.dns import RecordType
from .mta_sts import MAX_POLICY, Policy, may_have_policy, parse_policy, policy_id

#: Seconds after which a policy is fetched anew though its id is the same, so that it
#: does not end while it is in use (RFC 8461, section 3.3).
REFRESH = 86_400.0
#: Seconds before a policy is asked for again that could not be had (RFC 8461, section
#: 3.3: five minutes at least).
RETRY = 300.0
#: Domains that are remembered; what is forgotten is still on the disk.
MAX_DOMAINS = 10_000

#: Gives the text of a domain's policy, or raises ``MailError``.
Fetch = Callable[[str], Coroutine[Any, Any, str]]


@dataclass(frozen=True, slots=True)
class Known:
    """A policy that was fetched.

    :ivar ident: the id that its TXT record had then.
    :ivar text: as it was fetched.
    :ivar fetched: when, in seconds since the epoch.
    """

    policy: Policy
    ident: str
    text: str
    fetched: float

    @property
    def ends(self) -> float:
        """When it does not hold any more."""
        return self.fetched + self.policy.max_age


class Shelf:
    """Policies on the disk: one file for each domain.

    A file's time of change is when its policy ends.

    :param folder: made when the first is written.
    """

    log = Logger()

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def get(self, domain: str) -> Known | None:
        """What is kept of *domain*; what cannot be read is not there."""
        try:
            with open(self._path(domain), encoding="utf-8") as file:
                told = json.loads(file.read(2 * MAX_POLICY + 1024))
            text, ident = str(told["policy"]), str(told["id"])
            fetched = float(told["fetched"])
            return Known(parse_policy(text), ident, text, fetched)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SyntaxFault) as error:
            self.log.warn("the policy of {domain} cannot be read: {error}",
                          domain=domain, error=error)  # fmt: skip
            return None

    def put(self, domain: str, known: Known) -> None:
        """Keep it; where that fails it is fetched again after the next start."""
        told = {"policy": known.text, "id": known.ident, "fetched": known.fetched}
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(told, file)
            os.utime(temporary, (known.ends, known.ends))
            os.replace(temporary, self._path(domain))
        except OSError as error:
            self.log.warn("the policy of {domain} cannot be kept: {error}",
                          domain=domain, error=error)  # fmt: skip

    def tidy(self, now: float) -> int:
        """Remove what does not hold any more; how many that were."""
        removed = 0
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.stat().st_mtime < now:
                    os.unlink(entry.path)
                    removed += 1
        return removed

    def _path(self, domain: str) -> str:
        # It may_have_policy(), so it has neither a slash nor 255 octets.
        return os.path.join(self._folder, domain)


class Policies:
    """The policies of all domains that mail goes to.

    :param fetch: gets the text of a policy over HTTPS.
    :param now: seconds since the epoch.
    :param shelf: keeps them; ``None``: they are gone with the process.
    """

    log = Logger()

    def __init__(
        self,
        resolver: Any,
        fetch: Fetch,
        now: Callable[[], float],
        shelf: Shelf | None = None,
    ) -> None:
        self._resolver = resolver
        self._fetch = fetch
        self._now = now
        self._shelf = shelf
        self._known: dict[str, Known] = {}
        self._absent: dict[str, None] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._fetching: dict[str, list[Deferred[None]]] = {}
        self._tidied = 0.0

    async def of(self, domain: str) -> Policy | None:
        """The policy of *domain* now; ``None``: it has none, or none can be had.

        :param domain: in lower case, as A-labels, without the final dot.
        """
        if not may_have_policy(domain):
            return None
        known = self._recall(domain)
        ident = await self._ident(domain)
        if ident is None:
            return None if known is None else known.policy
        if not self._may_try(domain, ident):
            return None if known is None else known.policy
        if known is None or known.ident != ident:
            await self._renew(domain, ident)
        elif self._now() - known.fetched > min(REFRESH, known.policy.max_age / 2):
            renewing = Deferred.fromCoroutine(self._renew(domain, ident))
            renewing.addErrback(self._report, domain)
        known = self._recall(domain)
        return None if known is None else known.policy

    def _recall(self, domain: str) -> Known | None:
        known = self._known.get(domain)
        if known is None and self._shelf is not None and domain not in self._absent:
            known = self._shelf.get(domain)
            if known is not None:
                self._remember(domain, known)
            else:
                _make_room(self._absent)
                self._absent[domain] = None
        if known is None or known.ends <= self._now():
            return None
        return known

    def _remember(self, domain: str, known: Known) -> None:
        self._absent.pop(domain, None)
        self._known.pop(domain, None)
        _make_room(self._known)
        self._known[domain] = known

    async def _ident(self, domain: str) -> str | None:
        """The id in the TXT record; ``None`` where there is none to be had.

        That a fault of DNS counts as none is no door that was not open: without a
        policy that is known, the record could as well be suppressed (RFC 8461, 10.2).
        """
        try:
            answer = await self._resolver.query(f"_mta-sts.{domain}", RecordType.TXT)
        except (NoSuchDomain, DNSFault):
            return None
        return policy_id(answer.records)

    def _may_try(self, domain: str, ident: str) -> bool:
        """Whether it has not failed just now, with the same id."""
        failed, until = self._failed.get(domain, ("", 0.0))
        return failed != ident or until <= self._now()

    async def _renew(self, domain: str, ident: str) -> None:
        """Fetch the policy, once for all who wait; what is known stays if it fails."""
        waiting = self._fetching.get(domain)
        if waiting is not None:
            waiter: Deferred[None] = Deferred()
            waiting.append(waiter)
            await waiter
            return
        self._fetching[domain] = []
        try:
            text = await self._fetch(domain)
            known = Known(parse_policy(text), ident, text, self._now())
        except MailError as error:
            self._fail(domain, ident, error)
        else:
            self._failed.pop(domain, None)
            self._remember(domain, known)
            self._put(domain, known)
        finally:
            for each in self._fetching.pop(domain):
                each.callback(None)

    def _put(self, domain: str, known: Known) -> None:
        """Keep it on the disk, where what does not hold any more goes once a day."""
        if self._shelf is None:
            return
        self._shelf.put(domain, known)
        if self._now() - self._tidied > REFRESH:
            self._tidied = self._now()
            self._shelf.tidy(self._tidied)

    def _report(self, failure: Failure, domain: str) -> None:
        self.log.failure("renewing the policy of {domain}", failure, domain=domain)

    def _fail(self, domain: str, ident: str, error: MailError) -> None:
        self.log.warn("no MTA-STS policy of {domain}: {error}",
                      domain=domain, error=error)  # fmt: skip
        self._failed.pop(domain, None)
        _make_room(self._failed)
        self._failed[domain] = ident, self._now() + RETRY


def _make_room(remembered: dict[str, Any]) -> None:
    """Forget the oldest, if there are as many as there may be."""
    if len(remembered) >= MAX_DOMAINS:
        del remembered[next(iter(remembered))]
