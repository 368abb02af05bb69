"""Goes through a store: finds what is wrong, looks twice, puts right."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ....errors import LocalFault, UnknownRecipient
from ...feed import announce
from .. import schema
from ..change import Change, Key
from ..schema import storage_faults, transaction
from .accounts import Accounts, Quotas
from .contents import Contents, QueuedContents
from .files import Files
from .findings import Finding, Kind, Reported
from .mailboxes import Mailboxes
from .queued import Queue
from .references import References
from .strays import Strays
from .structure import Settings, Structure
from .view import Opened, View

#: Findings that are told of one by one; more are only counted.
MAX_LISTED = 10_000

#: Times that a scope is repaired: putting one thing right may show another.
_ROUNDS = 5

#: What SQLite says of a file that is damaged, by the low octet of its code.
_DAMAGE = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR}
)


#: See :func:`verify`.
Tell = Callable[[str, int, int], None]

_PLACES = (
    "select m.item_id, a.address, b.name, m.uid from message m"
    " join mailbox b on b.account_id = m.account_id and b.mailbox_id = m.mailbox_id"
    " join account a on a.account_id = m.account_id"
    " where m.item_id in (select value from json_each(?1))"
    " and m.account_id = coalesce(?2, m.account_id)"
)


class Topic(Protocol):
    """Something to look at.

    :ivar name: for people who wait.
    :ivar pieces: a statement that tells how many pieces there are, roughly.
    """

    name: str
    pieces: str

    def scopes(self, view: View) -> Iterator[Any]:
        """The pieces to look at one by one, each in one state of the database."""

    def look(self, view: View, scope: Any) -> list[Finding]:
        """What is wrong with one of them, inside a transaction."""


@dataclass(slots=True)
class Report:
    """What was found.

    :ivar listed: at most :data:`MAX_LISTED`.
    :ivar counts: all of it, by kind.
    :ivar left: how much of it was not repaired.
    :ivar messages: in mailboxes.
    :ivar octets: of content that was read.
    """

    listed: list[Reported] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)
    left: int = 0
    messages: int = 0
    octets: int = 0

    def add(self, reported: Reported) -> None:
        """Take up a finding."""
        if len(self.listed) < MAX_LISTED:
            self.listed.append(reported)
        self.counts[reported.finding.kind] += 1
        self.left += not reported.repaired


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    :ivar account: the address of the only account to look at.
    :ivar repair: put right what can be.
    :ivar quick: see :class:`View`.
    :ivar rescue: the address of the account that gets what belongs to nobody.
    """

    account: str | None = None
    repair: bool = False
    quick: bool = False
    rescue: str | None = None


def verify(
    path: str,
    wish: Wish,
    *,
    now: Callable[[], float] = time.time,
    tell: Tell = lambda name, done, pieces: None,
) -> Report:
    """Look at the store in the data directory *path*.

    Nothing is written unless a repair is asked for; each repair is durable when
    the next begins.

    :param tell: called for each piece of the work with what it is about, the
        number of those before it, and how many there are, roughly.
    :raises NotPermitted: there is no store, or not one that this program reads.
    :raises UnknownRecipient: there is no such account.
    :raises LocalFault: it cannot be read, or written, now.
    """
    with storage_faults():
        if not wish.repair:
            with closing(Opened(path)) as opened:
                return _Check(path, wish, opened.refresh, now, tell).run()
        database = f"{os.path.abspath(path)}/{schema.FILE_NAME}"
        with closing(schema.connect(database)) as connection:
            return _Check(path, wish, lambda: connection, now, tell).run()


