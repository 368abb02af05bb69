"""The flags of a mailbox's messages, as far as one session needed to know them.

A session of a large mailbox mostly looks at a few messages, and most messages of a
mailbox have the same flags.  So flags are learned in blocks of UIDs, when they are
first asked for, and a block whose messages all have the same holds them once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..mail.flags import Flags

#: UIDs of a block, as a power of two: so few are learned in a hundredth of a
#: millisecond, when one message is looked at.
_SHIFT = 6
BLOCK = 1 << _SHIFT
_MASK = BLOCK - 1


class FlagMap:
    """Flags by UID.

    :param whole: nothing is to be learned, as all messages are told of by
        :meth:`take`.
    """

    __slots__ = ("_blocks", "_whole")

    def __init__(self, *, whole: bool = False) -> None:
        self._blocks: dict[int, Flags | list[Flags]] = {}
        self._whole = whole

    def missing(self, uids: Sequence[int]) -> list[tuple[int, int]]:
        """What has to be learned before these UIDs are known: inclusive ranges.

        Whole blocks, ascending; those that touch are one range.
        """
        numbers: Iterable[int]
        if isinstance(uids, range):
            numbers = range(uids.start >> _SHIFT, (uids.stop - 1 >> _SHIFT) + 1)
        else:
            numbers = dict.fromkeys([uid >> _SHIFT for uid in uids])
        ranges: list[tuple[int, int]] = []
        for number in numbers:
            if number in self._blocks:
                continue
            first, last = number << _SHIFT, number << _SHIFT | _MASK
            if ranges and ranges[-1][1] + 1 == first:
                first = ranges.pop()[0]
            ranges.append((first, last))
        return ranges

    def learn(
        self, first: int, last: int, usual: Flags, others: Iterable[tuple[int, Flags]]
    ) -> None:
        """Know all of a range that :meth:`missing` gave.

        :param usual: the flags of its messages that are not among *others*.
        """
        for number in range(first >> _SHIFT, (last >> _SHIFT) + 1):
            self._blocks[number] = usual
        for uid, flags in others:
            self._listed(uid >> _SHIFT)[uid & _MASK] = flags

    def _listed(self, number: int) -> list[Flags]:
        """A block of which UIDs can be changed one by one."""
        block = self._blocks[number]
        if not isinstance(block, list):
            block = self._blocks[number] = [block] * BLOCK
        return block

    def take(
        self, uids: Iterable[int], flags: Iterable[Flags]
    ) -> list[tuple[int, Flags]]:
        """The *flags* of *uids* are these now.  -> those that are news, or may be

        They are not kept where a block is unknown and will be learned as it is.
        """
        news = []
        current, block = -1, None
        for uid, now in zip(uids, flags, strict=False):
            number = uid >> _SHIFT
            if number != current:
                current, block = number, self._blocks.get(number)
            if isinstance(block, list):
                if block[uid & _MASK] == now:
                    continue
                block[uid & _MASK] = now
            elif block is not None:
                if block == now:
                    continue
                block = self._listed(number)
                block[uid & _MASK] = now
            elif self._whole:
                self._blocks[number] = block = now
            news.append((uid, now))
        return news

    def of(self, uids: Sequence[int]) -> list[Flags]:
        """The flags of *uids*, of which nothing is :meth:`missing`."""
        if isinstance(uids, range):
            return self._of_run(uids.start, uids.stop)
        blocks = self._blocks
        found = []
        for uid in uids:
            block = blocks[uid >> _SHIFT]
            found.append(block[uid & _MASK] if isinstance(block, list) else block)
        return found

    def _of_run(self, start: int, stop: int) -> list[Flags]:
        found: list[Flags] = []
        while start < stop:
            end = min(stop, (start | _MASK) + 1)
            block = self._blocks[start >> _SHIFT]
            if isinstance(block, list):
                found += block[start & _MASK : (start & _MASK) + end - start]
            else:
                found += [block] * (end - start)
            start = end
        return found
