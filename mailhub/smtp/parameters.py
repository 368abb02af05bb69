"""The parameters of MAIL and RCPT: what each may be, and what it means.

A parameter is taken only where its extension is offered; to a client that was not
offered it, it is unknown (RFC 5321, section 4.1.1.11).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Flag, auto
from typing import Any

from ..errors import Status, SyntaxFault
from ..mail.envelope import DeliverBy, MailParameters, Notify, RecipientParameters
from ..mail.verp import USUAL_DELIMITERS

#: RFC 3461, sections 4.2 and 4.4: characters of ORCPT and of ENVID.
MAX_ORIGINAL = 500
MAX_ENVID = 100

#: RFC 5321, section 4.1.2; "=" in the value of XVERP alone, which is older.
_PARAMETER = re.compile(
    rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\xff]+|(?i:(?<=XVERP=))[+-]=))?"
)
#: RFC 1870, section 6.1: ``size-value ::= 1*20DIGIT``.
_SIZE = re.compile(rb"[0-9]{1,20}")
#: RFC 3461, section 4.
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_ENCODED = re.compile(rb"\+([0-9A-F]{2})")
#: RFC 6533, section 3: what utf-8-addr-xtext has for the other characters.
_UNICODE = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_ORIGINAL = re.compile(rb"([A-Za-z0-9-]{1,60});([!-~\x80-\xff]+)")
#: RFC 4865, section 3: ``future-release-integer``.
_SECONDS = re.compile(rb"[1-9][0-9]{0,8}")
#: RFC 3339, section 5.6; fractions of a second are of no use here.
_DATE_TIME = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    rb"(?:\.[0-9]{1,9})?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
#: RFC 2852, section 4: ``by-value``.
_BY = re.compile(rb"([+-]?[0-9]{1,9});([NRnr])([Tt]?)")
#: RFC 6710, section 7: ``priority-value``.
_PRIORITY = re.compile(rb"-?[1-9]|0")
#: Two characters that stand in local parts without quotes.  ``=`` cannot come first:
#: that is how a parameter's value begins.
_DELIMITERS = re.compile(rb"[+-][+=-]")
_BODIES = {b"7BIT": "7BIT", b"8BITMIME": "8BITMIME"}
_NOTIFY = {
    b"SUCCESS": Notify.SUCCESS, b"FAILURE": Notify.FAILURE, b"DELAY": Notify.DELAY
}  # fmt: skip
_NO_MAIL_PARAMETERS = MailParameters()
_NO_RECIPIENT_PARAMETERS = RecipientParameters()


class BadArguments(SyntaxFault):
    """A known command with an argument that is not its own."""

    status = Status.BAD_ARGUMENTS


class UnknownParameter(BadArguments):
    """A parameter of MAIL or RCPT that was not offered (RFC 5321, 4.1.1.11)."""


class Extension(Flag):
    """Extensions that are offered only where mail can wait."""

    NONE = 0
    DSN = auto()
    FUTURE_RELEASE = auto()
    DELIVER_BY = auto()
    PRIORITY = auto()
    REQUIRE_TLS = auto()
    VERP = auto()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a client may ask for.

    :ivar now: seconds since the epoch, which intervals begin at.
    :ivar longest_hold: seconds that a message may be held for (RFC 4865).
    """

    offered: Extension = Extension.NONE
    now: int = 0
    longest_hold: int = 0


PLAIN = Terms()

#: What a parameter's value comes to: fields of the parameters.
_Fields = dict[str, Any]
_Parse = Callable[[bytes, Terms], _Fields]


def mail_parameters(rest: bytes, terms: Terms) -> MailParameters:
    """The parameters of MAIL in *rest*.

    :raises BadArguments: or one of the kinds below it.
    """
    fields = _read(rest, terms, _OF_MAIL) if rest else None
    if not fields:
        return _NO_MAIL_PARAMETERS
    parameters = MailParameters(**fields)
    held, wish = parameters.hold_until, parameters.deliver_by
    if held is not None and wish is not None and held > wish.until:
        # RFC 4865, section 5.2.2.
        raise BadArguments("to be held for longer than it may take")
    return parameters


