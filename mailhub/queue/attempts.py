"""One attempt: whatever happens, it has an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..errors import MailError, NoSuchMessage
from ..logbook import Complaints
from ..mail.queue_list import Alteration, Selection
from ..mail.queued import Outcome, Result
from .endings import GONE, Endings, Try
from .keepers import Begun
from .lanes import Errand, Lane, Lanes
from .probation import MAX_FAULTS
from .schedule import cut_off
from .steady import QueueTime

#: RFC 3463, section 3.5, as the sender has wanted it.
TOO_LATE = "5.4.7"
INTERNAL = "4.3.0"


class Attempts:
    """Makes attempts.

    :param queue: ``IQueue``; *way_out*: ``IWayOut``.
    :param begun: where it is noted which have begun.
    :param ended: called when an attempt at a destination has ended, before that is
        durable.
    """

    log = Logger()

    def __init__(
        self,
        queue: Any,
        way_out: Any,
        lanes: Lanes,
        endings: Endings,
        time: QueueTime,
        begun: Begun,
        ended: Callable[[Lane], None],
    ) -> None:
        self._queue = queue
        self._way_out = way_out
        self._lanes = lanes
        self._endings = endings
        self._time = time
        self._begun = begun
        self._ended = ended
        self._complaints = Complaints()

    def hold(self, errand: Errand) -> None:
        """Let a person decide about a message that is too dangerous to be tried."""
        Deferred.fromCoroutine(self._hold(errand)).addErrback(self._log_fault)

    async def _hold(self, errand: Errand) -> None:
        message = errand.lease.message
        text = f"the server has failed {errand.faults} times while it was sent"
        self.log.critical(
            "{queue_id} is held: {text}", queue_id=message.queue_id, text=text
        )
        result = Result(Outcome.DEFERRED, INTERNAL, text)
        results = [result] * len(errand.lease.recipients)
        await self._endings.conclude(errand, Try(results, hold=text))
        # Nor is it sent to anybody else.
        await self._queue.alter(
            Selection(queue_ids=(message.queue_id,)), Alteration(hold=text),
            self._time.now(),
        )

    def begin(self, errand: Errand) -> None:
        """Make the attempt."""
        errand.place = self._begun.add(errand.lease.token)
        errand.running = Deferred.fromCoroutine(self._run(errand))
        errand.running.addErrback(self._log_fault)

    def _log_fault(self, failure: Any) -> None:
        self.log.failure("a fault in the queue", failure)

    async def _run(self, errand: Errand) -> None:
        tried: Try | None = None
        try:
            tried = await self._try(errand)
        except CancelledError:
            tried = None
        except (MailError, OSError, MemoryError) as error:
            tried = self._fault_of_ours(errand, error)
        except Exception as error:
            tried = self._fault(errand, error)
        errand.is_over = True
        failure = None
        if tried is not None and tried.tells and tried.results:
            failure = next((each for each in tried.results if not each.reached), None)
        known = tried is not None and tried.tells
        lane = self._lanes.end(errand, self._time.now(), failure, known)
        self._ended(lane)
        await self._endings.conclude(errand, tried)

    async def _try(self, errand: Errand) -> Try:
        if errand.lease.until <= self._time.now():
            # A process that was frozen may have been taken for dead meanwhile.
            await self._endings.renew(errand)
        if errand.is_lost:
            return GONE
        lease = errand.lease
        message = lease.message
        cut = cut_off(message)
        if cut is not None and self._time.is_over(cut, message.arrived, breaks=True):
            text = "the time that its sender has given it is over"
            result = Result(Outcome.FAILED, TOO_LATE, text)
            return Try([result] * len(lease.recipients))
        content = errand.content
        try:
            if content is None:
                content = await self._queue.open(message.message_id)
            results = await self._way_out.send(lease, content)
        except NoSuchMessage:
            return GONE
        finally:
            if content is not errand.content:
                content.close()
        if len(results) != len(lease.recipients):
            raise ValueError(
                f"{len(results)} results for {len(lease.recipients)} recipients"
            )
        return Try(results, at=self._time.wall(), tells=True)

    def _fault_of_ours(self, errand: Errand, error: Exception) -> Try:
        """The store or the machine does not work: nothing about the message."""
        if self._complaints.is_due():
            self.log.failure("mail could not be sent: {error}", error=error)
        status = INTERNAL
        if isinstance(error, MailError):
            status = f"4.{error.status.value}"
        result = Result(Outcome.DEFERRED, status, "a fault of this server")
        return Try([result] * len(errand.lease.recipients), at=self._time.wall())

    def _fault(self, errand: Errand, error: Exception) -> Try:
        """A bug: the message may have to do with it."""
        message = errand.lease.message
        faults = errand.faults + 1
        self.log.failure(
            "{queue_id} could not be sent, for a fault in this server ({faults} of"
            " {most})", queue_id=message.queue_id, faults=faults, most=MAX_FAULTS,
        )
        text = f"a fault in this server: {type(error).__name__}"
        hold = ""
        if faults >= MAX_FAULTS:
            hold = text
            self.log.critical(
                "{queue_id} is held, as it has made the server fail {faults} times",
                queue_id=message.queue_id, faults=faults,
            )
        result = Result(Outcome.DEFERRED, INTERNAL, text)
        results = [result] * len(errand.lease.recipients)
        return Try(results, at=self._time.wall(), hold=hold, is_fault=True)
