"""The life of a server, recorded: accounts, load, an orderly end, kills."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .answers import Answers
from .crowd import Crowd, Members
from .promises import Book
from .subject import USERS, Subject
from .trace import Call, read, strace

#: Runs what follows with a library that makes every flush do nothing.
WITHOUT_DISK = ("env", "LD_PRELOAD=libeatmydata.so")
#: Submissions inside TLS are answered where nobody can read it.
MEMBERS = Members(tls=False)


@dataclass
class Life:
    """What was recorded.

    Moments in *book* are those of *calls* once :func:`record` has returned.

    :ivar folder: the data folder.
    :ivar accounts: addresses, and when the command that made each had ended.
    :ivar answers: moments of the answers that clients have seen.
    """

    folder: str
    calls: list[Call]
    book: Book
    accounts: dict[str, float]
    answers: list[int]
    refusals: list[str]

    def changes(self) -> list[Call]:
        """The calls that changed or flushed something in the data folder."""
        return [call for call in self.calls if call.is_change_below(self.folder)]


def record(
    subject: Subject,
    trace: Path,
    seconds: Sequence[float],
    wrapper: Sequence[str] = (),
) -> Life:
    """Let a server live.

    :param trace: a file for the recording.
    :param seconds: of load on each of the servers that follow one another; each is
        killed but the first, which is stopped in order.
    :param wrapper: runs the server under strace(1).
    """
    recorder = [*strace(trace), *wrapper]
    book, accounts, refusals = Book(), {}, []
    try:
        for user in USERS:
            made = subject.command(
                "user", "add", user, "--password-stdin", wrapper=recorder
            )
            made.check_returncode()
            accounts[user] = time.time()
        for number, duration in enumerate(seconds):
            subject.start(recorder)
            crowd = Crowd(subject.ports, book, MEMBERS)
            crowd.start()
            time.sleep(duration)
            if number == 0:
                crowd.stop()
                subject.stop()
            else:
                subject.kill()
                crowd.stop()
            refusals += crowd.refusals
    finally:
        subject.kill()
    with open(trace) as lines:
        calls = list(read(lines))
    trace.unlink()
    life = Life(str(subject.data), calls, book, accounts, [], refusals)
    _translate(life)
    return life


def _translate(life: Life) -> None:
    """Turn the clocks of clients into moments of the trace."""
    answers = Answers()
    for call in life.calls:
        answers.follow(call)
    times = [call.time for call in life.calls]
    moments = [call.moment for call in life.calls]

    def moment_of(seconds: float) -> float:
        place = bisect_right(times, seconds)
        return moments[place - 1] if place else 0

    for user, seconds in life.accounts.items():
        life.accounts[user] = moment_of(seconds)
    for operation in life.book.operations:
        operation.begun = moment_of(operation.begun)
        sent = answers.moments.get(operation.wire)
        if sent is not None:
            operation.answered = sent
            life.answers.append(sent)
        elif operation.answered < moments[-1] or operation.answered < 1e300:
            raise LookupError(f"no answer for {operation} was recorded")