def rcpt_parameters(rest: bytes, terms: Terms) -> RecipientParameters:
    """Likewise, of RCPT."""
    fields = _read(rest, terms, _OF_RCPT) if rest else None
    return RecipientParameters(**fields) if fields else _NO_RECIPIENT_PARAMETERS


def decode_xtext(text: bytes) -> bytes:
    """What xtext stands for (RFC 3461, section 4).

    :raises BadArguments: it is none.
    """
    if not _XTEXT.fullmatch(text):
        raise BadArguments(f"no xtext: {text!r}")
    return _ENCODED.sub(lambda found: bytes([int(found[1], 16)]), text)


def _read(
    rest: bytes, terms: Terms, table: dict[bytes, tuple[Extension, _Parse]]
) -> _Fields:
    """esmtp-params (RFC 5321, section 4.1.2) by the rows of *table*."""
    fields: _Fields = {}
    names = set()
    for word in rest.split():
        found = _PARAMETER.fullmatch(word)
        if found is None:
            raise BadArguments(f"no parameter: {word!r}")
        name = found[1].upper()
        if name in names:
            raise BadArguments(f"{name!r} given twice")
        names.add(name)
        row = table.get(name)
        if row is None or row[0] not in terms.offered:
            raise UnknownParameter(f"{name!r}")
        parse = row[1]
        new = parse(found[2] or b"", terms)
        if not new.keys().isdisjoint(fields):
            # RFC 4865, section 4.2: either HOLDFOR or HOLDUNTIL.
            raise BadArguments(f"{name!r} with another that means the same")
        fields.update(new)
    return fields


def _size(value: bytes, terms: Terms) -> _Fields:
    """RFC 1870, section 6.1."""
    if not _SIZE.fullmatch(value):
        raise BadArguments(f"no size: {value!r}")
    return {"size": int(value)}


def _body(value: bytes, terms: Terms) -> _Fields:
    """RFC 6152."""
    try:
        return {"body": _BODIES[value.upper()]}
    except KeyError:
        raise UnknownParameter(f"BODY={value!r}") from None


def _smtputf8(value: bytes, terms: Terms) -> _Fields:
    """RFC 6531, section 3.4."""
    if value:
        raise UnknownParameter(f"SMTPUTF8={value!r}")
    return {"smtputf8": True}


def _auth(value: bytes, terms: Terms) -> _Fields:
    """RFC 4954, section 5; taken note of by nobody, which is allowed."""
    if not _XTEXT.fullmatch(value):
        raise UnknownParameter(f"AUTH={value!r}")
    return {}


def _ret(value: bytes, terms: Terms) -> _Fields:
    """RFC 3461, section 4.3."""
    ret = value.upper()
    if ret not in (b"FULL", b"HDRS"):
        raise BadArguments(f"RET={value!r}")
    return {"ret": ret.decode()}


def _envid(value: bytes, terms: Terms) -> _Fields:
    """RFC 3461, section 4.4.

    What it stands for is printable ASCII there; anything else could end a line of
    the notification (attack: header injection by xtext).
    """
    if len(value) > MAX_ENVID:
        raise BadArguments(f"ENVID of {len(value)} octets")
    return {"envid": _printable(decode_xtext(value))}


def _hold_for(value: bytes, terms: Terms) -> _Fields:
    """RFC 4865, sections 3 and 4.2."""
    if not _SECONDS.fullmatch(value):
        raise BadArguments(f"HOLDFOR={value!r}")
    return _held_until(terms.now + int(value), terms)


