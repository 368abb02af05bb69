"""Senders of forwarded mail, so that it passes SPF and its bounces find home.

``SRS0=hash=day=domain=local@here`` is the address here for what ``local@domain``
has sent and this server forwards.  A server further on that forwards it again makes
``SRS1=hash=here=...`` of it, with its own name behind the ``@``; bounces go through
the first forwarder only, so addresses do not grow.  The scheme is that of SPF's
authors (Shevek, "The Sender Rewriting Scheme", 2004); the hash keeps strangers from
making addresses that this server would send on.
"""

from __future__ import annotations

import os
import re
import secrets
from base64 import b32encode
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from hmac import compare_digest, digest

from ..errors import LocalFault, MailError
from ..mail.address import MAX_LOCAL, Address, parse_domain

#: The key's name in the data folder, and its octets.
KEY_FILE = "srs.key"
KEY_SIZE = 32
#: Characters of the hash, 5 bits each: guessing costs an attacker hundreds of
#: millions of RCPT commands, and wins one bounce to an address of his choice.
HASH_LENGTH = 6
#: Days before the number of the day is the same again.
DAYS = 1024
DAY = 86_400
#: Days that an address takes bounces: other servers try for five days, and may have
#: been down before; ours do before it is even sent.
LIFETIME_DAYS = 21

_SRS0 = re.compile(r"SRS0([=+-])([a-z2-7]+)=([a-z2-7]{2})=([^=]+)=(.+)", re.I | re.S)
_SRS1 = re.compile(r"SRS1([=+-])([a-z2-7]+)=([^=]+)=([=+-].+)", re.I | re.S)
#: Addresses of other forwarders, whose hash is their own.
_OTHERS = re.compile(r"SRS0([=+-].+)", re.I | re.S)
_OTHERS_AGAIN = re.compile(r"SRS1[=+-][^=]+=([^=]+)=([=+-].+)", re.I | re.S)
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"


class NotOurs(MailError):
    """An address that looks signed, but not by this server, or long ago."""


class SRS:
    """Signs senders, and finds them again.

    :param key: gives what is known to this server only, when it is first needed; the
        errors are its own.
    :param lifetime_days: how long bounces are taken.
    """

    def __init__(
        self, key: Callable[[], bytes], lifetime_days: int = LIFETIME_DAYS
    ) -> None:
        if not 0 < lifetime_days < DAYS:
            raise ValueError("days come round again")
        self._find_key = key
        self._key = b""
        self._lifetime = lifetime_days

    def is_signed(self, local: str) -> bool:
        """Whether a local part looks like one of these."""
        return local[:5].upper() in _STARTS

    def sign(self, sender: Address, domain: str, now: float) -> Address:
        """The sender for what *sender* has sent, in the local *domain*.

        An address that would have more than 64 octets before the ``@`` stays as it
        is (RFC 5321, section 4.5.3.1.1): few servers would take it.
        """
        if found := _OTHERS.fullmatch(sender.local):
            local = self._again(sender.domain, found[1])
        elif found := _OTHERS_AGAIN.fullmatch(sender.local):
            local = self._again(found[1], found[2])
        else:
            day = int(now // DAY) % DAYS
            written = _DIGITS[day >> 5] + _DIGITS[day & 31]
            rest = f"{written}={sender.domain}={sender.local}"
            local = f"SRS0={self._hash(rest)}={rest}"
        signed = Address(local, domain)
        return signed if len(local.encode()) <= MAX_LOCAL else sender

    def undo(self, address: Address, now: float) -> Address:
        """Who has sent what was forwarded as *address*.

        :raises NotOurs: nobody: it was not made here, or is too old.
        """
        if found := _SRS0.fullmatch(address.local):
            _, written, day, domain, local = found.groups()
            self._check(written, f"{day}={domain}={local}")
            self._check_age(day, now)
        elif found := _SRS1.fullmatch(address.local):
            _, written, domain, rest = found.groups()
            self._check(written, f"{domain}={rest}")
            local = "SRS0" + rest
        else:
            raise NotOurs("not signed as it should be")
        try:
            return Address(local, parse_domain(domain.encode(), smtputf8=True))
        except MailError as error:
            raise NotOurs(str(error)) from None

    def _again(self, first: str, rest: str) -> str:
        return f"SRS1={self._hash(f'{first}={rest}')}={first}={rest}"

    def _hash(self, text: str) -> str:
        self._key = self._key or self._find_key()
        # Some servers write addresses in lower case.
        code = b32encode(digest(self._key, text.lower().encode(), sha256))
        return code[:HASH_LENGTH].decode("ascii").lower()

    def _check(self, written: str, text: str) -> None:
        if not compare_digest(written.lower(), self._hash(text)):
            raise NotOurs("not signed by this server")

    def _check_age(self, day: str, now: float) -> None:
        high, low = map(_DIGITS.index, day.lower())
        age = (int(now // DAY) - (high << 5 | low)) % DAYS
        if age > self._lifetime:
            raise NotOurs("signed too long ago")


_STARTS = frozenset(f"SRS{number}{sign}" for number in "01" for sign in "=+-")


def random_key() -> bytes:
    """A key that nobody else has, nor this server when it starts again."""
    return secrets.token_bytes(KEY_SIZE)


def load_key(folder: str) -> bytes:
    """The key in the data *folder*, made on the first call, for its owner only.

    Of processes that make it at the same time, one wins and all have its key.

    :raises LocalFault: it cannot be read or made, or others may read it.
    """
    path = os.path.join(folder, KEY_FILE)
    try:
        if not os.path.exists(path):
            _make_key(folder, path)
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(KEY_SIZE + 1)
    except OSError as error:
        raise LocalFault(f"the key of forwarded senders: {error}") from error
    if mode & 0o077:
        raise LocalFault(f"others may read {path}: chmod 600 it, or remove it")
    if len(key) != KEY_SIZE:
        raise LocalFault(f"{path} is no key of {KEY_SIZE} octets")
    return key


def _make_key(folder: str, path: str) -> None:
    temporary = f"{path}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            owner = os.stat(folder)
            if os.geteuid() == 0 != owner.st_uid:
                # A command of root's has come first; the server has to read it.
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(random_key())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
