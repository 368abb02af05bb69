"""Every command that the server knows: one row each."""

from __future__ import annotations

from ...errors import MailError
from ..session import ANY_STATE, LOGGED_IN, Conversation, State
from ..syntax import Scanner
from . import (
    appending,
    basic,
    fetching,
    idling,
    login,
    mailboxes,
    messages,
    selecting,
)
from .row import Command

_BEFORE = State.NOT_AUTHENTICATED
_SELECTED = State.SELECTED

#: Capabilities of the protocol as a whole, not of one command.
_ALWAYS = (b"IMAP4rev1", b"LITERAL+")

COMMANDS = {
    command.name: command
    for command in (
        Command(b"CAPABILITY", basic.capability, ANY_STATE),
        Command(b"NOOP", basic.noop, ANY_STATE),
        Command(b"LOGOUT", basic.logout, ANY_STATE),
        Command(b"ID", basic.identify, ANY_STATE, (b"ID",)),
        Command(b"STARTTLS", login.starttls, _BEFORE),
        Command(b"AUTHENTICATE", login.authenticate, _BEFORE, (b"SASL-IR",)),
        Command(b"LOGIN", login.login, _BEFORE),
        Command(b"ENABLE", basic.enable, LOGGED_IN, (b"ENABLE",)),
        Command(b"NAMESPACE", basic.namespace, LOGGED_IN, (b"NAMESPACE",)),
        Command(b"SELECT", selecting.select),
        Command(b"EXAMINE", selecting.examine),
        Command(b"CREATE", mailboxes.create, LOGGED_IN, (b"CREATE-SPECIAL-USE",)),
        Command(b"DELETE", mailboxes.delete),
        Command(b"RENAME", mailboxes.rename),
        Command(b"SUBSCRIBE", mailboxes.subscribe),
        Command(b"UNSUBSCRIBE", mailboxes.unsubscribe),
        Command(
            b"LIST", mailboxes.list_mailboxes, LOGGED_IN, (b"CHILDREN", b"SPECIAL-USE")
        ),
        Command(b"LSUB", mailboxes.list_subscribed),
        Command(b"STATUS", mailboxes.status),
        Command(b"APPEND", appending.append, LOGGED_IN, (b"MULTIAPPEND",)),
        Command(b"IDLE", idling.idle, LOGGED_IN, (b"IDLE",)),
        Command(b"CHECK", basic.noop, _SELECTED),
        Command(b"CLOSE", selecting.close, _SELECTED),
        Command(b"UNSELECT", selecting.unselect, _SELECTED, (b"UNSELECT",)),
        Command(b"EXPUNGE", selecting.expunge, _SELECTED),
        Command(b"SEARCH", messages.search, _SELECTED, expunges=False),
        Command(b"FETCH", fetching.fetch, _SELECTED, expunges=False),
        Command(b"STORE", messages.store, _SELECTED, expunges=False),
        Command(b"COPY", messages.copy, _SELECTED),
        Command(b"MOVE", messages.move, _SELECTED, (b"MOVE",)),
        Command(b"UID SEARCH", messages.uid_search, _SELECTED),
        Command(b"UID FETCH", fetching.uid_fetch, _SELECTED),
        Command(b"UID STORE", messages.uid_store, _SELECTED),
        Command(b"UID COPY", messages.uid_copy, _SELECTED),
        Command(b"UID MOVE", messages.uid_move, _SELECTED),
        Command(b"UID EXPUNGE", selecting.uid_expunge, _SELECTED, (b"UIDPLUS",)),
    )
}


def _capabilities(states: State) -> tuple[bytes, ...]:
    shown = [command for command in COMMANDS.values() if command.states & states]
    return _ALWAYS + tuple(word for command in shown for word in command.capabilities)


_CAPABILITIES_BEFORE = _capabilities(_BEFORE)
_CAPABILITIES_AFTER = b" ".join(_capabilities(LOGGED_IN))


def capabilities(talk: Conversation) -> bytes:
    """The words after CAPABILITY, as they are at this moment."""
    if talk.session.state & LOGGED_IN:
        return _CAPABILITIES_AFTER
    words = [*_CAPABILITIES_BEFORE]
    if talk.can_start_tls:
        words.append(b"STARTTLS")
    if talk.login_allowed:
        words += [b"AUTH=" + name for name in talk.mechanisms]
    else:
        words.append(b"LOGINDISABLED")
    return b" ".join(words)


class UnknownCommand(MailError):
    """A command that no row has."""


def find(scanner: Scanner) -> Command:
    """The command whose name stands here.

    :raises mailhub.errors.SyntaxFault: no name.
    :raises UnknownCommand:
    """
    name = scanner.atom().upper()
    if name == b"UID":
        scanner.space()
        name = b"UID " + scanner.atom().upper()
    command = COMMANDS.get(name)
    if command is None:
        raise UnknownCommand(f"{name[:32]!r}")
    return command
