"""A sender's address of its own for each recipient, so that bounces tell whom they are
about: variable envelope return paths.
"""

from __future__ import annotations

from .address import Address, MalformedAddress, format_mailbox, parse_mailbox

#: Between the sender's local part and the recipient's, and in the place of its ``@``.
USUAL_DELIMITERS = "+="


def verp_sender(sender: str, recipient: str, delimiters: str) -> str:
    """``list+user=example.com@example.org`` for mail of the list to that user.

    Where that would be no address, or a longer one than others take, *sender* itself.

    :param sender: not the null reverse-path.
    :param delimiters: two characters, such as :data:`USUAL_DELIMITERS`.
    """
    try:
        own = parse_mailbox(sender.encode(), smtputf8=True)
        other = parse_mailbox(recipient.encode(), smtputf8=True)
        user = f"{other.local}{delimiters[1]}{other.domain}"
        local = f"{own.local}{delimiters[0]}{user}"
        written = format_mailbox(Address(local, own.domain))
        parse_mailbox(written, smtputf8=not sender.isascii())
    except MalformedAddress:
        return sender
    return written.decode()
