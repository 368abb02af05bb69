"""An envelope as lines of text: MAIL, RCPT, DATA, as a client would say them.

They stand before a message in a file that one program leaves for another.  What is
read here may have been written by anybody on the machine, so it goes through what
the commands of strangers go through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import LimitReached, SyntaxFault
from ..mail.address import Address, format_mailbox
from ..mail.envelope import MailParameters, RecipientParameters
from .client_capabilities import Capabilities
from .client_commands import Shape, mail_command, rcpt_command
from .parameters import Extension, Terms
from .syntax import parse_mail, parse_rcpt, split_command

#: Octets of a line: those of MAIL with all its parameters (RFC 6531, section 3.4).
MAX_LINE = 4096
#: What stands in such a file; what else a message may ask for is said over SMTP.
_ABLE = Capabilities(eight_bit=True, smtputf8=True, dsn=True)
_TERMS = Terms(Extension.DSN)


@dataclass(frozen=True, slots=True)
class Batch:
    """An envelope with nobody behind it yet.

    :ivar wishes: of those recipients that have some.
    """

    sender: Address | None
    recipients: tuple[Address, ...]
    parameters: MailParameters
    wishes: dict[Address, RecipientParameters]


def write_batch(batch: Batch) -> bytes:
    """The lines, the message's first octet next.

    :raises mailhub.mail.address.MalformedAddress: an address is none.
    """
    parameters = batch.parameters
    sender = "" if batch.sender is None else format_mailbox(batch.sender).decode()
    shape = Shape(0, eight_bit=parameters.body == "8BITMIME")
    utf8 = parameters.smtputf8
    lines = [mail_command(sender, parameters, shape, _ABLE, utf8=utf8)]
    for address in batch.recipients:
        wish = batch.wishes.get(address, _NO_WISHES)
        name = format_mailbox(address).decode()
        lines.append(rcpt_command(name, wish.notify, wish.original, _ABLE, utf8=utf8))
    return b"".join((*lines, b"DATA\r\n"))


def read_batch(read_line: Callable[[int], bytes], most: int) -> Batch:
    """The envelope in lines that *read_line* gives, of which the last is ``DATA``.

    :param read_line: a line with its end, of so many octets at most.
    :param most: how many recipients it may have.
    :raises SyntaxFault: it is none.
    :raises LimitReached: there are more.
    """
    first = parse_mail(_argument(b"MAIL", read_line(MAX_LINE)), _TERMS)
    wishes: dict[Address, RecipientParameters] = {}
    for _ in range(most + 1):
        line = read_line(MAX_LINE)
        if line == b"DATA\r\n" and wishes:
            return Batch(first.sender, tuple(wishes), first.parameters, _some(wishes))
        found = parse_rcpt(_argument(b"RCPT", line), _TERMS)
        wishes[found.recipient] = found.parameters
    raise LimitReached(f"more than {most} recipients")


def _argument(verb: bytes, line: bytes) -> bytes:
    found, argument = split_command(line.removesuffix(b"\r\n"))
    if found != verb or not line.endswith(b"\r\n"):
        raise SyntaxFault(f"expected {verb!r} on a line: {line[:40]!r}")
    return argument


def _some(
    wishes: dict[Address, RecipientParameters],
) -> dict[Address, RecipientParameters]:
    return {address: each for address, each in wishes.items() if each != _NO_WISHES}


_NO_WISHES = RecipientParameters()
