"""transport(5) of Postfix, mailertable of Sendmail: which way mail of a domain goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .lines import Notes, Remark, pairs, text_of


@dataclass(frozen=True, slots=True)
class Way:
    """How mail leaves.

    :ivar kind: ``smtp``, ``lmtp``, ``local``, ``error``, ``discard``, ``hold``; empty
        for the usual way.
    :ivar hop: ``host``, ``host:port``, ``[host]:port`` (no look at MX records) or
        ``unix:/path``; the text of an ``error``; may be empty.
    :ivar line: where it stands.
    """

    kind: str
    hop: str
    line: int


#: What others call the ways: Sendmail's mailers, Postfix's services.
_KINDS = {
    "": "", "smtp": "smtp", "relay": "smtp", "esmtp": "smtp", "smtp8": "smtp",
    "dsmtp": "smtp", "lmtp": "lmtp", "local": "local", "virtual": "local",
    "error": "error", "discard": "discard", "hold": "hold",
}  # fmt: skip
_VALUE = re.compile(r"([A-Za-z0-9_-]*):(.*)", re.DOTALL)
_HOP = re.compile(r"(?:unix:/[!-~]+|\[[^\[\]\s]+\]|[^\s:\[\]]+)(?::[A-Za-z0-9]+)?")


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
        found = _VALUE.fullmatch(text)
        if found is None or (kind := _KINDS.get(found[1].lower())) is None:
            ways = ", ".join(sorted(filter(None, set(_KINDS.values()))))
            notes.fault(number, f"expected a way ({ways}) and a colon: {text[:40]!r}")
            continue
        hop = found[2].strip()
        if kind in ("", "smtp", "lmtp") and hop and not _HOP.fullmatch(hop):
            notes.fault(number, f"expected host, host:port or [host]:port: {hop!r}")
            continue
        key = "*" if written == "." else written.lower()
        if key in entries:
            notes.remark(number, f"{written!r} was there before; the first counts")
        entries.setdefault(key, Way(kind, hop, number))
    return Transport(path, entries, notes.done())
