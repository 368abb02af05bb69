"""w5: POP3 of a large maildrop."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..peers.base import Peer
from ..pop3_client import POP3
from ..records import Record
from .turn import Turn, load, mailbox_size, size_note

#: RETR commands that are sent together.
WINDOW = 50


def w5(peer: Peer, turn: Turn) -> Iterator[Record]:
    """LIST, UIDL and a download of everything, twice."""
    user = peer.users[(turn.repetition + 3) % len(peer.users)]
    count, note = mailbox_size(peer, turn), size_note(peer, turn)
    load(peer, user, count, "mix")
    for when in ("first", "again"):
        begin = time.perf_counter()
        with POP3(peer.address("pop3")) as client:
            client.login(*peer.login(user))
            opened = time.perf_counter() - begin
            yield Record("w5", f"login, {when}", opened * 1000, "ms", note=note)
            for command in (b"LIST", b"UIDL"):
                begin = time.perf_counter()
                client.listing(command + b"\r\n")
                took = (time.perf_counter() - begin) * 1000
                yield Record("w5", f"{command.decode()}, {when}", took, "ms", note=note)
            for name, window in (("50 at a time", WINDOW), ("singly", 1)):
                yield _download(peer, client, count, window, f"RETR {name}, {when}")
            client.command(b"QUIT")


def _download(peer: Peer, client: POP3, count: int, window: int, case: str) -> Record:
    meter, begin = peer.meter(), time.perf_counter()
    octets = sum(
        client.retrieve(first, min(count, first + window - 1))
        for first in range(1, count + 1, window)
    )
    seconds, cost = time.perf_counter() - begin, meter.read()
    more = {"messages_per_second": count / seconds}
    return Record(
        "w5", case, octets / seconds / 1e6, "MB/s",
        1000 * cost.server, cost.client_share, more=more,
    )  # fmt: skip
