"""AUTH (RFC 4954)."""

from __future__ import annotations

from ...errors import EncryptionRequired
from .. import replies
from ..dialogue import Dialogue, Service
from ..replies import Reply


def where_offered(service: Service) -> bool:
    """Nowhere else is there an AUTH command."""
    return service.offers_login


async def auth(dialogue: Dialogue, argument: bytes) -> Reply:
    """``AUTH mechanism [initial-response]``.

    :raises EncryptionRequired: in clear text, where somebody may listen.
    """
    if dialogue.session.user is not None:
        return replies.LOGGED_IN
    mechanism, _, initial = argument.partition(b" ")
    if not mechanism:
        return replies.NEED_ARGUMENT
    if not dialogue.is_private:
        raise EncryptionRequired("AUTH in clear text")
    mechanism = mechanism.upper()
    if mechanism not in dialogue.mechanisms:
        return replies.UNKNOWN_MECHANISM
    return await dialogue.authenticate(mechanism, initial.strip(b" ") or None)


def auth_keywords(dialogue: Dialogue) -> tuple[str, ...]:
    """Only where a login is allowed as things are, and not after one."""
    if not dialogue.is_private or dialogue.session.user is not None:
        return ()
    names = " ".join(name.decode() for name in dialogue.mechanisms)
    return (f"AUTH {names}",)
