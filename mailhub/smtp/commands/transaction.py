"""MAIL, RCPT and DATA: one message on its way in."""

from __future__ import annotations

from dataclasses import replace

from ...errors import LocalFault, MailError, MessageTooLarge
from ...mail.address import Address
from ...mail.dates import format_utc
from ...mail.envelope import Envelope, RecipientParameters
from .. import replies, trace
from ..dialogue import Content, Dialogue
from ..parameters import PLAIN, Extension, Terms
from ..replies import Reply, reply_for
from ..syntax import parse_mail, parse_rcpt

NO_WISHES = RecipientParameters()


async def mail(dialogue: Dialogue, argument: bytes) -> Reply:
    """``MAIL FROM:<path> [parameters]``: opens a transaction (RFC 5321, 4.1.1.2).

    :raises MailError: what is wrong with it, or what the avatar objects.
    """
    session = dialogue.session
    service = dialogue.service
    if service.requires_tls and not dialogue.is_private:
        return replies.NEED_TLS
    if service.requires_login and session.user is None:
        return replies.NEED_LOGIN
    given = parse_mail(argument, _terms(dialogue))
    parameters = given.parameters
    success = replies.SENDER_OK
    if parameters.priority > 0 and session.user is None:
        # Strangers' mail is not more urgent than others' (RFC 6710, section 4.1).
        parameters = replace(parameters, priority=0)
        success = replies.NOT_URGENT
    if given.sender and not parameters.smtputf8 and not _is_ascii(given.sender):
        return replies.NON_ASCII_SENDER
    if (parameters.size or 0) > session.limits.message_size:
        raise MessageTooLarge(f"announced with {parameters.size} octets")
    # RFC 1870, section 6.1 (2): 452, "insufficient system storage".
    dialogue.check_room(parameters.size or 0)
    avatar = await dialogue.submission()
    if avatar is None:
        return replies.NEED_LOGIN
    envelope = Envelope(
        id=dialogue.new_id(),
        peer=dialogue.peer,
        user=session.user,
        sender=given.sender,
        parameters=parameters,
        one_by_one=service.lmtp,
    )
    await avatar.sender(envelope)
    session.envelope = envelope
    return success


