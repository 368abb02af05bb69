"""What a setting's value may be: read from TOML, shown as TOML.

Each kind's ``read`` turns what ``tomllib`` gives into the value a dataclass holds
and raises :class:`Unfit` with a sentence that begins with what was expected.
``show`` is the way back.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ..tables.tags import Tag
from ..watched.places import AccessPlace

_OCTETS_IN = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SECONDS_IN = {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86400}
# Patterns are compiled at their first use: most commands need none of them.
#: Far more digits than any limit needs.
_AMOUNT = r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]{0,3})"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*"
_ATOMS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
_ADDRESS = f"{_ATOMS}@{_HOST_NAME}"
_ABOUT = {tag.value: tag for tag in Tag}
#: ``sun_path`` holds 108 octets with its final NUL (unix(7)).
_LONGEST_UNIX_PATH = 107


class Unfit(ValueError):
    """A value that a setting cannot have; the text says what was expected."""


class Kind(Protocol):
    """What a setting may be."""

    def read(self, value: object, folder: str) -> Any:
        """The value to use; *folder* is where relative paths begin.

        :raises Unfit: it is something else.
        """

    def show(self, value: Any) -> str:
        """*value* in TOML."""


def quoted(text: str) -> str:
    """*text* as a TOML basic string."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return (
        '"'
        + "".join(
            escapes.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}")
            for c in text
        )
        + '"'
    )


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def read(self, value: object, folder: str) -> bool:
        if not isinstance(value, bool):
            raise Unfit("expected true or false")
        return value

    def show(self, value: bool) -> str:
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: object, folder: str) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise Unfit("expected " + " or ".join(map(quoted, self.words)))
        return value

    def show(self, value: str) -> str:
        return quoted(value)


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number within bounds; there is none that means "unlimited"."""

    least: int
    most: int

    def read(self, value: object, folder: str) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not self.least <= value <= self.most:  # type: ignore[operator]
            raise Unfit(f"expected a whole number from {self.least} to {self.most}")
        return value  # type: ignore[return-value]

    def show(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with a unit: plain, or as text such as ``"50 MiB"``.

    :ivar whole: whether parts of the smallest unit make no sense.
    """

    what: str
    example: str
    units: dict[str, int]
    least: int
    most: int
    whole: bool

    def read(self, value: object, folder: str) -> float:
        amount = self._amount(value)
        if self.whole and amount is not None:
            amount = int(amount) if amount == int(amount) else None
        if amount is None:
            raise Unfit(
                f"expected {self.what} from {self._plain(self.least)} to"
                f" {self._plain(self.most)}, as a number or like {quoted(self.example)}"
            )
        return amount

    def _amount(self, value: object) -> float | None:
        """What *value* stands for, where that is within the bounds."""
        amount: float | None = None
        if isinstance(value, int | float) and not isinstance(value, bool):
            amount = value
        elif isinstance(value, str) and (match := re.fullmatch(_AMOUNT, value.strip())):
            unit = self.units.get(match[2])
            amount = float(match[1]) * unit if unit else None
        fits = amount is not None and self.least <= amount <= self.most
        return amount if fits else None

    def show(self, value: float) -> str:
        plain = self._plain(value)
        return quoted(plain) if " " in plain else plain

    def _plain(self, value: float) -> str:
        """In the largest unit that leaves no rest."""
        for unit, size in reversed(self.units.items()):
            if size > 1 and value and value % size == 0:
                return f"{int(value // size)} {unit}"
        return str(int(value)) if value == int(value) else str(value)


def octets(least: int, most: int) -> Amount:
    """A size in octets, an ``int``."""
    return Amount("octets", "50 MiB", _OCTETS_IN, least, most, whole=True)


def seconds(least: int, most: int) -> Amount:
    """A time in seconds, an ``int`` or a ``float``."""
    return Amount("seconds", "5 min", _SECONDS_IN, least, most, whole=False)


@dataclass(frozen=True, slots=True)
class Text:
    """Text of a given form; ``""`` where the setting may be left empty."""

    expected: str
    fits: Callable[[str], object]
    may_be_empty: bool = False

    def read(self, value: object, folder: str) -> str:
        empty = value == "" and self.may_be_empty
        if not isinstance(value, str) or not (empty or self.fits(value)):
            raise Unfit(f"expected {self.expected}")
        return value

    def show(self, value: str) -> str:
        return quoted(value)


def host_name() -> Text:
    """A host name in letters, digits and hyphens (RFC 1123, section 2.1)."""
    return Text(
        'a host name such as "mail.example.org"',
        partial(re.fullmatch, _HOST_NAME),
        True,
    )


def address() -> Text:
    """A plain mail address."""
    return Text(
        'an address such as "jo@example.org", or ""',
        partial(re.fullmatch, _ADDRESS),
        True,
    )


