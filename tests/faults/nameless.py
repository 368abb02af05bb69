"""Let DNS break down while mail is sent, and come back::

    python -m tests.faults.nameless
    python -m tests.faults.nameless --short
    python -m tests.faults.nameless --short --without patience

Users send mail to domains whose name server answers SERVFAIL, or REFUSED, or nothing,
or cuts its answers off, or damages them, or is five seconds late.  All of it has to be
taken, and none of it may come back; the server must go on serving others meanwhile.
When DNS is well again, all mail has to arrive, once, within one interval between
attempts.
"""

from __future__ import annotations

import argparse
import re
import smtplib
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from .ledger import Ledger, judge
from .load import read_everything
from .names import FaultyNames, Mode
from .program import Results, perform
from .server import Server
from .sink import Sink
from .subject import HOST, PASSWORD, USERS

BROKEN = (
    Mode.SERVFAIL, Mode.REFUSED, Mode.SILENT, Mode.TRUNCATED, Mode.DAMAGED, Mode.SLOW,
)  # fmt: skip
#: Seconds between attempts, the first ones and at most: the shortest that may be set.
RETRY, LONGEST = 10, 60
#: Seconds on top of it: faults are remembered for five, and lookups need some.
GRACE = 8.0
#: Seconds without DNS, messages for each kind of fault, and seconds that the server
#: waits for an answer.
LONG, SHORT = (60.0, 40, 10), (5.0, 4, 3)
#: Seconds that a look of the reactor's timer may be late, for 99 of 100.
LATEST = 0.05
_BUCKET = re.compile(r'mailhub_reactor_lag_seconds_bucket\{(.*?)\} ([0-9.e+]+)')
_SETTINGS = """
[queue]
first_retry = {retry}
longest_retry = {longest}

[outbound]
port = {sink}
allow_private = true
families = "ipv4"

[dns]
servers = ["127.0.0.1:{dns}"]
attempt = 1
total = {total}
"""


class Relay(Server):
    """A server that asks *names* and sends to *sink*."""

    def __init__(
        self,
        folder: Path,
        without: str | None,
        names: FaultyNames,
        sink: Sink,
        total: int,
    ) -> None:
        super().__init__(folder, without)
        text = self._configuration.read_text()
        text = text.replace('[dns]\nservers = ["127.0.0.1:9"]\n', "")
        text += _SETTINGS.format(
            retry=RETRY, longest=LONGEST, sink=sink.port, dns=names.port, total=total
        )
        self._configuration.write_text(text)

    def punctual(self) -> float:
        """How many of the reactor's looks were not late, from 0 to 1."""
        url = f"http://{HOST}:{self.admin}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = _BUCKET.findall(answer.read().decode())
        counts = {
            bound: float(count)
            for labels, count in found
            for bound in re.findall(r'le="([^"]*)"', labels)
        }
        return counts[str(LATEST)] / counts["+Inf"]


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """Without DNS for a while, then with it."""
    results, ledger = Results(), Ledger()
    seconds, number, total = SHORT if options.short else LONG
    names, sink = FaultyNames(), Sink()
    server = Relay(folder / "server", options.without, names, sink, total)
    try:
        server.set_up()
        server.start()
        names.mode = Mode.BY_NAME
        refused = _send(server, ledger, number)
        time.sleep(seconds)
        tell(f"{names.queries} questions heard while down")
        results.expect(f"refused while DNS is down: {refused}", refused == 0)
        early = judge(ledger, sink.messages)
        punctual = server.punctual()
        results.expect(f"looks in time: {punctual:.4f}", punctual > 0.99)
        early_bounces = len(read_everything(server.ports))
        names.mode = Mode.WELL
        interval = RETRY if options.short else LONGEST
        back = _wait(ledger, sink, 0 if early_bounces else interval + GRACE)
        tell(f"arrived while down: {len(ledger.sent) - len(early.lost)}")
        verdict = judge(ledger, sink.messages)
        results.expect(f"{verdict}, {back:.1f} s after the return", verdict.is_clean)
        bounced = len(read_everything(server.ports))
        results.expect(f"came back to their senders: {bounced}", bounced == 0)
        results.expect("the server is alive", server.is_alive)
    finally:
        server.kill()
        names.close()
        sink.close()
    return results


def _send(server: Relay, ledger: Ledger, number: int) -> int:
    """*number* messages for each kind of fault.  -> how many were refused"""
    refused = 0
    with smtplib.SMTP(HOST, server.ports.submission, timeout=20) as client:
        client.login(USERS[0], PASSWORD)
        for count in range(number):
            for mode in BROKEN:
                index, data = ledger.new_message()
                recipient = f"jo@{mode.name.lower()}-{count % 10}.example"
                try:
                    client.sendmail(USERS[0], [recipient], data)
                except smtplib.SMTPException:
                    refused += 1
                else:
                    ledger.acknowledge(index)
    return refused


def _wait(ledger: Ledger, sink: Sink, seconds: float) -> float:
    """Until everything has arrived, or no longer.  -> how long that took"""
    began = time.monotonic()
    while judge(ledger, sink.messages).lost and time.monotonic() - began < seconds:
        time.sleep(0.1)
    return time.monotonic() - began


def main() -> int:
    """The command line."""
    return perform("nameless", __doc__, run, without=("patience",))


if __name__ == "__main__":
    sys.exit(main())