def mail_keywords(dialogue: Dialogue) -> tuple[str, ...]:
    """RFC 1870, 6152, 6531; where mail can wait 3461, 2852, 6710, 4865, 8689."""
    limits = dialogue.session.limits
    keywords = [f"SIZE {limits.message_size}", "8BITMIME", "SMTPUTF8"]
    offered = _offered(dialogue)
    if not offered:
        return tuple(keywords)
    keywords += [word for extension, word in _WORDS if extension in offered]
    if Extension.FUTURE_RELEASE in offered:
        longest = limits.longest_hold
        # Whole minutes, so that the reply is made once in each.
        until = format_utc((dialogue.seconds() + longest) // 60 * 60)
        keywords.append(f"FUTURERELEASE {longest} {until}")
    return tuple(keywords)


_WORDS = (
    (Extension.DSN, "DSN"),
    (Extension.DELIVER_BY, "DELIVERBY"),
    (Extension.PRIORITY, "MT-PRIORITY"),
    (Extension.REQUIRE_TLS, "REQUIRETLS"),
    (Extension.VERP, "XVERP"),
)
_QUEUING = Extension.DSN | Extension.DELIVER_BY | Extension.PRIORITY
_OF_USERS = Extension.FUTURE_RELEASE | Extension.VERP
_PRIVATE = _QUEUING | Extension.REQUIRE_TLS


def _offered(dialogue: Dialogue) -> Extension:
    """What a client may ask for here and now.

    REQUIRETLS only in TLS (RFC 8689, section 2); FUTURERELEASE only to users (RFC
    4865, section 4.2), and XVERP, as it makes a message of each recipient.
    """
    service = dialogue.service
    if not service.queues:
        return Extension.NONE
    offered = _PRIVATE if dialogue.is_secure else _QUEUING
    return offered | _OF_USERS if service.requires_login else offered


def _terms(dialogue: Dialogue) -> Terms:
    offered = _offered(dialogue)
    if not offered:
        return PLAIN
    return Terms(offered, dialogue.seconds(), dialogue.session.limits.longest_hold)


async def rcpt(dialogue: Dialogue, argument: bytes) -> Reply:
    """``RCPT TO:<path>``: one more recipient (RFC 5321, section 4.1.1.3).

    :raises MailError: what is wrong with it, or what the avatar objects.
    """
    envelope = dialogue.session.envelope
    avatar = await dialogue.submission()
    if envelope is None or avatar is None:
        return replies.NEED_MAIL
    if len(envelope.recipients) >= _most_recipients(dialogue):
        return replies.TOO_MANY_RECIPIENTS
    given = parse_rcpt(argument, _terms(dialogue))
    address = given.recipient
    if not envelope.parameters.smtputf8 and not _is_ascii(address):
        return replies.NON_ASCII_RECIPIENT
    if given.parameters != NO_WISHES:
        envelope.wishes[address] = given.parameters
    await avatar.recipient(envelope, address)
    envelope.recipients.append(address)
    return replies.RECIPIENT_OK


def rcpt_keywords(dialogue: Dialogue) -> tuple[str, ...]:
    """RFC 9422."""
    return (f"LIMITS RCPTMAX={_most_recipients(dialogue)}",)


def _most_recipients(dialogue: Dialogue) -> int:
    """Of one message: fewer for strangers; who speaks LMTP is none."""
    service, session = dialogue.service, dialogue.session
    if service.lmtp or service.requires_login or session.user is not None:
        return session.limits.recipients
    return min(session.limits.recipients, session.limits.stranger_recipients)


async def data(dialogue: Dialogue, argument: bytes) -> Reply | None:
    """``DATA``: the message itself (RFC 5321, section 4.1.1.4).

    One reply; in LMTP one for each recipient, in order (RFC 2033, section 4.2).
    """
    if argument:
        return replies.NO_ARGUMENT
    session = dialogue.session
    envelope = session.envelope
    if envelope is None:
        return replies.NEED_MAIL
    dialogue.check_room(envelope.parameters.size or 0)
    content = await dialogue.receive()
    session.reset()
    outcomes: list[Reply]
    if isinstance(content, Reply):
        outcomes = [content] * len(envelope.recipients)
    else:
        outcomes = await _deliver(dialogue, envelope, content)
    if not envelope.one_by_one:
        return max(outcomes, key=lambda reply: reply.code)
    for reply in outcomes[:-1]:
        dialogue.send(reply.wire)
    return outcomes[-1]


async def _deliver(
    dialogue: Dialogue, envelope: Envelope, content: Content
) -> list[Reply]:
    """Hand the message over; a reply per recipient."""
    session = dialogue.session
    count = len(envelope.recipients)
    size = content.size
    try:
        transfer = trace.transfer_type(
            envelope, lmtp=dialogue.service.lmtp, extended=session.extended
        )
        envelope.trace += trace.received(envelope, transfer, dialogue.seconds())
        avatar = await dialogue.submission()
        if avatar is None:
            return [replies.NEED_LOGIN] * count
        errors = await avatar.message(envelope, content) or [None] * count
        if len(errors) != count:
            # Fewer replies than LMTP's client waits for would lose its place.
            raise ValueError(f"{len(errors)} outcomes for {count} recipients")
    except MailError as error:
        errors = [error] * count
        dialogue.refused(b"DATA", error)
    except Exception:
        errors = [LocalFault()] * count
        dialogue.report_fault()
    finally:
        content.close()
    if None in errors:
        session.accepted()
        dialogue.taken(envelope, size)
    success = replies.queued(envelope.id)
    return [success if error is None else reply_for(error) for error in errors]


def _is_ascii(address: Address) -> bool:
    return address.local.isascii() and address.domain.isascii()
