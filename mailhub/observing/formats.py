"""Format strings of log events, compiled.

Every event of one place in the code has the same format string, so it is taken
apart once.  What remains is one ``%`` for most events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from string import Formatter
from typing import Any

from twisted.logger import formatEvent

from ..logbook import Lines

Event = dict[str, Any]

#: Field names that are keys of the event; others ask for attributes, items, calls.
_KEY = re.compile(r"[^\W\d]\w*")
_CONVERSIONS: Mapping[str | None, tuple[str, Callable[[Any], str]]] = {
    None: ("%s", str),
    "s": ("%s", str),
    "r": ("%r", repr),
    "a": ("%a", ascii),
}


@dataclass(frozen=True, slots=True)
class Format:
    """A compiled format string.

    :ivar show: the message of an event, as its values are.
    :ivar fields: what stands between the pieces of text.
    :ivar pieces: the text; one more than there are fields.
    """

    show: Callable[[Event], str]
    fields: tuple[Callable[[Event], Any], ...] = ()
    pieces: tuple[str, ...] = ()

    def message(self, event: Event) -> str:
        """The message on one line, whatever the values are."""
        text = self.show(event)
        return text if text.isprintable() else escape(text)

    def lines(self, event: Event) -> str:
        """The same, but with the line ends of :class:`~mailhub.logbook.Lines`."""
        text = self.show(event)
        if text.isprintable():
            return text
        if not any(isinstance(field(event), Lines) for field in self.fields):
            return escape(text)
        values = [_shown(field(event)) for field in self.fields]
        return "".join(
            piece
            for pair in zip(map(escape, self.pieces), [*values, ""], strict=True)
            for piece in pair
        )


def compiled(text: str | None) -> Format:
    """The format string *text*, which may be anything."""
    try:
        parsed = list(Formatter().parse(text or ""))
    except ValueError:
        return Format(formatEvent)
    template, keys, fields, pieces = "", [], [], [""]
    for literal, name, spec, conversion in parsed:
        template += literal.replace("%", "%%")
        pieces[-1] += literal
        if name is None:
            continue
        if spec or conversion not in _CONVERSIONS or not _KEY.fullmatch(name):
            # Rare, and the same as everywhere else in Twisted.
            return Format(formatEvent)
        place, convert = _CONVERSIONS[conversion]
        template += place
        keys.append(name)
        fields.append(_field(name, convert))
        pieces.append("")
    return Format(_guarded(template, keys), tuple(fields), tuple(pieces))


def escape(text: str) -> str:
    """*text* with everything escaped that a terminal or a reader takes for more
    than a character: controls, line ends of all kinds, marks of direction, halves of
    surrogates."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _shown(value: Any) -> str:
    if isinstance(value, Lines):
        return "\n".join(map(escape, value.split("\n")))
    return escape(value)


def _field(name: str, convert: Callable[[Any], str]) -> Callable[[Event], Any]:
    def field(event: Event) -> Any:
        value = event[name]
        return value if isinstance(value, Lines) else convert(value)

    return field


def _guarded(template: str, keys: list[str]) -> Callable[[Event], str]:
    """Fills *template*; where that fails, says what Twisted says then."""
    if not keys:
        constant = template % ()
        return lambda event: constant
    first, many = keys[0], itemgetter(*keys)
    single = len(keys) == 1

    def show(event: Event) -> str:
        try:
            return template % ((event[first],) if single else many(event))
        except Exception:
            return formatEvent(event)

    return show
