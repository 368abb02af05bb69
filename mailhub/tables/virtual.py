"""virtusertable of Sendmail, virtual(5) aliases of Postfix: ``jo@example.org  jim``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .lines import Entry, Notes, Remark, pairs, text_of
from .targets import split_targets

_PATTERN = re.compile("%[123]")
_DOMAIN = re.compile(r"[^\s@.]+(?:\.[^\s@.]+)+\.?")
#: Sendmail's ``++@example.org``: whoever it is, if there is a tag.
_ANYBODY_WITH_TAG = "++@"


@dataclass(frozen=True, slots=True)
class Virtual:
    """The entries of a file.

    :ivar entries: by key in lower case: ``user@domain``, ``user+*@domain``,
        ``user++@domain``, ``@domain``, and Postfix's ``user``.
    :ivar domains: those that Postfix's ``domain anything`` makes local, with the line.
    """

    path: str = ""
    entries: Mapping[str, Entry] = field(default_factory=dict)
    domains: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def find(self, address: str, separator: str = "+") -> Entry | None:
        """The entry of exactly *address*, or of all others of a domain (``@domain``).

        With a tag, ``user++@`` comes before ``user+*@``; the latter takes addresses
        without one, too.  *address* is in lower case.
        """
        entries = self.entries
        found = entries.get(address)
        if found is not None or not entries:
            return found
        local, _, domain = address.rpartition("@")
        if not local:
            return entries.get(f"+*@{domain}")
        name, sign, tag = local, "", ""
        if separator:
            name, sign, tag = local.partition(separator)
        if tag and (found := entries.get(f"{name}++@{domain}")):
            return found
        if tag or not sign:
            return entries.get(f"{name}+*@{domain}")
        return None

    def user(self, local: str) -> Entry | None:
        """The entry of a name without a domain: it holds in the machine's own."""
        return self.entries.get(local)


def has_pattern(entry: Entry) -> bool:
    """Whether ``%1`` to ``%3`` stand in it for parts of an address."""
    return any(map(_PATTERN.search, entry.targets))


def parse_virtual(data: bytes, path: str) -> Virtual:
    """The entries in a file; of several of a key the first counts.

    :raises mailhub.tables.lines.MalformedTable: they cannot be followed.
    """
    notes = Notes(path)
    entries: dict[str, Entry] = {}
    domains: dict[str, int] = {}
    for number, written, text in pairs(text_of(data, path), notes):
        key = _key(written)
        if "@" not in key and _DOMAIN.fullmatch(key):
            domains.setdefault(key.rstrip("."), number)
            continue
        if key.startswith(_ANYBODY_WITH_TAG):
            notes.remark(number, f"{written!r} has no effect; name the user")
            continue
        if text.lower().startswith("error:"):
            targets: tuple[str, ...] = (text,)
        else:
            targets = split_targets(text, number, notes)
        if not targets:
            notes.fault(number, f"no target for {written!r}")
        elif key in entries:
            notes.remark(number, f"{written!r} was there before; the first counts")
        else:
            entries[key] = Entry(targets, number)
    return Virtual(path, entries, domains, notes.done())


def _key(text: str) -> str:
    text = text.lower()
    local, at, domain = text.rpartition("@")
    if local.startswith('"') and local.endswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return local + at + domain
