"""Log events as lines: for people, as JSON, as logfmt.

A line never holds more than one event: what is not printable is escaped (attack: a
line end in a name or a command, to forge an entry).  Secrets never get this far; as
a second net, values whose names say that they are secret are left out.
"""

from __future__ import annotations

import math
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from twisted.logger import LogLevel
from twisted.python.failure import Failure

from .formats import Event, Format, compiled, escape

#: Kinds of events that are kept in compiled form.  A program has some hundreds; one
#: that makes up format strings as it runs must not fill memory.
MAX_KINDS = 1_000
#: Priorities of syslog(3), as sd-daemon(3) wants them in front of a line.
_PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}
_SECRET = re.compile(r"passw|secret|token|credential|authorization", re.IGNORECASE)
_REDACTED = quote("[redacted]")
#: What Twisted's old log adds to its events besides what was said.
_LEGACY = frozenset(
    {"message", "time", "system", "format", "isError", "failure", "why", "logLevel"}
)
#: Names that every line has.
_TAKEN = frozenset({"ts", "level", "ns", "event", "message", "traceback"})
#: What logfmt needs no quotes for.
_BARE = re.compile(r"[!#-<>-\[\]-~]+")


class Renderer(ABC):
    """Makes a line of an event, its line end included."""

    def __init__(self) -> None:
        self._second = -1
        self._date = ""

    @abstractmethod
    def __call__(self, event: Event) -> str:
        """The line, or lines, of *event*."""

    def _date_of(self, seconds: float) -> str:
        """The date and the time to the second; one call of :mod:`time` for each."""
        second = int(seconds)
        if second != self._second:
            self._date = self._format_date(second)
            self._second = second
        return self._date

    @abstractmethod
    def _format_date(self, second: int) -> str: ...


class TextLines(Renderer):
    """``2026-11-21T02:01:34+0000 [namespace#level] message``, as Twisted has it.

    Further lines (a traceback) are indented.

    :param journal: for systemd's journal, which knows the time: the priority stands
        in front of each line instead.
    :param place: where it happened, in front of the namespace.
    """

    def __init__(self, journal: bool = False, place: str = "") -> None:
        super().__init__()
        self._journal = journal
        self._place = place
        self._kinds: dict[tuple[Any, ...], tuple[str, str, Format]] = {}

    def __call__(self, event: Event) -> str:
        """The line, or lines, of *event*."""
        get = event.get
        key = (
            get("log_format"), get("log_namespace"), get("log_level"),
            get("log_system"),
        )  # fmt: skip
        kind = self._kinds.get(key)
        if kind is None:
            kind = _keep(self._kinds, key, self._compile(*key))
        mark, origin, form = kind
        date = mark or self._date_of(get("log_time") or time.time())
        text = f"{date}{origin}{form.lines(event)}\n"
        if "log_failure" in event:
            text += _indented(event["log_failure"])
        if text.count("\n") > 1:
            text = text[:-1].replace("\n", f"\n{mark}\t") + "\n"
        return text

    def _compile(
        self, form: Any, namespace: Any, level: Any, system: Any
    ) -> tuple[str, str, Format]:
        name = _level_name(level)
        mark = f"<{_PRIORITIES[name]}>" if self._journal else ""
        origin = escape(system or f"{namespace or '-'}#{name}")
        separator = "" if self._journal else " "
        return mark, f"{separator}[{self._place}{origin}] ", compiled(form)

    def _format_date(self, second: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second))


