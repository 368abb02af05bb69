"""Kill a server that sends, again and again, and look where its mail has gone::

    python -m tests.faults.queue_kill
    python -m tests.faults.queue_kill --short
    python -m tests.faults.queue_kill --workers 2
    python -m tests.faults.queue_kill --short --without row

Users submit mail for other servers as fast as they are answered; another server takes
four of five messages and refuses the fifth, so that its sender has to be told.  After
50 to 1,500 ms the server is killed with SIGKILL and started again at once; with
``--workers`` a worker, the master or all of them, in turn.  In the end the other server
must have each message that was answered for, with every octet, and the sender one
notification of each that was refused.  A message may come twice only if the server was
killed between the other's answer and the commit that follows it.  No message is held
because of the kills.
"""

from __future__ import annotations

import argparse
import json
import re
import smtplib
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Event, Lock, Thread
from typing import Any

from .kill import EARLIEST, LATEST, VICTIMS
from .ledger import MARK, Ledger, judge, recognise
from .load import GONE, TIMEOUT, read_everything
from .names import FaultyNames, Mode
from .program import Results, perform
from .server import Server
from .sink import Sink
from .subject import HOST, PASSWORD, USERS
from .verifying import verify

#: Seconds of kills, and clients.
SECONDS, SHORT, CLIENTS = 90.0, 2.0, 6
#: One message in so many is refused.
REFUSED_EVERY = 5
#: Seconds from an answer of the other server until its outcome is durable, at most.
COMMIT = 0.5
#: What the log tells of a server that has started.
READY = "mailhub is ready on"
#: Seconds between the first attempts: the shortest that may be set.
RETRY = 10
_NUMBER = re.compile(re.escape(MARK) + rb"(\d+)")
_SETTINGS = """
[queue]
first_retry = {retry}

[outbound]
port = {sink}
allow_private = true
families = "ipv4"

[dns]
servers = ["127.0.0.1:{dns}"]
"""


class Other:
    """The other server, and what it has seen when.

    :ivar seen: seconds of the steady clock, by number of the message.
    """

    def __init__(self) -> None:
        self.seen: defaultdict[int, list[float]] = defaultdict(list)
        self._lock = Lock()
        self.sink = Sink(answer=self._answer)

    def _answer(self, message: bytes) -> bytes:
        number = _number_of(message)
        with self._lock:
            self.seen[number].append(time.monotonic())
        return b"550 5.1.1 nobody" if is_refused(number) else b"250 2.0.0 taken"

    def taken(self) -> list[bytes]:
        """Messages, those that came again as often as they did."""
        found = list(self.sink.messages)
        return [each for each in found if not is_refused(_number_of(each))]


def settings(sink: Sink, names: FaultyNames) -> str:
    """What lets a server send to *sink* by way of *names*."""
    return _SETTINGS.format(retry=RETRY, sink=sink.port, dns=names.port)


def is_refused(number: int) -> bool:
    """Whether the other server does not want the message of that number."""
    return number % REFUSED_EVERY == 0


def _number_of(message: bytes) -> int:
    found = _NUMBER.search(message)
    return -1 if found is None else int(found[1])


