"""w4: how soon an IDLE session hears of new mail."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from threading import Thread

from ..imap_client import IMAP
from ..messages import messages
from ..peers.base import Peer
from ..records import Record
from ..smtp_client import Sender
from .turn import Turn, signed_in

#: Seconds that a notice is waited for, and between two messages.
PATIENCE = 5.0
GAP = 0.1


def percentile(values: list[float], share: float) -> float:
    """The value that *share* of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def w4latency(peer: Peer, turn: Turn) -> Iterator[Record]:
    """From the last octet of a message to the notice; the commit is between them."""
    user = peer.users[0]
    heard: SimpleQueue[float] = SimpleQueue()
    waits: list[float] = []
    missed = 0
    body = messages("plain")[5]
    with signed_in(peer, user) as client:
        client.command(b"SELECT INBOX")
        client.socket.sendall(client.next_tag() + b"IDLE\r\n")
        client.line()
        listener = Thread(target=_listen, args=(client, heard))
        listener.start()
        sender = Sender(peer.address("smtp"))
        for _ in range(turn.plan.notices):
            while not heard.empty():  # too late for the message before
                heard.get()
            sender.announce([user.encode()])
            sent = time.perf_counter()
            sender.send(body)
            try:
                waits.append(heard.get(timeout=PATIENCE) - sent)
            except Empty:
                missed += 1
            time.sleep(GAP)
        sender.quit()
        client.socket.sendall(b"DONE\r\n")
        listener.join()
    if waits:
        milliseconds = [wait * 1000 for wait in waits]
        yield Record(
            "w4",
            "new mail told in IDLE, median",
            statistics.median(milliseconds),
            "ms",
            note=f"{missed} missed" if missed else "",
            more={"p99": percentile(milliseconds, 0.99), "missed": missed},
        )


def _listen(client: IMAP, heard: SimpleQueue[float]) -> None:
    """Note the time of every EXISTS, until IDLE ends."""
    while True:
        data = bytes(client.receive())
        if b" EXISTS" in data:
            heard.put(time.perf_counter())
        if b"zqx" in data:
            return