def _hold_until(value: bytes, terms: Terms) -> _Fields:
    """RFC 4865, sections 3 and 4.2, with RFC 3339's date-time."""
    found = _DATE_TIME.fullmatch(value)
    if found is None:
        raise BadArguments(f"HOLDUNTIL={value!r}")
    *date, sign, hours, minutes = found.groups()
    try:
        moment = datetime(*map(int, date), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError as error:
        raise BadArguments(f"HOLDUNTIL={value!r}: {error}") from None
    offset = int(hours or 0) * 3600 + int(minutes or 0) * 60
    until = int(moment.timestamp()) - (-offset if sign == b"-" else offset)
    return _held_until(until, terms)


def _held_until(until: int, terms: Terms) -> _Fields:
    if until > terms.now + terms.longest_hold:
        raise BadArguments(f"to be held for longer than {terms.longest_hold} s")
    return {"hold_until": float(until)}


def _by(value: bytes, terms: Terms) -> _Fields:
    """RFC 2852, section 4: no time left is no time to return it in."""
    found = _BY.fullmatch(value)
    if found is None:
        raise BadArguments(f"BY={value!r}")
    seconds, returns = int(found[1]), found[2].upper() == b"R"
    if returns and seconds <= 0:
        raise BadArguments(f"BY={value!r} leaves no time")
    until = float(terms.now + seconds)
    return {"deliver_by": DeliverBy(until, returns, trace=bool(found[3]))}


def _priority(value: bytes, terms: Terms) -> _Fields:
    """RFC 6710, sections 3 and 7."""
    if not _PRIORITY.fullmatch(value):
        raise BadArguments(f"MT-PRIORITY={value!r}")
    return {"priority": int(value)}


def _require_tls(value: bytes, terms: Terms) -> _Fields:
    """RFC 8689, section 2."""
    if value:
        raise BadArguments(f"REQUIRETLS={value!r}")
    return {"require_tls": True}


def _xverp(value: bytes, terms: Terms) -> _Fields:
    """XVERP as Postfix has it: the delimiters may be left out."""
    if value and not _DELIMITERS.fullmatch(value):
        raise BadArguments(f"XVERP={value!r}")
    return {"verp": value.decode() or USUAL_DELIMITERS}


def _notify(value: bytes, terms: Terms) -> _Fields:
    """RFC 3461, section 4.1."""
    words = value.upper().split(b",")
    if words == [b"NEVER"]:
        return {"notify": Notify.NEVER}
    notify = Notify.NEVER
    for word in words:
        wish = _NOTIFY.get(word)
        if wish is None or wish in notify:
            raise BadArguments(f"NOTIFY={value!r}")
        notify |= wish
    return {"notify": notify}


def _orcpt(value: bytes, terms: Terms) -> _Fields:
    """RFC 3461, section 4.2; the type ``utf-8``: RFC 6533, section 3."""
    found = _ORIGINAL.fullmatch(value)
    if found is None or len(value) > MAX_ORIGINAL:
        raise BadArguments(f"ORCPT={value[:MAX_ORIGINAL]!r}")
    # Its spelling stays as it is (RFC 3461, section 5.2.1).
    kind = found[1].decode()
    if kind.lower() == "utf-8":
        address = _unicode(found[2])
    else:
        address = _printable(decode_xtext(found[2]))
    return {"original": f"{kind};{address}"}


def _unicode(value: bytes) -> str:
    try:
        given = value.decode()
        text = _UNICODE.sub(lambda found: chr(int(found[1], 16)), given)
    except ValueError:
        raise BadArguments(f"no UTF-8: {value!r}") from None
    if "\\" in _UNICODE.sub("", given) or not text.isprintable():
        raise BadArguments(f"not printable: {value!r}")
    return text


def _printable(octets: bytes) -> str:
    text = octets.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        raise BadArguments(f"not printable: {octets!r}")
    return text


_OF_MAIL: dict[bytes, tuple[Extension, _Parse]] = {
    b"SIZE": (Extension.NONE, _size),
    b"BODY": (Extension.NONE, _body),
    b"SMTPUTF8": (Extension.NONE, _smtputf8),
    b"AUTH": (Extension.NONE, _auth),
    b"RET": (Extension.DSN, _ret),
    b"ENVID": (Extension.DSN, _envid),
    b"HOLDFOR": (Extension.FUTURE_RELEASE, _hold_for),
    b"HOLDUNTIL": (Extension.FUTURE_RELEASE, _hold_until),
    b"BY": (Extension.DELIVER_BY, _by),
    b"MT-PRIORITY": (Extension.PRIORITY, _priority),
    b"REQUIRETLS": (Extension.REQUIRE_TLS, _require_tls),
    b"XVERP": (Extension.VERP, _xverp),
}
_OF_RCPT: dict[bytes, tuple[Extension, _Parse]] = {
    b"NOTIFY": (Extension.DSN, _notify),
    b"ORCPT": (Extension.DSN, _orcpt),
}
