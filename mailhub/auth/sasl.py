"""The server's side of SASL exchanges, free of any protocol's framing.

An exchange takes and gives octets after base64.  Each protocol frames them its
own way (RFC 4954, RFC 3501 section 6.2.2, RFC 5034)::

    exchange = mechanisms[name]()
    step = exchange.start(initial)
    while isinstance(step, Challenge):
        line = ...                       # send encode_base64(step.data), read
        step = exchange.next(decode_response(line))
    # step is a Password: ask the portal
"""

from __future__ import annotations

import binascii
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from ..errors import AuthenticationFailed, SyntaxFault

#: What the LOGIN mechanism asks, in the spelling that clients look for.
USERNAME_PROMPT = b"Username:"
PASSWORD_PROMPT = b"Password:"


class ExchangeCancelled(SyntaxFault):
    """The client gave up with a line of ``*`` (RFC 4422, section 3.5)."""


def decode_base64(data: bytes) -> bytes:
    """The octets that *data* stands for, if it is their one right spelling.

    Python's decoder skips what it does not know, so different lines could mean
    one password (attack: base64 abuse in AUTH).  Here everything but the
    canonical form (RFC 4648, section 3.5) is an error: white space, missing or
    superfluous padding, stray bits.

    :raises SyntaxFault: not canonical base64.
    """
    try:
        decoded = binascii.a2b_base64(data)
    except binascii.Error:
        raise SyntaxFault("not base64") from None
    if binascii.b2a_base64(decoded, newline=False) != data:
        raise SyntaxFault("not canonical base64")
    return decoded


def encode_base64(data: bytes) -> bytes:
    """*data* in base64 on one line, without a line end."""
    return binascii.b2a_base64(data, newline=False)


def decode_initial(argument: bytes) -> bytes:
    """An initial response as commands carry it: ``=`` is an empty one.

    :raises SyntaxFault: not base64, or empty.
    """
    if argument == b"=":
        return b""
    if not argument:
        raise SyntaxFault("an empty initial response is spelled =")
    return decode_base64(argument)


def decode_response(line: bytes) -> bytes:
    """The client's answer to a challenge.

    :raises ExchangeCancelled: the line is ``*``.
    :raises SyntaxFault: not base64.
    """
    if line == b"*":
        raise ExchangeCancelled("the client cancelled")
    return decode_base64(line)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the server says next; the client has to answer."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Password:
    """The end of an exchange: what the client claims, to be checked still."""

    username: bytes
    password: bytes = field(repr=False)


Step = Challenge | Password


class Exchange(ABC):
    """One run of a mechanism; a second run needs a new object."""

    __slots__ = ()

    def start(self, initial: bytes | None) -> Step:
        """Begin, with the client's *initial* response if it sent one.

        :raises SyntaxFault: a malformed response.
        :raises AuthenticationFailed: one that cannot be granted.
        """
        return self.first_challenge() if initial is None else self.next(initial)

    @abstractmethod
    def first_challenge(self) -> Challenge:
        """What is sent to a client that gave no initial response."""

    @abstractmethod
    def next(self, response: bytes) -> Step:
        """Go on with the client's answer; raises as :meth:`start` does."""


class Plain(Exchange):
    """PLAIN (RFC 4616): ``[authzid] NUL authcid NUL passwd`` in one message."""

    __slots__ = ()

    def first_challenge(self) -> Challenge:
        return Challenge(b"")

    def next(self, response: bytes) -> Step:
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise SyntaxFault("a PLAIN message has two NULs")
        authzid, authcid, password = parts
        if not authcid or not password:
            raise SyntaxFault("PLAIN without a name or a password")
        if authzid not in (b"", authcid):
            raise AuthenticationFailed("no acting as somebody else")
        return Password(authcid, password)


class Login(Exchange):
    """LOGIN (never standardized; Outlook needs it): asks name, then password."""

    __slots__ = ("_username",)

    def __init__(self) -> None:
        self._username: bytes | None = None

    def first_challenge(self) -> Challenge:
        return Challenge(USERNAME_PROMPT)

    def next(self, response: bytes) -> Step:
        if self._username is None:
            if not response:
                raise SyntaxFault("LOGIN without a name")
            self._username = response
            return Challenge(PASSWORD_PROMPT)
        return Password(self._username, response)


#: The mechanisms that carry a password, in the order they are offered.
mechanisms: dict[bytes, type[Exchange]] = {b"PLAIN": Plain, b"LOGIN": Login}
