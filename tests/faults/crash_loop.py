"""Give the server mail that ends its process whenever it is tried::

    python -m tests.faults.crash_loop
    python -m tests.faults.crash_loop --short --without notes

Users submit mail to another server, and in the end one message that makes the server's
process die (SIGSEGV) as it is about to be sent; then it is started again, as often as
it dies.  That may be three times: then the message has to be held, with the reason in
``mailhub queue list`` and an alert in the log, and all other mail has to be where it
belongs, once, but for what was under way when the process died.  What is submitted
afterwards leaves within a second.
"""

from __future__ import annotations

import argparse
import smtplib
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from .careless import POISON_FOR_SENDER
from .ledger import Ledger, judge, recognise
from .names import FaultyNames, Mode
from .program import Results, perform
from .queue_kill import settings, waiting
from .server import Server
from .sink import Sink
from .subject import HOST, PASSWORD, USERS

#: Seconds in which all has to be over.
TIMEOUT = 60.0
#: Messages beside it, seconds that the other server takes for each, and how often the
#: message is given to a server.
OTHERS, SLOW, LONG, SHORT = 40, 0.2, 5, 1
#: Deaths after which it has to be found.
MOST = 3
POISON = "poison@d7.example"
REASON = f"the server has failed {MOST} times while it was sent"
#: Seconds that nobody may have to wait for longer.
PATIENCE = 1.0


class Patient:
    """A server that is started again when it dies, as systemd does it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.deaths = 0

    def live(self) -> None:
        """Until all that waits is held, or it has died more often than it may."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end and self.deaths <= MOST:
            if not self._server.is_alive:
                self.deaths += 1
                self._server.start()
            elif self._is_calm():
                return
            time.sleep(0.05)

    def _is_calm(self) -> bool:
        """Whether all that waits is held; not if the server dies meanwhile."""
        try:
            return all(each["hold"] for each in waiting(self._server))
        except KeyError:
            return False


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """One poison after the other."""
    results = Results()
    for number in range(1, 1 + (SHORT if options.short else LONG)):
        _one(options, folder / str(number), results)
        tell(f"message {number}")
        if not results.held:
            break
    return results


def _one(
    options: argparse.Namespace,
    folder: Path,
    results: Results,
) -> None:
    names, ledger = FaultyNames(), Ledger()
    names.mode = Mode.WELL
    sink = Sink(heard=lambda message: time.sleep(SLOW))
    patches = "+".join(filter(None, ["crash", options.without]))
    server = Server(folder, patches)
    server.configure(settings(sink, names))
    try:
        server.set_up()
        server.start()
        _submit(server, ledger)
        patient = Patient(server)
        patient.live()
        deaths = patient.deaths
        results.expect(f"deaths {deaths}, at most {MOST}", 0 < deaths <= MOST)
        if results.held:
            _look(server, ledger, sink, results)
    finally:
        server.kill()
        names.close()
        sink.close()


def _submit(server: Server, ledger: Ledger) -> None:
    with smtplib.SMTP(HOST, server.ports.submission, timeout=20) as client:
        client.login(USERS[0], PASSWORD)
        for count in range(OTHERS):
            number, data = ledger.new_message()
            client.sendmail(USERS[0], [f"jo@d{count % 20}.example"], data)
            ledger.acknowledge(number)
        poison = POISON_FOR_SENDER + b"\r\n\r\nIt ends here.\r\n"
        client.sendmail(USERS[0], [POISON], poison)


def _look(server: Server, ledger: Ledger, sink: Sink, results: Results) -> None:
    held = [f"{each['address']}, as {each['hold']}" for each in waiting(server)]
    results.expect(f"held: {held}", held == [f"{POISON}, as {REASON}"])
    results.expect("the log has an alert", "is held: the server has" in server.log)
    verdict = judge(ledger, sink.messages)
    counts = Counter(recognise(ledger, each)[0] for each in sink.messages)
    again = sum(counts.values()) - len(counts)
    results.expect(
        f"others: acknowledged {verdict.acknowledged}, lost {len(verdict.lost)},"
        f" corrupt {len(verdict.corrupt)}, came again after a death {again}",
        not verdict.lost and not verdict.corrupt and again <= MOST * OTHERS,
    )
    before, began = len(sink.messages), time.monotonic()
    with smtplib.SMTP(HOST, server.ports.submission, timeout=20) as client:
        client.login(USERS[1], PASSWORD)
        client.sendmail(USERS[1], ["jo@d7.example"], ledger.new_message()[1])
    while len(sink.messages) == before and time.monotonic() - began < 10 * PATIENCE:
        time.sleep(0.01)
    took = time.monotonic() - began
    results.expect(
        f"new mail leaves after {took:.2f} s, at most {PATIENCE} s", took <= PATIENCE
    )


def main() -> int:
    """The command line."""
    return perform("crash_loop", __doc__, run, without=("notes",))


if __name__ == "__main__":
    sys.exit(main())
