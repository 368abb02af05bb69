"""On which line of a TOML document each key stands.

:mod:`tomllib` keeps no positions, and a refused setting should be named with its
line.  This scans a document that ``tomllib`` has accepted already, so it need not
find errors, only keys; one pass, linear in the length.
"""

from __future__ import annotations

import re
import tomllib

#: The way to a value: table names, key, and positions in arrays.
Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
#: One token inside a value: a string, a bracket, a comma, a comment, a line end,
#: or a run of anything else (numbers, dates, booleans, keys of inline tables).
_TOKEN = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|'''
    r"""[\[\]{},\n]|\#[^\n]*|[^\[\]{},\n\#"']+""",
    re.DOTALL,
)


class Lines:
    """The line (from 1) of every key and array element of a document."""

    def __init__(self, text: str) -> None:
        """*text* is a document that :func:`tomllib.loads` accepts."""
        self._found: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._counted_to = 0
        self._table: Path = ()
        self._scan()

    def of(self, path: Path) -> int:
        """The line of *path*, or of the nearest thing around it, or 1."""
        while path:
            line = self._found.get(path)
            if line is not None:
                return line
            path = path[:-1]
        return 1

    def _scan(self) -> None:
        while True:
            self._skip(_BLANK)
            if self._at >= len(self._text):
                return
            if self._text[self._at] == "[":
                self._header()
            else:
                path = self._table + self._key()
                self._note(path)
                self._skip(_SPACES)
                self._at += 1  # the equals sign
                self._value(path)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _note(self, path: Path) -> None:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        self._found.setdefault(path, self._line)

    def _header(self) -> None:
        """``[table]`` or ``[[array of tables]]``."""
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        self._table = self._key()
        self._note(self._table)
        self._skip(_SPACES)
        self._at += brackets

    def _key(self) -> Path:
        parts: list[str] = []
        while True:
            self._skip(_SPACES)
            match = _KEY_PART.match(self._text, self._at)
            if match is None:
                return tuple(parts)
            parts.append(_plain(match.group()))
            self._at = match.end()
            self._skip(_SPACES)
            if not self._text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1

    def _value(self, path: Path) -> None:
        """Pass over one value; note where the elements of an array stand."""
        self._skip(_SPACES)
        is_array = self._text.startswith("[", self._at)
        depth = position = 0
        element_due = False
        while (match := _TOKEN.match(self._text, self._at)) is not None:
            token = match.group()
            if element_due and not token.isspace() and token[0] not in "#],":
                blanks = len(token) - len(token.lstrip())
                self._at += blanks
                self._note((*path, position))
                element_due = False
            self._at = match.end()
            match token:
                case "[" | "{":
                    depth += 1
                    element_due = element_due or (is_array and depth == 1)
                case "]" | "}":
                    depth -= 1
                case "," if depth == 1 and is_array:
                    position += 1
                    element_due = True
                case "\n" if depth == 0:
                    return


def _plain(part: str) -> str:
    """A part of a key without its quotes."""
    if part[0] == '"':
        return str(tomllib.loads(f"key = {part}")["key"])
    return part.strip("'")
