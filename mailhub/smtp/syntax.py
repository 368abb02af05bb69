"""The syntax of commands (RFC 5321, section 4.1, and its extensions)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..mail.address import Address, parse_path
from ..mail.envelope import MailParameters, RecipientParameters
from .parameters import PLAIN, BadArguments, Terms, mail_parameters, rcpt_parameters

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

@dataclass(frozen=True, slots=True)
class MailArgument:
    """What follows MAIL: the sender, ``None`` for ``<>``, and the parameters."""

    sender: Address | None
    parameters: MailParameters


@dataclass(frozen=True, slots=True)
class RcptArgument:
    """What follows RCPT."""

    recipient: Address
    parameters: RecipientParameters


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


def parse_mail(argument: bytes, terms: Terms = PLAIN) -> MailArgument:
    """``FROM:<path> [parameters]`` (RFC 5321, section 4.1.1.2).

    The path may hold UTF-8; whether SMTPUTF8 was there is for the caller to ask.

    :param terms: what parameters are offered.
    :raises BadArguments: or one of the kinds below it.
    :raises mailhub.mail.address.MalformedAddress:
    """
    sender, rest = _path_after(b"FROM:", argument)
    if sender is not None and not sender.domain:
        raise BadArguments("only a recipient may be plain postmaster")
    return MailArgument(sender, mail_parameters(rest, terms))


def parse_rcpt(argument: bytes, terms: Terms = PLAIN) -> RcptArgument:
    """``TO:<path> [parameters]`` (RFC 5321, section 4.1.1.3).

    :param terms: what parameters are offered.
    :raises BadArguments: or one of the kinds below it.
    :raises mailhub.mail.address.MalformedAddress: also for ``<>``.
    """
    recipient, rest = _path_after(b"TO:", argument)
    parameters = rcpt_parameters(rest, terms)
    if recipient is None:
        raise BadArguments("a null path receives nothing")
    return RcptArgument(recipient, parameters)


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
