"""What becomes of each copy of a message: promised by a server, found in a store.

The :class:`Ledger <.ledger.Ledger>` knows messages that only ever come.  Here they
also move, change and go.  A client writes down what each command is to do before it
sends it, and that it was answered after the answer; :func:`judge` then knows for
every moment what must be, what may be and what must not be there.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from threading import Lock

from .ledger import Ledger

#: One account's copies of one message: its number, and the account's address.
Key = tuple[int, str]
#: A mailbox, and those of :data:`FLAGS` that the copy has there.
Place = tuple[str, tuple[str, ...]]
#: All places of a key, sorted.
Placement = tuple[Place, ...]
NOWHERE: Placement = ()
#: A moment after all that happened, and before what never did.
END = sys.float_info.max
#: The flags that are promised; others come and go by themselves.
FLAGS = ("\\Deleted", "\\Flagged")


@dataclass(slots=True, eq=False)
class Operation:
    """A command that happens wholly or not at all.

    :ivar effects: where the copies are after it.
    :ivar begun: not after the server could hear of it.
    :ivar answered: when the server said that it is done; infinite until then.
    :ivar wire: the client's port, and the tag or ordinal of the answer there.
    """

    name: str
    effects: Mapping[Key, Placement]
    begun: float
    answered: float = inf
    wire: tuple[int, bytes | int] = (0, 0)


@dataclass
class Found:
    """What a store holds.

    :ivar damage: what cannot be read, has other octets or numbers, or contradicts
        itself; a line each.
    """

    places: dict[Key, list[Place]] = field(default_factory=lambda: defaultdict(list))
    damage: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Judgement:
    """What a comparison found; each fault is a line of text.

    :ivar answered: operations that the server answered for.
    :ivar lost: copies that are missing.
    :ivar doubled: copies that are there too often.
    :ivar wrong: copies that are elsewhere, or with other flags; operations of which
        one part happened and another did not.
    :ivar damage: see :class:`Found`.
    :ivar unanswered: operations without an answer that happened, which they may.
    """

    answered: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    wrong: tuple[str, ...]
    damage: tuple[str, ...]
    unanswered: int

    @property
    def faults(self) -> tuple[str, ...]:
        """Broken promises, all of them."""
        return self.lost + self.damage + self.doubled + self.wrong

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.faults

    def __str__(self) -> str:
        return (
            f"answered {self.answered}, lost {len(self.lost)},"
            f" corrupt {len(self.damage)}, doubled {len(self.doubled)},"
            f" wrong {len(self.wrong)}, unanswered but there {self.unanswered}"
        )


class Book:
    """All operations, as their clients know them; they write from their threads."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.operations: list[Operation] = []
        self.chains: dict[Key, list[Operation]] = defaultdict(list)
        self.settled: dict[Key, Placement] = {}
        self.answered = 0
        self._lock = Lock()

    def begin(
        self,
        name: str,
        effects: Mapping[Key, Placement],
        wire: tuple[int, bytes | int] = (0, 0),
    ) -> Operation:
        """Something is about to be sent."""
        operation = Operation(name, effects, time.time(), wire=wire)
        with self._lock:
            self.operations.append(operation)
            for key in effects:
                self.chains[key].append(operation)
        return operation

    def answer(self, operation: Operation) -> None:
        """The server has said that it is done."""
        operation.answered = time.time()
        with self._lock:
            self.answered += 1

    def placement(self, key: Key) -> Placement:
        """Where the copies of *key* are once all that was begun is done."""
        chain = self.chains.get(key)
        return chain[-1].effects[key] if chain else self.settled.get(key, NOWHERE)

    def settle(self, found: Found) -> None:
        """From now on what was found is what must be."""
        for key in self.chains:
            self.settled[key] = tuple(sorted(found.places.get(key, ())))
        self.chains.clear()
        self.operations.clear()


def judge(book: Book, found: Found, moment: float = END) -> Judgement:
    """Compare the promises of *book* with what was *found*.

    :param moment: when the server stopped; what was answered later was not yet.
    """
    court = _Court(moment)
    for key, placement in book.settled.items():
        if key not in book.chains:
            court.compare(key, [placement], [], found)
    for key, chain in book.chains.items():
        first = book.settled.get(key, NOWHERE)
        placements = [first, *(each.effects[key] for each in chain)]
        court.compare(key, placements, chain, found)
    strangers = found.places.keys() - book.chains.keys() - book.settled.keys()
    return Judgement(
        book.answered if moment == END else _count(book, moment),
        tuple(court.lost),
        tuple(court.doubled),
        tuple(court.wrong + court.torn()),
        (*found.damage, *(f"{key} was never sent" for key in sorted(strangers))),
        sum(True in seen for seen in court.evidence.values()),
    )


def _count(book: Book, moment: float) -> int:
    return sum(each.answered <= moment for each in book.operations)


class _Court:
    """Collects the faults of all keys."""

    def __init__(self, moment: float) -> None:
        self._moment = moment
        self.lost: list[str] = []
        self.doubled: list[str] = []
        self.wrong: list[str] = []
        #: Whether copies say that an operation without an answer happened.
        self.evidence: dict[Operation, set[bool]] = defaultdict(set)

    def compare(
        self,
        key: Key,
        placements: list[Placement],
        chain: list[Operation],
        found: Found,
    ) -> None:
        """One key; *placements* are those before and after each of *chain*."""
        answered = [each.answered <= self._moment for each in chain]
        least = max((n for n, is_so in enumerate(answered, 1) if is_so), default=0)
        most = sum(each.begun <= self._moment for each in chain)
        seen = tuple(sorted(found.places.get(key, ())))
        allowed = range(least, max(least, most) + 1)
        fitting = [number for number in allowed if placements[number] == seen]
        if not fitting:
            self._condemn(key, seen, [placements[number] for number in allowed])
            return
        for number, operation in enumerate(chain[least:], least + 1):
            if min(fitting) >= number:
                self.evidence[operation].add(True)
            elif max(fitting) < number:
                self.evidence[operation].add(False)

    def _condemn(self, key: Key, seen: Placement, allowed: list[Placement]) -> None:
        text = f"message {key[0]} of {key[1]}: {seen}, and not {allowed}"
        if len(seen) < min(map(len, allowed)):
            self.lost.append(text)
        elif len(seen) > max(map(len, allowed)):
            self.doubled.append(text)
        else:
            self.wrong.append(text)

    def torn(self) -> list[str]:
        """Operations of which one part happened and another did not."""
        return [
            f"{operation.name} of {sorted(operation.effects)} happened in part"
            for operation, seen in self.evidence.items()
            if len(seen) > 1
        ]
