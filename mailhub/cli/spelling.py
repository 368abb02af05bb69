"""Addresses and domains as people type them, in their one spelling."""

from __future__ import annotations

from ..auth.identity import canonical_login
from ..errors import MailError
from .outcome import Exit, Failure


def canonical_address(text: str) -> str:
    """*text* as the one spelling of an address.

    :raises Failure: it is none.
    """
    from ..mail.address import parse_mailbox  # lists do without

    try:
        address = parse_mailbox(text.encode(), smtputf8=True)
        if not address.domain or address.domain.startswith("["):
            raise Failure(Exit.DATA_WRONG, f"{text}: expected an address with a domain")
        return canonical_login(str(address).encode())
    except (MailError, UnicodeEncodeError) as error:
        raise Failure(Exit.DATA_WRONG, f"{text!r} is no address: {error}") from None


def canonical_domain(text: str) -> str:
    """*text* as the one spelling of a domain.

    :raises Failure: it is none.
    """
    from ..mail.address import parse_domain

    try:
        domain = parse_domain(text.encode(), smtputf8=True)
    except (MailError, UnicodeEncodeError) as error:
        raise Failure(Exit.DATA_WRONG, f"{text!r} is no domain: {error}") from None
    if domain.startswith("["):
        raise Failure(Exit.DATA_WRONG, f"{text}: expected a domain's name")
    return domain