class _Check:
    """One run; see :func:`verify`.

    :param connect: gives a connection that sees what was committed until now.
    """

    def __init__(
        self,
        path: str,
        wish: Wish,
        connect: Callable[[], sqlite3.Connection],
        now: Callable[[], float],
        tell: Tell,
    ) -> None:
        self._path = path
        self._wish = wish
        self._connect = connect
        self._tell = tell
        self._report = Report()
        #: Findings about contents, whose messages are not known yet; one that is in
        #: several mailboxes of an account is looked at as often.
        self._of_contents: dict[Finding, Reported] = {}
        self._view = View(connect(), path, now(), quick=wish.quick)
        self._touched: set[Key] = set()

    def run(self) -> Report:
        with self._damage_found():
            self._find_accounts()
            self._look_through(Structure())
            if not self._makes_no_sense():
                for topic in self._topics():
                    with self._damage_found():
                        self._look_through(topic)
                self._find_messages()
        if self._touched:
            announce(self._view.path, self._touched)
        self._report.octets = self._view.octets
        return self._report

    def _makes_no_sense(self) -> bool:
        """Whether tables or types are not those that everything else expects."""
        return any(
            not each.repaired and each.finding.kind in (Kind.SCHEMA, Kind.VALUE)
            and each.finding.repair is None
            for each in self._report.listed
        )

    def _topics(self) -> tuple[Topic, ...]:
        return (
            Settings(), Strays(), Accounts(), Mailboxes(), Queue(), References(),
            Quotas(), Contents(), QueuedContents(), Files(),
        )

    def _find_accounts(self) -> None:
        for address in (self._wish.account, self._wish.rescue):
            if address is None:
                continue
            rows = self._view.rows(
                "select account_id from account where address = ?", address
            )
            if not rows:
                raise UnknownRecipient(f"there is no user {address}")
            if address == self._wish.account:
                self._view.account_id = rows[0][0]
            if address == self._wish.rescue:
                self._view.rescue = rows[0][0]

    def _look_through(self, topic: Topic) -> None:
        done, [pieces] = 0, self._view.row(topic.pieces)
        for scope in topic.scopes(self._view):
            self._tell(topic.name, done, pieces)
            with self._damage_found():
                self._look_at(topic, scope)
            done += len(scope) if isinstance(scope, tuple) else 1

    def _look_at(self, topic: Topic, scope: Any) -> None:
        before = self._view.messages
        found = self._look_once(topic, scope)
        self._report.messages += self._view.messages - before
        if not found:
            return
        if self._wish.repair and any(each.repair for each in found):
            self._repair(topic, scope)
            return
        # What another process changed meanwhile is not wrong.
        first = set(found)
        for finding in self._look_once(topic, scope):
            if finding in first:
                self._add(finding, repaired=False)

    def _look_once(self, topic: Topic, scope: Any) -> list[Finding]:
        connection = self._view.connection = self._connect()
        try:
            with self._view.snapshot():
                return topic.look(self._view, scope)
        except sqlite3.DatabaseError:
            # Somebody may have begun to write what was read as a file at rest.
            self._view.connection = self._connect()
            if self._view.connection is connection:
                raise
        with self._view.snapshot():
            return topic.look(self._view, scope)

    def _repair(self, topic: Topic, scope: Any) -> None:
        """Put right what is wrong now, in one transaction."""
        view = self._view
        every: dict[Finding, Finding] = {}
        with transaction(view.connection):
            change = Change(view.connection, view.files, view.now)
            for _ in range(_ROUNDS):
                found = topic.look(view, scope)
                every.update((finding, finding) for finding in found)
                repairs = [each.repair for each in found if each.repair is not None]
                if not repairs:
                    break
                for repair in repairs:
                    repair(change)
            left = set(topic.look(view, scope))
        self._touched |= change.touched
        for finding in every:
            self._add(finding, repaired=finding not in left)

    def _add(self, finding: Finding, repaired: bool) -> None:
        reported = Reported(finding, repaired)
        if finding.item_id is None or len(self._of_contents) >= MAX_LISTED:
            self._report.add(reported)
        else:
            self._of_contents.setdefault(finding, reported)

    def _find_messages(self) -> None:
        """Tell of a finding about a content once for each message that has it.

        Nothing leads from contents to messages but one look at all messages.
        """
        if not self._of_contents:
            return
        wanted = json.dumps([finding.item_id for finding in self._of_contents])
        places: defaultdict[int, list[tuple]] = defaultdict(list)
        for item_id, *place in self._view.rows(_PLACES, wanted, self._view.account_id):
            places[item_id].append(tuple(place))
        for finding, each in self._of_contents.items():
            for address, name, uid in places[finding.item_id or 0] or [(None,) * 3]:
                found = replace(finding, account=address, mailbox=name, uid=uid)
                self._report.add(Reported(found, each.repaired))

    @contextmanager
    def _damage_found(self) -> Iterator[None]:
        """Tell of a damaged database as a finding, and go on with the next."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            self._note_damage(error)
        except LocalFault as error:
            self._note_damage(error)

    def _note_damage(self, error: Exception) -> None:
        cause = error if isinstance(error, sqlite3.Error) else error.__cause__
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code not in _DAMAGE:
            raise error
        if self._view.connection.in_transaction:
            self._view.connection.execute("rollback")
        finding = Finding(Kind.DATABASE, str(error), what=str(error))
        if all(each.finding != finding for each in self._report.listed):
            self._report.add(Reported(finding))
