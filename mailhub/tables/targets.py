r"""Lists of targets: what stands behind an alias, or in a ``.forward``.

``jo, "|/usr/bin/program a, b", Jo Doe <jo@example.org>, \jo (stays here)``
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .lines import Notes

_PIECE = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*")
      | \((?P<comment>[^()]*)\)
      | <(?P<route>[^<>"]*(?:"(?:[^"\\]|\\.)*"[^<>"]*)?)>
      | (?P<comma>,)
      | (?P<plain>(?:[^",()<>\\]|\\.)+)""",
    re.VERBOSE,
)
#: One address, as most entries of large files have.
_PLAIN = re.compile(r"[A-Za-z0-9._+=@-]+")
_QUOTED_PROGRAM = re.compile(r'\|\s*"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_ADDRESS_IN_QUOTES = re.compile(r"[^\s\"(),:;<>@\\]+(?:@[^\s\"(),:;<>@\\]+)?")
#: What may have spaces in it without quotes: ``error:nouser No such user``.
_WITH_SPACES = re.compile(r"\||:?[A-Za-z]+:")


class _Odd(ValueError):
    """A list that cannot be split; says why."""


def split_targets(text: str, line: int, notes: Notes) -> tuple[str, ...]:
    """The targets in *text*, without quotes, comments and names of people.

    What is wrong with them as a list is noted; what each means is not asked here.
    """
    if _PLAIN.fullmatch(text):
        return (text,)
    try:
        targets = tuple(_targets(text))
    except _Odd as odd:
        notes.fault(line, str(odd))
        return ()
    for target in targets:
        if target.startswith("/") and target != "/dev/null":
            notes.remark(line, f"mail is not written to files, as to {target!r}")
    return targets


def _targets(text: str) -> Iterator[str]:
    pieces: list[str] = []
    route = None
    for found in _pieces(text):
        match found.lastgroup:
            case "comma":
                yield from _target(pieces, route)
                pieces, route = [], None
            case "route":
                route = found["route"].strip()
            case "comment":
                pass
            case _:
                pieces.append(found[0])
    yield from _target(pieces, route)


def _pieces(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:
            raise _Odd(f"{text[at]!r} without its counterpart")
        yield found
        at = found.end()


def _target(pieces: list[str], route: str | None) -> Iterator[str]:
    """The one target that *pieces* are, if they are one: a comma may end a list."""
    target = "".join(pieces).strip() if route is None else route
    if not target:
        if route is not None:
            raise _Odd("nothing in angle brackets")
        return
    if route is None:
        target = _unquoted(target)
    if not _WITH_SPACES.match(target) and re.search(r"\s", _outside_quotes(target)):
        raise _Odd(f"expected a comma in {target!r}")
    yield target


def _unquoted(target: str) -> str:
    """*target* without quotes around all of it, but a local part keeps those it needs.

    ``"jo smith"`` is a local part and needs them; ``"|program"`` does not, nor does
    ``|"program"``, which means the same.
    """
    if found := _QUOTED_PROGRAM.fullmatch(target):
        return "|" + _ESCAPE.sub(r"\1", found[1]).strip()
    if not re.fullmatch(r'"(?:[^"\\]|\\.)*"', target):
        return target
    inner = _ESCAPE.sub(r"\1", target[1:-1]).strip()
    if inner[:1] in ("|", "/", "\\", "@") or _WITH_SPACES.match(inner):
        return inner
    return inner if _ADDRESS_IN_QUOTES.fullmatch(inner) else target


def _outside_quotes(target: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", target)