def domain_pattern() -> Text:
    """A domain, or with a dot before it all that are below it."""
    return Text(
        'a domain such as "example.org", or ".example.org" for those below it',
        partial(re.fullmatch, rf"\.?{_HOST_NAME}"),
    )


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What an address, or all of a domain, becomes: two words."""

    def read(self, value: object, folder: str) -> tuple[str, str]:
        match value.split() if isinstance(value, str) else ():
            case [old, new] if (
                re.fullmatch(rf"{_ADDRESS}|@\.?{_HOST_NAME}", old)
                and re.fullmatch(rf"{_ADDRESS}|@{_HOST_NAME}", new)
            ):
                return old, new
        raise Unfit(
            'expected an address or a @domain and what it becomes, such as'
            ' "root@example.org jo@example.org" or "@mx.example.org @example.org"'
        )

    def show(self, value: tuple[str, str]) -> str:
        return quoted(" ".join(value))


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder; a relative one begins at the configuration's folder."""

    what: str
    may_be_empty: bool = False

    def read(self, value: object, folder: str) -> str:
        if value == "" and self.may_be_empty:
            return ""
        if not isinstance(value, str) or not value or "\0" in value:
            raise Unfit(f"expected the path of a {self.what}")
        return os.path.normpath(os.path.join(folder, os.path.expanduser(value)))

    def show(self, value: str) -> str:
        return quoted(value)


@dataclass(frozen=True, slots=True)
class AccessTable:
    """The path of an access table, with or without what it is about before it."""

    def read(self, value: object, folder: str) -> AccessPlace:
        place = Place("file")
        if isinstance(value, str):
            name, colon, path = value.partition(":")
            if colon and name in _ABOUT:
                return AccessPlace(place.read(path, folder), _ABOUT[name])
        return AccessPlace(place.read(value, folder))

    def show(self, value: AccessPlace) -> str:
        return quoted(str(value))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen: an IP address and a port, or a UNIX socket's path."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, each member read by *member*."""

    member: Kind
    least: int = 0

    def read(self, value: object, folder: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Unfit(f"expected a list [...]; {_expectation_of(self.member)}")
        if len(value) < self.least:
            raise Unfit("expected one at least")
        return tuple(self.member.read(each, folder) for each in value)

    def show(self, value: tuple[Any, ...]) -> str:
        return "[" + ", ".join(map(self.member.show, value)) + "]"


def _expectation_of(kind: Kind) -> str:
    """What *kind* says to something that fits nothing."""
    try:
        kind.read(None, "")
    except Unfit as unfit:
        return f"in it, {unfit}"
    return ""


@dataclass(frozen=True, slots=True)
class Listener:
    """One address to listen on."""

    may_be_unix: bool = False

    def read(self, value: object, folder: str) -> Endpoint:
        endpoint = None
        if isinstance(value, str):
            if not value.startswith("unix:"):
                endpoint = _internet_endpoint(value)
            elif self.may_be_unix:
                endpoint = _unix_endpoint(value[len("unix:") :], folder)
        if endpoint is None:
            unix = ' or "unix:PATH"' if self.may_be_unix else ""
            raise Unfit(
                'expected "address:port" with an IP address, such as "127.0.0.1:2525"'
                f' or "[::1]:2525"{unix}'
            )
        return endpoint

    def show(self, value: Endpoint) -> str:
        return quoted(str(value))


#: The port of DNS (RFC 1035, section 4.2).
_DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Resolver:
    """One server that may be asked for names; its port may be left out."""

    def read(self, value: object, folder: str) -> Endpoint:
        endpoint = None
        if isinstance(value, str):
            endpoint = _internet_endpoint(value) or _internet_endpoint(
                f"[{value}]:{_DNS_PORT}" if ":" in value else f"{value}:{_DNS_PORT}"
            )
        if endpoint is None or not endpoint.port:
            raise Unfit(
                'expected an IP address such as "127.0.0.1" or "::1", perhaps with a'
                ' port: "127.0.0.1:5300", "[::1]:5300"'
            )
        return endpoint

    def show(self, value: Endpoint) -> str:
        return quoted(value.host if value.port == _DNS_PORT else str(value))


def _internet_endpoint(text: str) -> Endpoint | None:
    import socket  # the mailhub command should not wait for it each time

    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        return None
    family = socket.AF_INET
    if host.startswith("[") and host.endswith("]"):
        host, family = host[1:-1], socket.AF_INET6
    try:
        packed = socket.inet_pton(family, host)
    except (OSError, ValueError):  # ValueError: a NUL inside
        return None
    if int(port) > 65535:
        return None
    return Endpoint(socket.inet_ntop(family, packed), int(port))


def _unix_endpoint(path: str, folder: str) -> Endpoint | None:
    if not path or "\0" in path:
        return None
    path = os.path.normpath(os.path.join(folder, path))
    return Endpoint(path=path) if len(os.fsencode(path)) <= _LONGEST_UNIX_PATH else None


@dataclass(frozen=True, slots=True)
class LoginSource:
    """Where passwords are looked up: ``store``, or a ``passwd-file`` at *path*."""

    name: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.path}" if self.path else self.name


@dataclass(frozen=True, slots=True)
class Source:
    """One place where passwords are looked up."""

    def read(self, value: object, folder: str) -> LoginSource:
        match value.partition(":") if isinstance(value, str) else None:
            case ("store", "", ""):
                return LoginSource("store")
            case ("passwd-file", ":", path) if path and "\0" not in path:
                return LoginSource(
                    "passwd-file", os.path.normpath(os.path.join(folder, path))
                )
        raise Unfit('expected "store" or "passwd-file:PATH"')

    def show(self, value: LoginSource) -> str:
        return quoted(str(value))
