"""MTA-STS: what a domain says of its servers over HTTPS (RFC 8461).

The words of it: the TXT record that says there is a policy, the policy's text, and
which hosts it allows.  When it is fetched and how long it is kept is the business of
:mod:`.mta_sts_policies`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ..errors import SyntaxFault

#: Octets of a policy (RFC 8461, section 3.3, suggests 64 KiB).
MAX_POLICY = 65_536
#: Patterns in a policy; nobody has so many names for servers.
MAX_PATTERNS = 200
#: Seconds that a policy may hold: a year (RFC 8461, section 3.2).
MAX_AGE = 31_557_600

_RECORD = re.compile(rb"v=STSv1[ \t]*;[\x20-\x7e\t]*\Z")
_FIELD = re.compile(
    rb"[ \t]*([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x21-\x3a\x3c\x3e-\x7e]+)[ \t]*\Z"
)
_ID = re.compile(rb"[A-Za-z0-9]{1,32}\Z")
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*?)[ \t]*\Z", re.DOTALL)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*\Z"
_PATTERN = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.)?{_NAME}")
_DOMAIN = re.compile(rf"(?=.{{1,240}}\Z){_NAME}")


class Mode(Enum):
    """What to do about servers that do not fulfil a policy (RFC 8461, section 5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


_MODES = {mode.value: mode for mode in Mode}


@dataclass(frozen=True, slots=True)
class Policy:
    """A domain's policy.

    :ivar patterns: names of its servers in lower case; ``*.`` stands for one label.
    :ivar max_age: seconds that it holds from when it was fetched.
    """

    mode: Mode
    patterns: tuple[str, ...]
    max_age: int

    def allows(self, host: str) -> bool:
        """Whether *host* is one of the domain's servers (RFC 8461, section 4.1)."""
        host = host.lower().removesuffix(".")
        _, _, rest = host.partition(".")
        return host in self.patterns or bool(rest) and f"*.{rest}" in self.patterns


def may_have_policy(domain: str) -> bool:
    """Whether *domain* is a host's name, in lower case, and not so long that the names
    around it could not be.  A policy's name in a file system is safe, then."""
    return _DOMAIN.match(domain) is not None


def policy_id(records: Iterable[object]) -> str | None:
    """The id in a domain's TXT records; ``None``: it says nothing of a policy.

    Several such records, or a damaged one, count as none (RFC 8461, section 3.1).
    """
    found = [each for each in records if isinstance(each, bytes)]
    found = [each for each in found if _RECORD.match(each)]
    if len(found) != 1:
        return None
    for text in found[0].split(b";")[1:]:
        field = _FIELD.match(text)
        if field is not None and field[1] == b"id":
            return field[2].decode() if _ID.match(field[2]) else None
    return None


def parse_policy(text: str) -> Policy:
    """The policy that *text* states (RFC 8461, section 3.2).

    What is not known is passed over, empty lines too, and of a field that is there
    twice the first counts.

    :raises SyntaxFault: it is none.
    """
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in filter(None, text.replace("\r\n", "\n").split("\n")):
        match = _LINE.match(line)
        if match is None:
            raise SyntaxFault("a line of the policy that is no field")
        if match[1] == "mx":
            patterns.append(_pattern(match[2]))
        else:
            fields.setdefault(match[1], match[2])
    if fields.get("version") != "STSv1":
        raise SyntaxFault("a policy of another version")
    mode = _MODES.get(fields.get("mode", ""))
    if mode is None:
        raise SyntaxFault("a policy without a mode that is known")
    if len(patterns) > MAX_PATTERNS or (not patterns and mode is not Mode.NONE):
        raise SyntaxFault(f"a policy with {len(patterns)} servers")
    return Policy(mode, tuple(patterns), _age(fields.get("max_age", "")))


def _pattern(text: str) -> str:
    pattern = text.lower()
    if not _PATTERN.match(pattern):
        raise SyntaxFault("an mx field that is no name")
    return pattern


def _age(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        raise SyntaxFault("a policy without a max_age")
    return min(int(digits), MAX_AGE)
