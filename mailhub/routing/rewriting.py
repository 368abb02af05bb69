"""Addresses that become others: canonical maps, masquerading."""

from __future__ import annotations

from collections.abc import Iterable

from ..mail.address import Address, parse_domain, parse_mailbox


class Rewriting:
    """Pairs of what an address is and what it is to be, each used once at most.

    ``jo@example.org`` is one address, ``@example.org`` all of a domain, and
    ``@.example.org`` all of the domains below it.  The new one is an address, or a
    ``@domain``, which keeps the local part.  The closest match wins.

    :param pairs: texts of two words.
    :raises mailhub.errors.SyntaxFault: no such pair.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._new = {_pattern(old): _address(new) for old, new in pairs}

    def __bool__(self) -> bool:
        return bool(self._new)

    def __call__(self, address: Address) -> Address:
        """What *address* is to be; itself where nothing is known of it."""
        local, domain = address.local.lower(), address.domain
        new = self._new.get(f"{local}@{domain}") or self._new.get(f"@{domain}")
        above = domain
        while new is None and "." in above:
            above = above.partition(".")[2]
            new = self._new.get(f"@.{above}")
        if new is None:
            return address
        return Address(address.local, new.domain) if new.local == _SAME else new


#: Stands for the local part as it is; no address that is parsed has it.
_SAME = "\0"


def _pattern(text: str) -> str:
    if text.startswith("@"):
        dot = "." if text.startswith("@.") else ""
        return f"@{dot}{parse_domain(text[1 + len(dot):].encode(), smtputf8=True)}"
    return str(parse_mailbox(text.encode(), smtputf8=True)).lower()


def _address(text: str) -> Address:
    if text.startswith("@"):
        return Address(_SAME, parse_domain(text[1:].encode(), smtputf8=True))
    return parse_mailbox(text.encode(), smtputf8=True)
