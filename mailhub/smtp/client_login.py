"""The client's side of SASL exchanges: PLAIN, LOGIN, SCRAM-SHA-256(-PLUS), XOAUTH2.

Exchanges take and give octets after base64::

    exchange = choose(offered, login, binding=..., nonce=...)
    response = exchange.first()            # the initial response, or None
    response = exchange.next(challenge)    # as often as the server asks
    exchange.is_proved                     # when it says that we are in
"""

from __future__ import annotations

import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from binascii import Error as NoBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Collection
from dataclasses import dataclass, field

from ..errors import MailError, Status

#: Rounds of hashing that a server may ask for (attack: 2**31 of them).
MOST_ROUNDS = 1_000_000
LEAST_ROUNDS = 4_096
_FIRST = re.compile(
    rb"r=([!-+\--~]{1,512}),s=([A-Za-z0-9+/=]{1,512}),i=([0-9]{1,9})(?:,.*)?"
)
_FINAL = re.compile(rb"v=([A-Za-z0-9+/=]{1,128})(?:,.*)?")


class LoginFault(MailError):
    """We cannot log in: a matter of the configuration, so mail waits meanwhile."""

    status = Status.AUTHENTICATION_FAILED
    permanent = False


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in.

    :ivar secret: the password, or the access token of OAuth.
    """

    user: str
    secret: str = field(repr=False)
    is_token: bool = False


class Exchange(ABC):
    """One run of a mechanism."""

    name = ""

    def first(self) -> bytes | None:
        """The initial response, if the mechanism has one."""
        return None

    @abstractmethod
    def next(self, challenge: bytes) -> bytes:
        """The answer to a challenge.

        :raises LoginFault: it makes no sense, or is not by who knows the password.
        """

    @property
    def is_proved(self) -> bool:
        """Whether the server, which lets us in, has shown that it may."""
        return True


class Plain(Exchange):
    """RFC 4616."""

    name = "PLAIN"

    def __init__(self, login: Login) -> None:
        self._login = login

    def first(self) -> bytes:
        return f"\0{self._login.user}\0{self._login.secret}".encode()

    def next(self, challenge: bytes) -> bytes:
        if challenge:
            raise LoginFault(f"a challenge in PLAIN: {challenge!r}")
        return self.first()


class InTwoSteps(Exchange):
    """LOGIN, which was never standardized: the name, then the password."""

    name = "LOGIN"

    def __init__(self, login: Login) -> None:
        self._answers = [login.secret.encode(), login.user.encode()]

    def next(self, challenge: bytes) -> bytes:
        if not self._answers:
            raise LoginFault("a third challenge in LOGIN")
        return self._answers.pop()


class Token(Exchange):
    """XOAUTH2: an access token (RFC 6750) as Google and Microsoft take it."""

    name = "XOAUTH2"

    def __init__(self, login: Login) -> None:
        self._login = login

    def first(self) -> bytes:
        login = self._login
        return f"user={login.user}\1auth=Bearer {login.secret}\1\1".encode()

    def next(self, challenge: bytes) -> bytes:
        # The challenge says what is wrong with the token; the refusal comes next.
        return b""


class Scram(Exchange):
    """SCRAM-SHA-256 (RFC 5802, RFC 7677); each side proves that it knows the password.

    :param binding: what both sides of this TLS connection know (RFC 9266), for
        SCRAM-SHA-256-PLUS.
    :param flag: ``n``: we have no such binding; ``y``: we have one, but think that the
        server does not know how.
    :param nonce: random, of printable characters without a comma.
    """

    name = "SCRAM-SHA-256"

    def __init__(
        self, login: Login, nonce: str, *, binding: bytes = b"", flag: str = "n"
    ) -> None:
        if binding:
            self.name, flag = "SCRAM-SHA-256-PLUS", "p=tls-exporter"
        user = login.user.replace("=", "=3D").replace(",", "=2C")
        self._password = login.secret.encode()
        self._nonce = nonce.encode("ascii")
        self._header = f"{flag},,".encode()
        self._binding = binding
        self._bare = b"n=" + user.encode() + b",r=" + self._nonce
        self._signature = b""
        self._is_proved = False

    def first(self) -> bytes:
        return self._header + self._bare

    def next(self, challenge: bytes) -> bytes:
        if self._signature:
            return self._check(challenge)
        found = _FIRST.fullmatch(challenge)
        if found is None or not found[1].startswith(self._nonce):
            raise LoginFault("the server's SCRAM makes no sense")
        rounds = int(found[3])
        if not LEAST_ROUNDS <= rounds <= MOST_ROUNDS:
            raise LoginFault(f"{rounds} rounds in SCRAM")
        salted = hashlib.pbkdf2_hmac(
            "sha256", self._password, _decoded(found[2]), rounds
        )
        client_key = _hmac(salted, b"Client Key")
        final = b"c=" + _encoded(self._header + self._binding) + b",r=" + found[1]
        message = b",".join((self._bare, challenge, final))
        signature = _hmac(hashlib.sha256(client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._signature = _hmac(_hmac(salted, b"Server Key"), message)
        return final + b",p=" + _encoded(proof)

    def _check(self, challenge: bytes) -> bytes:
        found = _FINAL.fullmatch(challenge)
        if found is None or not hmac.compare_digest(
            _decoded(found[1]), self._signature
        ):
            raise LoginFault("the server does not know the password")
        self._is_proved = True
        return b""

    @property
    def is_proved(self) -> bool:
        return self._is_proved


def choose(
    offered: Collection[str],
    login: Login,
    *,
    nonce: str,
    binding: bytes = b"",
    may_show: bool = False,
) -> Exchange:
    """The best mechanism that both sides know.

    :param offered: the server's mechanisms, in capitals.
    :param binding: see :class:`Scram`; empty where there is none.
    :param may_show: whether the password itself may be said.
    :raises LoginFault: there is none.
    """
    if login.is_token:
        if "XOAUTH2" in offered and may_show:
            return Token(login)
    elif binding and "SCRAM-SHA-256-PLUS" in offered:
        return Scram(login, nonce, binding=binding)
    elif "SCRAM-SHA-256" in offered:
        return Scram(login, nonce, flag="y" if binding else "n")
    elif "PLAIN" in offered and may_show:
        return Plain(login)
    elif "LOGIN" in offered and may_show:
        return InTwoSteps(login)
    raise LoginFault(f"no way to log in among {' '.join(offered) or 'none'}")


def encode(response: bytes) -> bytes:
    """A response for the wire; an empty one of its own is ``=`` in AUTH (RFC 4954)."""
    return _encoded(response)


def decode(challenge: bytes) -> bytes:
    """The challenge of a 334.

    :raises LoginFault: no base64.
    """
    return _decoded(challenge.strip())


def _encoded(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)


def _decoded(text: bytes) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True) if text else b""
    except NoBase64:
        raise LoginFault("a challenge that is no base64") from None


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
