"""Whether each answer came after the flush of what it answers for."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from .disk import Disk, Node, Write
from .ledger import make_message
from .life import Life
from .promises import Operation

#: A line of a message's text; no two messages have one in common.
_LINE = re.compile(rb"[0-9a-f]{76}(?=\r\n)")
#: The operations that bring octets.
_BRINGING = ("MAIL", "APPEND")


@dataclass
class Audit:
    """What was found.

    :ivar answers: for messages.
    :ivar flushed: those of them that came after the flush of octets and names.
    :ivar flushes: while there was load.
    """

    answers: int = 0
    flushed: int = 0
    flushes: int = 0
    unflushed: list[str] = field(default_factory=list)

    @property
    def flushes_per_message(self) -> float:
        """Of files and directories."""
        return self.flushes / max(self.answers, 1)


def audit(life: Life) -> Audit:
    """Follow all calls of *life*, and look at the disk at each answer."""
    inspection = _Inspection(life)
    inspection.run()
    return inspection.audit


class _Inspection:
    def __init__(self, life: Life) -> None:
        self.audit = Audit()
        self._life = life
        self._disk = Disk(life.folder)
        self._disk.wrote = self._wrote
        self._due: dict[int, list[Operation]] = defaultdict(list)
        for operation in life.book.operations:
            if operation.name.split(" ")[0] in _BRINGING:
                self._due[int(min(operation.answered, 1e18))].append(operation)
        #: Where the last lines of each message are: two, as one may lie across the
        #: border of two pages.
        self._number_of: dict[bytes, int] = {}
        self._holders: dict[int, list[tuple[Node, Write]]] = defaultdict(list)
        for number in life.book.ledger.sent:
            for line in _LINE.findall(make_message(number))[-2:]:
                self._number_of[line] = number

    def run(self) -> None:
        first = min(self._life.answers, default=0)
        last = max(self._life.answers, default=0)
        for call in self._life.calls:
            before = self._disk.flushes
            self._disk.follow(call)
            if first <= call.moment <= last:
                self.audit.flushes += self._disk.flushes - before
            for operation in self._due.pop(call.moment, ()):
                self._look(operation)

    def _wrote(self, node: Node, write: Write) -> None:
        for line in _LINE.findall(write.data or b""):
            number = self._number_of.get(line)
            if number is not None:
                self._holders[number].append((node, write))

    def _look(self, operation: Operation) -> None:
        """A message is safe where a file with a flushed name has its last lines."""
        self.audit.answers += 1
        [number] = {key[0] for key in operation.effects}
        safe = set(map(id, _named(self._disk.root)))
        if any(
            id(node) in safe and write not in node.writes
            for node, write in self._holders[number]
        ):
            self.audit.flushed += 1
        else:
            self.audit.unflushed.append(f"{operation.name} of message {number}")


def _named(root: Node) -> list[Node]:
    """Everything whose name is sure to be on the disk."""
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.names.values()
    return found
