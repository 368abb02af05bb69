"""Lists of names: local-host-names, relay-domains; a word in each line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import MailError
from ..mail.address import parse_domain
from .lines import Notes, Remark, logical_lines, text_of
from .networks import Network, NoNetwork, parse_network


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a file.

    :ivar lines: where each domain, in lower case, stands.  ``.example.org`` is all
        that is below it.
    :ivar networks: where each network stands.
    """

    path: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    networks: Mapping[Network, int] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def __contains__(self, domain: str) -> bool:
        return domain in self.lines

    def covers(self, domain: str) -> bool:
        """Whether *domain* or one above it is there: how Sendmail has relay-domains."""
        lines = self.lines
        if domain in lines:
            return True
        while lines and "." in domain:
            domain = domain.partition(".")[2]
            if domain in lines or f".{domain}" in lines:
                return True
        return False


def parse_names(data: bytes, path: str) -> Names:
    """The names in a file, in the order they stand.

    Everything behind a ``#`` is a comment, as in Sendmail's class files.

    :raises mailhub.tables.lines.MalformedTable: something is neither a domain nor a
        network.
    """
    notes = Notes(path)
    lines: dict[str, int] = {}
    networks: dict[Network, int] = {}
    for number, line in logical_lines(text_of(data, path)):
        for word in re.split(r"[\s,]+", line.partition("#")[0].strip()):
            try:
                _enter(word, number, lines, networks)
            except (MailError, NoNetwork, UnicodeEncodeError) as error:
                notes.fault(number, str(error))
    return Names(path, lines, networks, notes.done())


def _enter(
    word: str, number: int, lines: dict[str, int], networks: dict[Network, int]
) -> None:
    is_literal = word.startswith("[") and "/" not in word
    network = None if is_literal else parse_network(word)
    if network is not None:
        networks.setdefault(network, number)
    elif word:
        dot = "." if word.startswith(".") else ""
        domain = parse_domain(word[len(dot) :].encode(), smtputf8=True)
        lines.setdefault(dot + domain, number)
