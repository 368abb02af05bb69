"""What an access table has done with mail: the words on its right-hand side.

=====================================  ===========================================
``OK``, ``DUNNO``, ``SKIP``, ``1``     nothing; further keys are not looked up
``RELAY``                              it may go on to wherever it is for
``REJECT``, ``REJECT text``            refused for good
``DEFER``, ``DEFER text``              refused for now
``550 text``, ``421 4.7.1 text``       refused with these codes
``ERROR:5.7.1:550 text``               the same in Sendmail's words
``DISCARD``, ``DISCARD reason``        taken and thrown away
``HOLD reason``, ``QUARANTINE:reason`` taken, and waits in the queue for a person
``REDIRECT address``                   goes to that address instead
``PREPEND Name: text``                 gets this header line
``WARN text``, ``INFO text``           the log gets a line
=====================================  ===========================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ..errors import MailError, Refused, Status
from ..mail.address import parse_mailbox
from ..mail.headers import header_line


class What(Enum):
    """The kinds of actions."""

    NOTHING = "ok"
    RELAY = "relay"
    REFUSE = "refuse"
    DISCARD = "discard"
    HOLD = "hold"
    REDIRECT = "redirect"
    PREPEND = "prepend"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Action:
    """One of them.

    :ivar text: for the peer, the queue, the header or the log; may be empty.
    :ivar code: the reply code of a refusal where it is not the usual one.
    :ivar origin: file and line, for the log.
    """

    what: What
    text: str = ""
    status: Status = Status.NOT_ALLOWED
    permanent: bool = True
    code: int | None = None
    origin: str = ""

    def refusal(self) -> Refused:
        """A new one each time: an exception that is raised again keeps growing."""
        return Refused(
            self.text,
            status=self.status,
            permanent=self.permanent,
            code=self.code,
        )


class UnknownAction(ValueError):
    """A right-hand side that means nothing here; says why."""


_CODE = re.compile(r"([45])\d\d(?=\s|$)", re.ASCII)
_ENHANCED = re.compile(r"([245])\.(\d{1,3}\.\d{1,3})(?=[:\s]|$)", re.ASCII)
_FIELD = re.compile(r"[!-9;-~]+: [ -~]*")
_STATUS = {status.value: status for status in Status}
_WORDS = {
    "OK": What.NOTHING,
    "DUNNO": What.NOTHING,
    "SKIP": What.NOTHING,
    "RELAY": What.RELAY,
    "DISCARD": What.DISCARD,
    "HOLD": What.HOLD,
    "QUARANTINE": What.HOLD,
    "REDIRECT": What.REDIRECT,
    "PREPEND": What.PREPEND,
    "WARN": What.WARN,
    "INFO": What.WARN,
}
#: Words that refuse: whether for good, and the text where none is given.
_REFUSALS = {
    "REJECT": (True, "Access denied"),
    "DEFER": (False, "Access denied for now"),
    "ERROR": (True, "Access denied"),
}
_OTHER_PLACES = {
    "BCC": "an alias with several targets makes copies",
    "FILTER": "a transport map sends mail another way",
    "DEFER_IF_PERMIT": "write DEFER",
    "DEFER_IF_REJECT": "write DUNNO",
}


def parse_action(text: str, origin: str) -> Action:
    """What the right-hand side *text* of a line means.

    :raises UnknownAction: nothing, or nothing that is done here.
    """
    text = text.strip()
    if not text.isprintable():
        raise UnknownAction("expected printable text")
    if _CODE.match(text):
        return _refusal(text, origin, True, "Access denied")
    if text.isascii() and text.isdigit():
        return Action(What.NOTHING, origin=origin)
    word, rest = _split(text)
    if word in _REFUSALS:
        return _refusal(_bare(rest), origin, *_REFUSALS[word])
    if word in _OTHER_PLACES:
        raise UnknownAction(f"{word} has no effect here; {_OTHER_PLACES[word]}")
    what = _WORDS.get(word)
    if what is None:
        raise UnknownAction(f"expected OK, REJECT or another action, got {text[:40]!r}")
    if what is What.PREPEND:
        _check_field(rest)
    if what is What.REDIRECT:
        rest = _address(rest)
    return Action(what, _bare(rest), origin=origin)


def _check_field(text: str) -> None:
    """Refuse what could not be put on top of a message."""
    name, _, value = text.partition(":")
    try:
        if not _FIELD.fullmatch(text):
            raise UnknownAction("expected a header line in ASCII behind PREPEND")
        header_line(name.encode(), value.strip().encode())
    except MailError as error:
        raise UnknownAction(f"no header line behind PREPEND: {error}") from None


def _address(text: str) -> str:
    try:
        return str(parse_mailbox(text.encode(), smtputf8=True))
    except MailError as error:
        raise UnknownAction(f"expected an address behind REDIRECT: {error}") from None


def _split(text: str) -> tuple[str, str]:
    found = re.match(r"([A-Za-z_]+)(?::|\s+|$)\s*", text)
    return (found[1].upper(), text[found.end() :]) if found else ("", text)


def _bare(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1] if quoted else text


def _refusal(text: str, origin: str, permanent: bool, usual: str) -> Action:
    """From ``5.7.1:550 text``, ``550 5.7.1 text``, or with only some of these."""
    status, code = Status.NOT_ALLOWED, None
    for _ in range(2):
        if found := _ENHANCED.match(text):
            status = _STATUS.get(found[2], Status.OTHER)
            permanent = found[1] != "4"
        elif found := _CODE.match(text):
            code, permanent = int(found[0]), found[1] == "5"
        else:
            break
        text = text[found.end() :].removeprefix(":").strip().strip('"')
    if not permanent and code is None:
        code = 450
    return Action(What.REFUSE, text or usual, status, permanent, code, origin)