class Submitters:
    """Users who send, whatever happens to the server."""

    def __init__(self, server: Server, ledger: Ledger) -> None:
        self._server = server
        self._ledger = ledger
        self._ending = Event()
        self._threads = [
            Thread(target=self._work, args=(user,), daemon=True)
            for user in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return after the last answer."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _work(self, user: int) -> None:
        while not self._ending.is_set():
            with suppress(*GONE):
                self._session(USERS[user % len(USERS)])
            time.sleep(0.02)

    def _session(self, user: str) -> None:
        port = self._server.ports.submission
        with smtplib.SMTP(HOST, port, timeout=TIMEOUT) as client:
            client.login(user, PASSWORD)
            while not self._ending.is_set():
                number, data = self._ledger.new_message()
                client.sendmail(user, [f"jo@d{number % 20}.example"], data)
                self._ledger.acknowledge(number)


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """Load and kills for a while, and then peace."""
    names, other, ledger = FaultyNames(), Other(), Ledger()
    names.mode = Mode.WELL
    server = Server(folder / "server", options.without, workers=options.workers)
    server.configure(settings(other.sink, names))
    try:
        server.set_up()
        server.start()
        submitters = Submitters(server, ledger)
        kills = _kill(server, SHORT if options.short else SECONDS)
        submitters.stop()
        waited = _wait(server)
        tell(f"{len(kills)} kills, then {waited:.1f} s until nothing waited")
        return _judge(server, ledger, other, kills)
    finally:
        server.kill()
        names.close()
        other.sink.close()


def _kill(server: Server, seconds: float) -> list[float]:
    """-> when the server was killed, by the steady clock"""
    chance, kills, before = Random(1), list[float](), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # A server whose workers die before all are ready does not start.
        while READY not in server.log[before:]:
            time.sleep(0.05)
        time.sleep(chance.uniform(EARLIEST, LATEST))
        workers = server.workers()
        victim = VICTIMS[len(kills) % len(VICTIMS)] if workers else "all"
        kills.append(time.monotonic())
        if victim == "worker":
            server.kill_worker(chance.choice(workers))
            continue
        if victim == "master":
            server.kill_master()
        server.kill()
        before = len(server.log)
        server.start()
    return kills


def _wait(server: Server) -> float:
    """Until only what is held is left, or nothing leaves.  -> how long that took"""
    began = progress = time.monotonic()
    least = sys.maxsize
    while time.monotonic() - progress < 3 * RETRY:
        left = sum(not each["hold"] for each in waiting(server))
        if not left:
            break
        if left < least:
            least, progress = left, time.monotonic()
        time.sleep(0.2)
    return time.monotonic() - began


def waiting(server: Server) -> list[dict[str, Any]]:
    """Recipients in the queue, as the command tells of them.

    :raises KeyError: it tells nothing.
    """
    listed = json.loads(server.command("queue", "list", "--json").stdout)
    return [each for message in listed["messages"] for each in message["recipients"]]


def _judge(
    server: Server, ledger: Ledger, other: Other, kills: list[float]
) -> Results:
    results = Results()
    left = waiting(server)
    held = sum(bool(each["hold"]) for each in left)
    results.expect(f"held {held}, left over {len(left) - held}", not left)
    refused = {number for number in ledger.acknowledged if is_refused(number)}
    told = Counter(map(_number_of, read_everything(server.ports)))
    ledger.acknowledged -= refused
    verdict = judge(ledger, other.taken())
    results.expect(
        f"taken by the other server: acknowledged {verdict.acknowledged}, lost"
        f" {len(verdict.lost)}, corrupt {len(verdict.corrupt)}",
        bool(verdict.acknowledged) and not verdict.lost and not verdict.corrupt,
    )
    lost = len(refused - told.keys())
    strange = sum(not is_refused(number) for number in told)
    doubled = sum(number > 1 for number in told.values())
    results.expect(
        f"refused {len(refused)}: senders not told of {lost}, told twice of {doubled},"
        f" told of what was taken {strange}",
        bool(refused) and not (lost or doubled or strange),
    )
    wrong = sum(not recognise(ledger, each)[1] for each in other.sink.messages)
    longest, unexplained, again = _repeated(other, kills)
    results.expect(
        f"came again: {again}, all for a kill at most {longest:.3f} s from the answer,"
        f" but {unexplained}; corrupt {wrong}",
        not unexplained and not wrong,
    )
    server.stop()
    faults = verify(server)
    results.faults += faults
    results.expect(f"mailhub verify finds {len(faults)} faults", not faults)
    return results


def _repeated(other: Other, kills: list[float]) -> tuple[float, int, int]:
    """How messages came again: the longest time between an answer and the kill that
    explains it, how many had no such kill, and how many there were.
    """
    longest, unexplained, again = 0.0, 0, 0
    for moments in other.seen.values():
        for before, after in pairwise(sorted(moments)):
            again += 1
            # What was sent before a kill may be read after it.
            near = [abs(killed - before) for killed in kills if killed < after]
            least = min(near, default=2 * COMMIT)
            if least > COMMIT:
                unexplained += 1
            else:
                longest = max(longest, least)
    return longest, unexplained, again


def main() -> int:
    """The command line."""
    return perform(
        "queue_kill", __doc__, run, without=("row",),
        options=lambda parser: parser.add_argument("--workers", type=int, default=0),
    )


if __name__ == "__main__":
    sys.exit(main())
