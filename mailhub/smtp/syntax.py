"""The syntax of commands (RFC 5321, section 4.1, and its extensions)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import Status, SyntaxFault
from ..mail.address import Address, parse_path
from ..mail.envelope import MailParameters

#: Longest name in HELO, EHLO and LHLO (RFC 5321, section 4.5.3.1.2).
MAX_HELLO = 255

#: The first words of protocols that a browser, or another program that was
#: fooled, may speak to us (attack: ALPACA).
FOREIGN_VERBS = frozenset(
    b"GET POST PUT HEAD DELETE OPTIONS CONNECT TRACE PATCH PRI".split()
)

# Wider than RFC 5321's Domain, since hosts do have underscores in their names;
# still nothing that could end a line or open a comment in Received.
_HELLO = re.compile(rb"[A-Za-z0-9._:-]+|\[[A-Za-z0-9.:-]+\]")
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\xff]+))?")
#: RFC 1870, section 6.1: ``size-value ::= 1*20DIGIT``.
_SIZE = re.compile(rb"[0-9]{1,20}")
#: RFC 3461, section 4.
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_BODIES = {b"7BIT": "7BIT", b"8BITMIME": "8BITMIME"}
_NO_PARAMETERS = MailParameters()


class BadArguments(SyntaxFault):
    """A known command with an argument that is not its own."""

    status = Status.BAD_ARGUMENTS


class UnknownParameter(BadArguments):
    """A parameter of MAIL or RCPT that was not offered (RFC 5321, 4.1.1.11)."""


@dataclass(frozen=True, slots=True)
class MailArgument:
    """What follows MAIL: the sender, ``None`` for ``<>``, and the parameters."""

    sender: Address | None
    parameters: MailParameters


def split_command(line: bytes) -> tuple[bytes, bytes]:
    """The verb in capitals and its argument, which may be empty."""
    verb, _, argument = line.partition(b" ")
    return verb.upper(), argument.strip(b" ")


def parse_hello(argument: bytes) -> str:
    """The name or address literal of HELO, EHLO and LHLO.

    :raises BadArguments: none, or one that no host has (attack: header
        injection by the name).
    """
    if len(argument) > MAX_HELLO or not _HELLO.fullmatch(argument):
        raise BadArguments(f"no host name: {argument[:MAX_HELLO]!r}")
    return argument.decode("ascii")


def parse_mail(argument: bytes) -> MailArgument:
    """``FROM:<path> [parameters]`` (RFC 5321, section 4.1.1.2).

    Understands SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531) and AUTH
    (RFC 4954, section 5; taken note of by nobody, which is allowed).  The path
    may hold UTF-8; whether SMTPUTF8 was there is for the caller to ask.

    :raises BadArguments: or one of the kinds below it.
    :raises mailhub.mail.address.MalformedAddress:
    """
    sender, rest = _path_after(b"FROM:", argument)
    if sender is not None and not sender.domain:
        raise BadArguments("only a recipient may be plain postmaster")
    if not rest:
        return MailArgument(sender, _NO_PARAMETERS)
    given = _parameters(rest)
    size = body = None
    smtputf8 = False
    for name, value in given.items():
        if name == b"SIZE":
            size = _size(value)
        elif name == b"BODY":
            body = _body(value)
        elif name == b"SMTPUTF8" and value is None:
            smtputf8 = True
        elif name != b"AUTH" or not _XTEXT.fullmatch(value or b""):
            raise UnknownParameter(f"{name!r} of MAIL")
    return MailArgument(sender, MailParameters(size, body or "7BIT", smtputf8))


def parse_rcpt(argument: bytes) -> Address:
    """``TO:<path>`` (RFC 5321, section 4.1.1.3); no parameter is known.

    :raises BadArguments: or one of the kinds below it.
    :raises mailhub.mail.address.MalformedAddress: also for ``<>``.
    """
    recipient, rest = _path_after(b"TO:", argument)
    if rest:
        raise UnknownParameter(f"{next(iter(_parameters(rest)))!r} of RCPT")
    if recipient is None:
        raise BadArguments("a null path receives nothing")
    return recipient


def _path_after(word: bytes, argument: bytes) -> tuple[Address | None, bytes]:
    """The path behind *word*, and the parameters' octets.

    White space before the path is not in the grammar, but in many clients.
    """
    if argument[: len(word)].upper() != word:
        raise BadArguments(f"no {word!r}")
    path, rest = parse_path(argument[len(word) :].lstrip(b" "), smtputf8=True)
    if rest and not rest.startswith(b" "):
        raise BadArguments(f"{rest[:20]!r} behind the path")
    return path, rest


def _parameters(rest: bytes) -> dict[bytes, bytes | None]:
    """esmtp-params by keyword in capitals (RFC 5321, section 4.1.2)."""
    given: dict[bytes, bytes | None] = {}
    for word in rest.split():
        found = _PARAMETER.fullmatch(word)
        if found is None:
            raise BadArguments(f"no parameter: {word!r}")
        name = found[1].upper()
        if name in given:
            raise BadArguments(f"{name!r} given twice")
        given[name] = found[2]
    return given


def _size(value: bytes | None) -> int:
    if value is None or not _SIZE.fullmatch(value):
        raise BadArguments(f"no size: {value!r}")
    return int(value)


def _body(value: bytes | None) -> str:
    try:
        return _BODIES[(value or b"").upper()]
    except KeyError:
        raise UnknownParameter(f"BODY={value!r}") from None
