"""Commands that open, close and clean a mailbox: SELECT, CLOSE, EXPUNGE, ..."""

from __future__ import annotations

from ...errors import MailError, ReadOnlyMailbox
from ...mail.flags import DELETED
from ...mail.mailbox import MailboxStatus
from ...mail.query import HasFlag
from .. import responses
from ..numset import NumberSet
from ..session import Conversation, Mailbox, Session, State
from ..syntax import Scanner
from ..view import View


async def select(talk: Conversation, scanner: Scanner) -> bytes:
    """SELECT (RFC 3501, section 6.3.1).

    Request:  ``select = "SELECT" SP mailbox``
    Response: FLAGS, EXISTS, RECENT, UNSEEN, PERMANENTFLAGS, UIDVALIDITY, UIDNEXT.
    """
    return await _open(talk, scanner, read_only=False)


async def examine(talk: Conversation, scanner: Scanner) -> bytes:
    """EXAMINE (RFC 3501, section 6.3.2).

    Request:  ``examine = "EXAMINE" SP mailbox``
    Response: as SELECT; no message loses ``\\Recent`` by it.
    """
    return await _open(talk, scanner, read_only=True)


async def _open(talk: Conversation, scanner: Scanner, *, read_only: bool) -> bytes:
    session = talk.session
    scanner.space()
    name = scanner.mailbox()
    scanner.end()
    # Whatever comes of it, the mailbox before is closed (section 6.3.1).
    session.deselect()
    mailbox = await session.account.open(name, read_only)
    session.open(mailbox, talk.watch(mailbox))
    try:
        status = await mailbox.status()
        view = await _view_of(talk, mailbox)
        session.select(view)
    finally:
        if session.state is not State.SELECTED:
            session.deselect()
    _describe(talk, view, status)
    return responses.EXAMINED if view.read_only else responses.SELECTED


async def _view_of(talk: Conversation, mailbox: Mailbox) -> View:
    # Claimed first: what arrives in between is recent here and maybe elsewhere,
    # which is better than nowhere.
    recent_from = await mailbox.claim_recent()
    outlined = talk.outlined(mailbox)
    if outlined is None:
        view = View.of_all(await mailbox.changes(0), read_only=mailbox.read_only)
    else:
        view = View(await outlined.outline(), read_only=mailbox.read_only)
    view.claim_recent(recent_from)
    return view


def _describe(talk: Conversation, view: View, status: MailboxStatus) -> None:
    talk.send(responses.flags(view.keywords))
    talk.send(responses.exists(len(view), len(view.recent)))
    if view.first_unseen is not None:
        for number in view.numbers_of([view.first_unseen]):
            talk.send(responses.unseen(number))
    talk.send(responses.permanent_flags(view.keywords, read_only=view.read_only))
    talk.send(responses.uid_facts(status, view.last_uid))


async def close(talk: Conversation, scanner: Scanner) -> None:
    """CLOSE (RFC 3501, section 6.4.2).

    Request:  ``"CLOSE"``
    Response: none besides OK; messages flagged ``\\Deleted`` go without a word.
    There is no NO: the mailbox is closed also if they do not go.
    """
    scanner.end()
    session = talk.session
    try:
        if not session.view.read_only:
            await _expunge(session)
    except MailError as error:
        talk.send(responses.untagged(responses.response_for(error)))
    finally:
        session.deselect()


async def unselect(talk: Conversation, scanner: Scanner) -> None:
    """UNSELECT (RFC 3691, section 2).

    Request:  ``"UNSELECT"``
    Response: none besides OK; nothing is expunged.
    """
    scanner.end()
    talk.session.deselect()


async def expunge(talk: Conversation, scanner: Scanner) -> None:
    """EXPUNGE (RFC 3501, section 6.4.3).

    Request:  ``"EXPUNGE"``
    Response: untagged EXPUNGE for each.
    """
    scanner.end()
    talk.send(await _expunge(talk.session))


async def uid_expunge(talk: Conversation, scanner: Scanner) -> None:
    """UID EXPUNGE (RFC 4315, section 2.1).

    Request:  ``"UID EXPUNGE" SP sequence-set``
    Response: untagged EXPUNGE for each.
    """
    scanner.space()
    numbers = scanner.sequence_set()
    scanner.end()
    talk.send(await _expunge(talk.session, numbers))


async def _expunge(session: Session, numbers: NumberSet | None = None) -> bytes:
    """Expunge what is flagged ``\\Deleted``, of the UIDs *numbers* if given.

    The view catches up first, and whatever it knows by then goes if it is flagged so:
    also by another session, just now.  -> what that tells; the command's own updates
    tell what has gone.
    """
    view = session.view
    if view.read_only:
        raise ReadOnlyMailbox("EXPUNGE of a mailbox opened for reading")
    session.stale = True
    told = await session.catch_up(expunges=True)
    places = view.places_of(await session.mailbox.search(HasFlag(DELETED)))
    if numbers is not None:
        named = set(view.places(numbers, by_uid=True))
        places = [place for place in places if place in named]
    if places:
        deleted = view.uids_at(places)
        view.vanished += await session.mailbox.expunge(deleted)
    return told
