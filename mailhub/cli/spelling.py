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


#: What targets of aliases and forwards may be, for people.
TARGETS = (
    "an address; @DOMAIN; mailbox:ADDRESS/MAILBOX; lmtp:HOST:PORT; function:NAME;"
    " http://...; :include:/FILE; discard:; hold:REASON; error:STATUS TEXT"
)


def canonical_target(text: str) -> str:
    """*text* as the one spelling of a target of an alias.

    Addresses are full: what a name alone means depends on who reads it.

    :raises Failure: it is none.
    """
    from ..routing.targets import Mail, MalformedTarget, parse_target

    try:
        lead = parse_target(text, "domain.invalid")
    except MalformedTarget as error:
        raise Failure(Exit.DATA_WRONG, f"{text!r} is no target: {error}") from None
    if not isinstance(lead, Mail):
        return text.strip()
    backslash = "\\" if lead.exact else ""
    return backslash + canonical_address(text.strip().removeprefix(backslash))


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
