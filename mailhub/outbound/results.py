"""What an attempt came to, in the queue's words."""

from __future__ import annotations

from ..errors import DNSFault, MailError
from ..mail.queued import Outcome, Result
from ..smtp.client_outcome import Sent, SessionFailed
from ..smtp.client_replies import ServerReply
from ..smtp.client_steps import Step
from .places import Place

_NO_PLACE = Place("", 0, "")
#: RFC 3463: what is said of a session that ended before the server decided.
_NO_ANSWER, _LOST = "4.4.1", "4.4.2"
#: What goes wrong there goes wrong for any message.
_BEFORE_ALL_MAIL = frozenset({Step.CONNECT, Step.GREETING, Step.HELLO, Step.TLS})


def result_of(reply: ServerReply, place: Place, good: Outcome) -> Result:
    """What a server's reply about a recipient means.

    :param good: ``DELIVERED`` or ``RELAYED``.
    """
    outcome = good
    if not reply.is_positive:
        outcome = Outcome.FAILED if reply.is_permanent else Outcome.DEFERRED
    return Result(outcome, reply.status, str(reply), place.host, place.address)


def unknown(sent: Sent, place: Place) -> Result:
    """The server has seen the end of the message, and said nothing: it may have it."""
    assert sent.fault is not None
    text = f"{sent.fault.text}; whether it was taken is not known"
    reached = not sent.fault.is_silent
    return Result(Outcome.DEFERRED, _LOST, text, place.host, place.address, reached)


def result_of_fault(fault: SessionFailed, place: Place = _NO_PLACE) -> Result:
    """A session that ended too early: worth another try, nearly always."""
    if fault.error is not None:
        return result_of_error(fault.error, place)
    if fault.reply is not None:
        status = fault.reply.status
        text, reached = str(fault.reply), True
        permanent = fault.reply.code == _NO_MAIL_HERE
    else:
        # Who falls silent in the middle has all the more of our time.
        reached = not (fault.step in _BEFORE_ALL_MAIL or fault.is_silent)
        status = _NO_ANSWER if fault.step is Step.CONNECT else _LOST
        text, permanent = fault.text, False
    if permanent:
        return Result(Outcome.FAILED, status, text, place.host, place.address)
    # RFC 3463: the class says that it is temporary, whatever the other side thinks.
    status = "4" + status[1:]
    return Result(Outcome.DEFERRED, status, text, place.host, place.address, reached)


def result_of_error(error: MailError, place: Place = _NO_PLACE) -> Result:
    """What our own rules, or DNS, say."""
    outcome = Outcome.FAILED if error.permanent else Outcome.DEFERRED
    status = f"{5 if error.permanent else 4}.{error.status.value}"
    # Without DNS nobody is found, whoever the mail is for.
    found = not isinstance(error, DNSFault)
    return Result(outcome, status, str(error), place.host, place.address, found)


#: RFC 7504: the host takes no mail at all.
_NO_MAIL_HERE = 521
