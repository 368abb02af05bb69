"""transport(5) of Postfix, mailertable of Sendmail: which way mail of a domain goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .lines import Notes, Remark, pairs, text_of


@dataclass(frozen=True, slots=True)
class Way:
    """How mail leaves.

    :ivar destination: ``smtp:host:25``, ``lmtp:host:24``, ``lmtp:unix:/path``; empty
        for the usual way.
    :ivar refusal: the text behind ``error:``, where mail is refused instead.
    :ivar line: where it stands.
    """

    destination: str
    refusal: str | None
    line: int


#: What others call the ways: Sendmail's mailers, Postfix's services.
_KINDS = {
    "smtp": "smtp", "relay": "smtp", "esmtp": "smtp", "smtp8": "smtp",
    "dsmtp": "smtp", "lmtp": "lmtp",
}  # fmt: skip
_PORTS = {"smtp": 25, "lmtp": 24, "submission": 587, "smtps": 465, "submissions": 465}
_VALUE = re.compile(r"([A-Za-z0-9_-]*):(.*)", re.DOTALL)
_SOCKET = re.compile(r"unix:/[!-~]+")
_HOST = re.compile(r"(\[?)([A-Za-z0-9_.:-]+?)(\]?)(?::([A-Za-z0-9]{1,11}))?")


class _NoWay(ValueError):
    """A right-hand side that is no way; says why."""


@dataclass(frozen=True, slots=True)
class Transport:
    """The entries of a file, by ``user@domain``, ``domain``, ``.domain`` and ``*``."""

    path: str = ""
    entries: Mapping[str, Way] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def find(self, address: str) -> Way | None:
        """The way of mail for *address* (lower case), or ``None`` for the usual one."""
        if not self.entries:
            return None
        for key in _keys(address):
            way = self.entries.get(key)
            if way is not None:
                return way
        return None


def _keys(address: str) -> Iterator[str]:
    local, _, domain = address.rpartition("@")
    name = local.partition("+")[0]
    yield address
    if name and name != local:
        yield f"{name}@{domain}"
    yield domain
    while "." in domain:
        domain = domain.partition(".")[2]
        yield f".{domain}"
    yield "*"


def parse_transport(data: bytes, path: str) -> Transport:
    """The entries in a file; of several of a key the first counts.

    :raises mailhub.tables.lines.MalformedTable: they cannot be followed.
    """
    notes = Notes(path)
    entries: dict[str, Way] = {}
    for number, written, text in pairs(text_of(data, path), notes):
        try:
            way = _way(text, number, notes)
        except _NoWay as error:
            notes.fault(number, str(error))
            continue
        key = "*" if written == "." else written.lower()
        if key in entries:
            notes.remark(number, f"{written!r} was there before; the first counts")
        entries.setdefault(key, way)
    return Transport(path, entries, notes.done())


def _way(text: str, line: int, notes: Notes) -> Way:
    found = _VALUE.fullmatch(text)
    if found is None:
        raise _NoWay(f"expected a way such as smtp:[host]:25, got {text[:40]!r}")
    name, hop = found[1].lower(), found[2].strip()
    if name == "error":
        return Way("", hop, line)
    if not name and not hop:
        return Way("", None, line)
    kind = _KINDS.get(name or "smtp")
    if kind is None:
        raise _NoWay(f"no way {name!r} here; an access table says DISCARD or HOLD")
    if not hop:
        return Way("", None, line)
    if kind == "lmtp" and _SOCKET.fullmatch(hop):
        return Way(f"lmtp:{hop}", None, line)
    host = _HOST.fullmatch(hop)
    if host is None or bool(host[1]) != bool(host[3]) or (
        ":" in host[2] and not host[1]
    ):
        raise _NoWay(f"expected host, [host] or [host]:port, got {hop[:40]!r}")
    port = _PORTS.get(host[4] or kind, host[4])
    if not host[1]:
        notes.remark(line, f"MX records of {host[2]} are not looked up")
    literal = f"[{host[2]}]" if ":" in host[2] else host[2]
    if not str(port).isdigit():
        raise _NoWay(f"no port {port!r}")
    return Way(f"{kind}:{literal}:{port}", None, line)
