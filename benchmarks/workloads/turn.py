"""What a workload knows beside its server, and what many of them do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..imap_client import IMAP, INBOX
from ..messages import messages
from ..peers.base import Peer
from ..plan import Plan
from ..records import Record
from ..wire import client_tls


@dataclass(frozen=True, slots=True)
class Turn:
    """One repetition of a workload.

    :ivar repetition: counted from 0.
    """

    plan: Plan
    repetition: int = 0


Run = Callable[[Peer, Turn], Iterator[Record]]


def signed_in(peer: Peer, user: str, service: str = "imap") -> IMAP:
    """An IMAP session of *user*."""
    client = IMAP(peer.address(service), client_tls() if service == "imaps" else None)
    client.login(*peer.login(user))
    return client


def mailbox_size(peer: Peer, turn: Turn) -> int:
    """Messages of a large mailbox: as planned, or as many as the server bears."""
    return min(turn.plan.mailbox, peer.largest or turn.plan.mailbox)


def size_note(peer: Peer, turn: Turn) -> str:
    """Tells where a server was given less than the others."""
    size = mailbox_size(peer, turn)
    return "" if size == turn.plan.mailbox else f"{size} messages"


def load(peer: Peer, user: str, count: int, kind: str) -> Record | None:
    """Fill the INBOX of *user* up to *count* messages; how fast that went.

    ``None`` where they are there already.
    """
    source = messages(kind)
    with signed_in(peer, user) as client:
        have = client.count()
        if have >= count:
            return None
        lot = [source[number % len(source)] for number in range(have, count)]
        meter, begin = peer.meter(), time.perf_counter()
        way = client.append_many(INBOX, lot)
        seconds, cost = time.perf_counter() - begin, meter.read()
    return Record(
        "w3",
        f"store {kind} messages",
        len(lot) / seconds,
        "msg/s",
        cost.each_ms(len(lot)),
        cost.client_share,
        way,
    )
