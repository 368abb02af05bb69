"""What DNS has said, for as long as it said so.

Nothing is served beyond its time (RFC 8767 would allow it): mail can wait for DNS,
and an old answer may be a door that its owner has shut since, such as a key withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DNSFault, MailError, NoSuchDomain
from ..mail.dns import MX, TLSA, Answer, RecordType

#: Seconds that anything is kept at most: an attacker's TTL may be 68 years.
LONGEST = 86_400
#: The same for "no such name" and "no such records" (RFC 2308, section 5: three hours
#: at most; a name that is new should not wait so long).
LONGEST_NEGATIVE = 900
#: Seconds that it is remembered that nobody could tell, so that an outage is not made
#: worse by asking (RFC 9520, section 3.2).
FAULT = 5
#: About what an entry costs in memory besides its contents, in octets; likewise for
#: each record.
ENTRY_COST, RECORD_COST = 500, 150

Key = tuple[str, RecordType]


@dataclass(frozen=True, slots=True)
class Failed:
    """That there is no answer, and why.

    :ivar kind: ``NoSuchDomain`` or ``DNSFault``.
    :ivar ttl: seconds that it may be kept for.
    """

    kind: type[NoSuchDomain] | type[DNSFault]
    text: str
    ttl: int

    def error(self) -> MailError:
        """What to raise: each asker gets one of its own, with its own traceback."""
        return self.kind(self.text)


Outcome = Answer | Failed


@dataclass(frozen=True, slots=True)
class _Entry:
    outcome: Outcome
    ends: float
    cost: int


class Cache:
    """Outcomes by name and type; what was not used for longest goes first.

    :param room: octets, about, that all of them may cost.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._entries: dict[Key, _Entry] = {}
        self._cost = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Outcome | None:
        """What is known, with the seconds that are left of it as its TTL."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        left = int(entry.ends - now)
        if left <= 0:
            self._cost -= entry.cost
            return None
        self._entries[key] = entry
        outcome = entry.outcome
        if outcome.ttl == left:
            return outcome
        if isinstance(outcome, Failed):
            return Failed(outcome.kind, outcome.text, left)
        return Answer(outcome.name, outcome.records, outcome.authentic, left)

    def put(self, key: Key, outcome: Outcome, now: float) -> None:
        """Keep *outcome* for as long as it says, within the limits."""
        self.drop(key)
        seconds = min(outcome.ttl, _longest(outcome))
        cost = _cost(key, outcome)
        if seconds <= 0 or cost > self._room:
            return
        while self._cost + cost > self._room:
            self.drop(next(iter(self._entries)))
        self._entries[key] = _Entry(outcome, now + seconds, cost)
        self._cost += cost

    def drop(self, key: Key) -> None:
        """Forget what is known of *key*."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._cost -= entry.cost

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._cost = 0


def _longest(outcome: Outcome) -> int:
    if isinstance(outcome, Failed):
        return FAULT if outcome.kind is DNSFault else LONGEST_NEGATIVE
    return LONGEST if outcome.records else LONGEST_NEGATIVE


def _cost(key: Key, outcome: Outcome) -> int:
    """Octets of memory, about: a TXT record may have 64 KiB."""
    cost = ENTRY_COST + len(key[0])
    if isinstance(outcome, Answer):
        cost += sum(RECORD_COST + _size(record) for record in outcome.records)
    return cost


def _size(record: object) -> int:
    match record:
        case MX(host=host):
            return len(host)
        case TLSA(data=data):
            return len(data)
        case str() | bytes():
            return len(record)
    return 0
