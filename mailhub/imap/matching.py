"""Which mailboxes LIST and LSUB show (RFC 3501, section 6.3.8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..mail.mailbox import INBOX, MAX_NAME_OCTETS, SEPARATOR, MailboxInfo

#: Wildcards side by side match what the widest of them does.
_WILDCARDS = re.compile(r"[*%]{2,}")
#: Longer patterns, without neighbouring wildcards, match no possible name.
_LONGEST = 2 * MAX_NAME_OCTETS + 1
_INBOX_LEVEL = re.compile(rf"{INBOX}(?![^{SEPARATOR}*%])", re.IGNORECASE)


class Pattern:
    """A mailbox name with wildcards: ``%`` stops at the separator, ``*`` does not.

    All places of the pattern that the name may stand at are followed at once, as
    bits of one number, so the cost is one step for each character of the name
    (attack: LIST wildcards that send a back-tracking matcher round for minutes).
    """

    __slots__ = ("_final", "_literal", "_places", "_stars", "_wild")

    def __init__(self, text: str) -> None:
        text = _INBOX_LEVEL.sub(INBOX, text, count=1) if _starts_inbox(text) else text
        text = _WILDCARDS.sub(lambda run: "*" if "*" in run[0] else "%", text)
        if len(text) > _LONGEST:
            text = ""
        self._literal = None if _has_wildcards(text) else text
        self._stars = self._wild = 0
        self._places: dict[str, int] = {}
        for place, character in enumerate(text):
            bit = 1 << place
            if character == "*":
                self._stars |= bit
            if character in "*%":
                self._wild |= bit
            else:
                self._places[character] = self._places.get(character, 0) | bit
        self._final = 1 << len(text)

    def matches(self, name: str) -> bool:
        """Whether *name*, canonical, is one of those that the pattern means."""
        if self._literal is not None:
            return name == self._literal
        places = self._passed(1)
        for character in name:
            stay = self._stars if character == SEPARATOR else self._wild
            step = places & self._places.get(character, 0)
            places = self._passed((places & stay) | step << 1)
            if not places:
                return False
        return bool(places & self._final)

    def _passed(self, places: int) -> int:
        """*places*, and those behind wildcards that match nothing there.

        One step is enough, as no two wildcards are side by side.
        """
        return places | (places & self._wild) << 1


def _has_wildcards(text: str) -> bool:
    return "*" in text or "%" in text


def _starts_inbox(text: str) -> bool:
    """INBOX is the same in any case, also as the first level of a pattern."""
    return text[: len(INBOX)].upper() == INBOX


@dataclass(frozen=True, slots=True)
class Row:
    """A row of LIST or LSUB."""

    name: str
    attributes: tuple[bytes, ...]


def list_rows(
    infos: Sequence[MailboxInfo], *, special_only: bool = False
) -> Iterator[Row]:
    """What LIST may show: mailboxes, and parents that are none themselves.

    ``\\HasChildren`` is RFC 3348; a special use such as ``\\Sent`` is RFC 6154.

    :param special_only: only mailboxes with a special use.
    """
    parents = set(parents_of(info.name for info in infos if info.exists))
    for info in infos:
        if not info.exists and info.name not in parents:
            continue
        if not special_only or info.special_use is not None:
            yield Row(info.name, _attributes(info, info.name in parents))
    if not special_only:
        for name in sorted(parents - {info.name for info in infos}):
            yield Row(name, (b"\\Noselect", b"\\HasChildren"))


def _attributes(info: MailboxInfo, has_children: bool) -> tuple[bytes, ...]:
    attributes = [] if info.exists else [b"\\Noselect"]
    attributes.append(b"\\HasChildren" if has_children else b"\\HasNoChildren")
    if info.special_use is not None:
        attributes.append(info.special_use.encode("ascii"))
    return tuple(attributes)


def subscribed_rows(infos: Sequence[MailboxInfo]) -> Iterator[Row]:
    """What LSUB may show first; :func:`hidden_rows` comes second."""
    for info in infos:
        if info.subscribed:
            yield Row(info.name, ())


def hidden_rows(hidden: Iterable[str], shown: Iterable[str]) -> Iterator[Row]:
    """Parents that stand for subscribed names which a ``%`` has hidden.

    RFC 3501, section 6.3.9: marked ``\\Noselect``, and only if not *shown*.
    """
    for name in sorted(set(parents_of(hidden)).difference(shown)):
        yield Row(name, (b"\\Noselect",))


def parents_of(names: Iterable[str]) -> Iterator[str]:
    """All names above *names* in the hierarchy."""
    for name in names:
        end = name.rfind(SEPARATOR)
        while end > 0:
            yield name[:end]
            end = name.rfind(SEPARATOR, 0, end)
