"""How fast a server sends what has gathered in its queue, dead destinations among it::

    python -m benchmarks.backlog
    python -m benchmarks.backlog --messages 100000 --destinations 1000 --dead 0,1

Messages of 4 KB, one for each destination in turn, are put into the queue of a server
that does not run; then it is started, and what reaches a server that takes everything
is counted, until all has arrived that can.  Of the dead destinations, half refuse
connections and half take them and say nothing.  ``MAILHUB_BIN`` is the folder of
``twistd``, as for the other programs here.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import react

from mailhub.mail.account import Delivery
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queued import Outgoing, Sending
from mailhub.net.spool import Spool
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.store import SQLiteStore

from .queueing import tell
from .sink import Sink

ROOT = Path(__file__).resolve().parents[1]
#: Messages that are put into the queue together.
LOT = 2_000
#: Seconds that one run may take.
PATIENCE = 300.0
_BODY = b"\r\n" + (b"0123456789" * 7 + b"\r\n") * 56
_CONFIG = """\
[server]
host_name = "mx.example.org"
data = "{folder}/data"
[listen]
smtp = ["127.0.0.1:0"]
submission = []
submissions = []
lmtp = []
pop3 = []
pop3s = []
imap = []
imaps = []
admin = []
[dns]
servers = ["127.0.0.1:9"]
[outbound]
routes = [
    ".live.example smtp://127.0.0.1:{sink}",
    ".silent.example smtp://127.0.0.1:{silent}",
    ".closed.example smtp://127.0.0.1:1",
]
"""


def destination(number: int, destinations: int, dead: int) -> str:
    """Of the message of that *number*."""
    place = number % destinations
    if place >= dead:
        return f"d{place}.live.example"
    return f"d{place}.{'silent' if place % 2 else 'closed'}.example"


async def fill(
    reactor: Any, folder: str, messages: int, destinations: int, dead: int
) -> None:
    """Put the messages into the queue of a store."""
    store = SQLiteStore(folder, reactor=reactor, spool=Spool)
    await store.start()
    now = time.time()
    for start in range(0, messages, LOT):
        waiting = [
            store.deliver(
                _delivery(number, destination(number, destinations, dead), now)
            )
            for number in range(start, min(start + LOT, messages))
        ]
        await gatherResults([Deferred.fromCoroutine(each) for each in waiting])
    await store.stop()


def _delivery(number: int, domain: str, now: float) -> Delivery:
    content = BytesContent(b"Subject: %d\r\n" % number + _BODY)
    sending = Sending(
        f"B{number:09}", "s@example.org", None, MailParameters(),
        (Outgoing(f"u@{domain}", domain),), now, now, now + 86_400.0,
    )  # fmt: skip
    return Delivery(content, b"", (), int(now), (sending,))


async def run(reactor: Any, options: argparse.Namespace, percent: float) -> None:
    """One queue, from its first message to the last that can arrive."""
    dead = round(options.destinations * percent / 100)
    live = sum(
        number % options.destinations >= dead for number in range(options.messages)
    )
    with tempfile.TemporaryDirectory() as folder:
        await fill(
            reactor, f"{folder}/data", options.messages, options.destinations, dead
        )
        marks = _sent(folder, live)
    early, late = (
        next((mark for mark in marks if mark[1] >= live * part), marks[-1])
        for part in (0.05, 0.95)
    )
    seconds, count = marks[-1]
    middle = (late[1] - early[1]) / max(1e-9, late[0] - early[0])
    tell(
        "{:5.1f} % dead: {:6} of {:6} in {:6.1f} s: {:6.0f}/s, in between {:6.0f}/s",
        percent, count, live, seconds, count / seconds, middle,
    )  # fmt: skip


def _sent(folder: str, live: int) -> list[tuple[float, int]]:
    """Let a server send the queue in *folder*.  -> how it went"""
    sink, config = Sink(), Path(folder, "mailhub.toml")
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as silent:
        port = silent.getsockname()[1]
        text = _CONFIG.format(folder=folder, sink=sink.port, silent=port)
        config.write_text(text)
        try:
            return _watched(config, sink, live)
        finally:
            sink.stop()


def _watched(config: Path, sink: Sink, live: int) -> list[tuple[float, int]]:
    """Seconds since the start, and what had arrived by then."""
    twistd = os.path.join(
        os.environ.get("MAILHUB_BIN", os.path.dirname(sys.executable)), "twistd"
    )
    server = subprocess.Popen(
        [twistd, "-n", "--pidfile=", "mailhub", "--config", str(config)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    began, marks = time.monotonic(), [(0.0, 0)]
    try:
        while marks[-1][1] < live and marks[-1][0] < PATIENCE:
            time.sleep(0.25)
            marks.append((time.monotonic() - began, sink.count))
    finally:
        server.terminate()
        server.wait()
    return marks


async def main(reactor: Any, options: argparse.Namespace) -> None:
    """All runs, one after the other."""
    for percent in options.dead.split(","):
        await run(reactor, options, float(percent))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(description="Let a server send its queue.")
    found.add_argument("--messages", type=int, default=100_000)
    found.add_argument("--destinations", type=int, default=1_000)
    found.add_argument(
        "--dead", default="0,1,0,1", help="percent of destinations, for each run"
    )
    return found


if __name__ == "__main__":
    chosen = parser().parse_args()

    def begin(reactor: Any) -> Deferred[None]:
        return ensureDeferred(main(reactor, chosen))

    react(begin)
