"""Who was promised what: the record a fault test is judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from threading import Lock

#: Header line that each message of a test begins with, before its number.
MARK = b"X-Ledger: "
#: One message in so many is larger than what a store keeps in its rows.
LARGE_EVERY = 10
LARGE_SIZE = 100_000


@dataclass
class Ledger:
    """Messages by number: what was sent, and what was acknowledged.

    Clients write from their threads.  No number is sent twice, so that every
    second copy of one is a fault.
    """

    sent: dict[int, bytes] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def new_message(self) -> tuple[int, bytes]:
        """A number and a message that nobody has sent yet."""
        with self._lock:
            number = len(self.sent)
            data = make_message(number)
            self.sent[number] = sha256(data).digest()
        return number, data

    def acknowledge(self, number: int) -> None:
        """The server answered that it has the message."""
        with self._lock:
            self.acknowledged.add(number)


def make_message(number: int) -> bytes:
    """The message of that *number*: always the same, and like no other."""
    random = Random(number)
    size = LARGE_SIZE if number % LARGE_EVERY == 0 else random.randrange(200, 4000)
    text = random.randbytes(size // 2).hex().encode()
    lines = [text[start : start + 76] for start in range(0, len(text), 76)]
    head = MARK + b"%d\r\nSubject: message %d\r\n\r\n" % (number, number)
    return head + b"\r\n".join(lines) + b"\r\n"


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    :ivar acknowledged: messages that the server answered for.
    :ivar lost: those of them that are not there.
    :ivar corrupt: messages that are there with other octets.
    :ivar doubled: messages that are there more than once.
    :ivar unanswered: messages that are there although no answer was seen; these
        are allowed (RFC 5321, section 4.5.3.2.6: the client tries again).
    """

    acknowledged: int
    lost: tuple[int, ...]
    corrupt: tuple[int, ...]
    doubled: tuple[int, ...]
    unanswered: int

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.corrupt or self.doubled)

    def __str__(self) -> str:
        return (
            f"acknowledged {self.acknowledged}, lost {len(self.lost)},"
            f" corrupt {len(self.corrupt)}, doubled {len(self.doubled)},"
            f" unanswered but there {self.unanswered}"
        )


def recognise(ledger: Ledger, message: bytes) -> tuple[int, bool]:
    """-> the number of *message*, -1 without one; whether its octets are those sent

    What the server put before it does not count.
    """
    data = message[max(message.find(MARK), 0) :]
    digits = data[len(MARK) :].split(b"\r\n", 1)[0]
    number = int(digits) if digits.isdigit() else -1
    return number, ledger.sent.get(number) == sha256(data).digest()


def judge(ledger: Ledger, found: Iterable[bytes]) -> Verdict:
    """Compare what was promised with the messages *found* in the mailboxes."""
    counts: Counter[int] = Counter()
    corrupt: set[int] = set()
    for message in found:
        number, is_whole = recognise(ledger, message)
        counts[number] += 1
        if not is_whole:
            corrupt.add(number)
    return Verdict(
        acknowledged=len(ledger.acknowledged),
        lost=tuple(sorted(ledger.acknowledged - counts.keys())),
        corrupt=tuple(sorted(corrupt)),
        doubled=tuple(sorted(n for n, count in counts.items() if count > 1)),
        unanswered=len(counts.keys() - ledger.acknowledged - corrupt),
    )
