"""Commands about the session itself: CAPABILITY, NOOP, LOGOUT, ID, ENABLE, ..."""

from __future__ import annotations

from ...errors import SyntaxFault
from .. import responses
from ..session import Conversation
from ..syntax import Scanner

#: RFC 2971, section 3.3: fields of an ID list.
MAX_ID_FIELDS = 30


async def capability(talk: Conversation, scanner: Scanner) -> None:
    """CAPABILITY (RFC 3501, section 6.1.1).

    Request:  ``capability = "CAPABILITY"``
    Response: untagged CAPABILITY.
    """
    scanner.end()
    talk.send(responses.untagged(b"CAPABILITY " + talk.capabilities))


async def noop(talk: Conversation, scanner: Scanner) -> None:
    """NOOP and CHECK (RFC 3501, sections 6.1.2 and 6.4.1).

    Request:  ``"NOOP"`` / ``"CHECK"``
    Response: whatever there is to tell of the selected mailbox.  Nothing else is
    to do for CHECK: a store's commits are durable when they are answered.
    """
    scanner.end()
    talk.session.stale = True


async def logout(talk: Conversation, scanner: Scanner) -> bytes:
    """LOGOUT (RFC 3501, section 6.1.3).

    Request:  ``logout = "LOGOUT"``
    Response: untagged BYE, then the connection closes.
    """
    scanner.end()
    talk.session.deselect()
    talk.session.over = True
    talk.send(responses.LOGGING_OUT)
    return responses.LOGGED_OUT


async def identify(talk: Conversation, scanner: Scanner) -> None:
    """ID (RFC 2971, section 3.1).

    Request:  ``id = "ID" SPACE id_params_list``
    Response: untagged ID with our name; no version, which helps attackers only.
    """
    scanner.space()
    if scanner.peek() == 0x28:
        _id_fields(scanner)
    elif scanner.keyword() != "NIL":
        raise scanner.fault("a list or NIL")
    scanner.end()
    talk.send(responses.untagged(b'ID ("name" "mailhub")'))


def _id_fields(scanner: Scanner) -> None:
    scanner.open()
    fields = 0
    while not scanner.take(0x29):
        if fields:
            scanner.space()
        scanner.string()
        scanner.space()
        scanner.nstring()
        fields += 1
        if fields > MAX_ID_FIELDS:
            raise SyntaxFault(f"more than {MAX_ID_FIELDS} fields of ID")


async def enable(talk: Conversation, scanner: Scanner) -> None:
    """ENABLE (RFC 5161, section 3.1).

    Request:  ``enable = "ENABLE" 1*(SP capability)``
    Response: untagged ENABLED with those that were enabled: none yet, as none of
    our extensions needs it.  Unknown ones are ignored.
    """
    scanner.space()
    scanner.atom()
    while scanner.take(0x20):
        scanner.atom()
    scanner.end()
    talk.send(responses.untagged(b"ENABLED"))


async def namespace(talk: Conversation, scanner: Scanner) -> None:
    """NAMESPACE (RFC 2342, section 5).

    Request:  ``"NAMESPACE"``
    Response: one personal namespace, no others.
    """
    scanner.end()
    talk.send(responses.untagged(b'NAMESPACE (("" "/")) NIL NIL'))