class _Structured(Renderer):
    """Lines of names and values."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[Any, ...], _Kind] = {}

    def __call__(self, event: Event) -> str:
        """The line of *event*."""
        get = event.get
        key = (get("log_format"), get("log_namespace"), get("log_level"), *event)
        kind = self._kinds.get(key)
        if kind is None:
            kind = _keep(self._kinds, key, self._compile(*key[:3], names=list(event)))
        seconds = event.get("log_time") or time.time()
        date = f"{self._date_of(seconds)}.{int(seconds % 1 * 1e6):06d}Z"
        return self._line(date, kind, event)

    def _compile(
        self, form: Any, namespace: Any, level: Any, *, names: list[str]
    ) -> _Kind:
        own = [
            name for name in names
            if not name.startswith("log_") and name not in _LEGACY
        ]  # fmt: skip
        start = self._start(_level_name(level), str(namespace or "-"), str(form or ""))
        shown = compiled(form).message
        fields = [(name, self._opening(_free(name)), _converter(name)) for name in own]
        return start, shown, fields

    def _format_date(self, second: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))

    @abstractmethod
    def _start(self, level: str, namespace: str, form: str) -> str:
        """What stands between the time and the message."""

    @abstractmethod
    def _opening(self, name: str) -> str:
        """What stands between a value and the one before."""

    @abstractmethod
    def _line(self, date: str, kind: _Kind, event: Event) -> str: ...


#: What stands before the message, what makes the message, and for each field its
#: name in the event, what stands before its value, and what makes the value.
_Kind = tuple[
    str, Callable[[Event], str], list[tuple[str, str, Callable[[Any], str]]]
]


class JSONLines(_Structured):
    """One JSON object a line: ts, level, ns, event, message and the event's own."""

    def _start(self, level: str, namespace: str, form: str) -> str:
        return (
            f'","level":"{level}","ns":{quote(namespace)},"event":{quote(form)}'
            ',"message":'
        )

    def _opening(self, name: str) -> str:
        return f",{quote(name)}:"

    def _line(self, date: str, kind: _Kind, event: Event) -> str:
        start, shown, fields = kind
        parts = ['{"ts":"', date, start, quote(shown(event))]
        for name, opening, convert in fields:
            parts += opening, convert(event[name])
        if "log_failure" in event:
            parts += ',"traceback":', quote(_traceback(event["log_failure"]))
        parts.append("}\n")
        return "".join(parts)


class LogfmtLines(_Structured):
    """``ts=... level=... ns=... message=... name=value``."""

    def _start(self, level: str, namespace: str, form: str) -> str:
        return f" level={level} ns={_bare(quote(namespace))} message="

    def _opening(self, name: str) -> str:
        return f" {name}="

    def _line(self, date: str, kind: _Kind, event: Event) -> str:
        start, shown, fields = kind
        parts = ["ts=", date, start, _bare(quote(shown(event)))]
        for name, opening, convert in fields:
            parts += opening, _bare(convert(event[name]))
        if "log_failure" in event:
            parts += " traceback=", quote(_traceback(event["log_failure"]))
        parts.append("\n")
        return "".join(parts)


RENDERERS: dict[str, type[Renderer]] = {
    "text": TextLines,
    "json": JSONLines,
    "logfmt": LogfmtLines,
}


def _keep(kinds: dict[Any, Any], key: Any, kind: Any) -> Any:
    if len(kinds) >= MAX_KINDS:
        kinds.clear()
    kinds[key] = kind
    return kind


def _level_name(level: Any) -> str:
    return level.name if level is not None else LogLevel.info.name


def _free(name: str) -> str:
    """A name for a field that takes nobody else's place."""
    return f"{name}_" if name in _TAKEN else name


def _converter(name: str) -> Callable[[Any], str]:
    return _redacted if _SECRET.search(name) else _value


def _redacted(value: object) -> str:
    return _REDACTED


def _value(value: Any) -> str:
    """*value* in JSON: numbers and the like as such, all else as text."""
    kind = value.__class__
    if kind is str:
        return quote(value)
    if kind is int:
        return repr(value)
    if kind is bool or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if kind is float and math.isfinite(value):
        return repr(value)
    if kind is bytes:
        return quote(value.decode("utf-8", "backslashreplace"))
    try:
        return quote(str(value))
    except Exception:
        return quote(f"[{kind.__name__} that cannot be shown]")


def _bare(quoted: str) -> str:
    """JSON text without its quotes, where logfmt needs none."""
    inner = quoted[1:-1]
    return inner if quoted[0] == '"' and _BARE.fullmatch(inner) else quoted


def _traceback(failure: Failure) -> str:
    try:
        return failure.getTraceback().rstrip("\n")
    except Exception:
        return "[a traceback that cannot be shown]"


def _indented(failure: Failure) -> str:
    lines = _traceback(failure).split("\n")
    return "".join(f"{escape(line)}\n" for line in lines)
