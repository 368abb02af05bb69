"""w6: TLS handshakes, and bulk in clear and over TLS."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from threading import Lock, Thread

from ..peers.base import Peer
from ..pop3_client import POP3
from ..records import Record
from ..wire import Wire, client_tls
from .turn import Turn, load, mailbox_size, signed_in, size_note

#: Clients that shake hands at the same time.
AT_ONCE = 8
#: Handshakes with a server that takes many milliseconds for each.
FEW = 500
#: Messages of a download that does not count.
WARM_UP = 200
#: RETR commands that are sent together.
WINDOW = 50


def w6(peer: Peer, turn: Turn) -> Iterator[Record]:
    """Every handshake is a full one, of a new session."""
    yield _handshakes(peer, turn)
    user = peer.users[turn.repetition % len(peer.users)]
    count, note = mailbox_size(peer, turn), size_note(peer, turn)
    load(peer, user, count, "mix")
    for service in ("imap", "imaps", "pop3", "pop3s"):
        if service in peer.ports:
            yield _bulk(peer, user, service, count, turn.plan.seconds, note)


def _handshakes(peer: Peer, turn: Turn) -> Record:
    patient = peer.holds_many or peer.name == "dovecot-tuned"
    count = turn.plan.handshakes if patient else min(FEW, turn.plan.handshakes)
    left, lock = iter(range(count)), Lock()
    done: list[tuple[str | None, object]] = []

    def shake() -> None:
        tls = client_tls()
        while True:
            with lock:
                if next(left, None) is None:
                    return
            with Wire(peer.address("imaps"), tls) as client:
                client.line()
                if isinstance(client.socket, ssl.SSLSocket):
                    done.append((client.socket.version(), client.socket.cipher()))

    threads = [Thread(target=shake) for _ in range(AT_ONCE)]
    meter, begin = peer.meter(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cost = time.perf_counter() - begin, meter.read()
    return Record(
        "w6",
        "TLS handshakes, 8 at once",
        len(done) / seconds,
        "1/s",
        cost.each_ms(len(done)),
        cost.client_share,
        "" if len(done) == count else f"{count - len(done)} of {count} failed",
        {"kind": str(done[:1])},
    )


def _bulk(
    peer: Peer, user: str, service: str, count: int, least: float, note: str
) -> Record:
    """Downloads of everything, again and again for *least* seconds."""
    fetch = _imap if service.startswith("imap") else _pop3
    fetch(peer, user, service, min(count, WARM_UP))
    octets, seconds, times = 0, 0.0, 0
    meter = peer.meter()
    while seconds < least:
        size, took = fetch(peer, user, service, count)
        octets, seconds, times = octets + size, seconds + took, times + 1
    cost = meter.read()
    return Record(
        "w6", f"download by {service.upper()}", octets / seconds / 1e6, "MB/s",
        cost.each_ms(times), cost.client_share, note,
    )  # fmt: skip


def _imap(peer: Peer, user: str, service: str, count: int) -> tuple[int, float]:
    """The octets and the seconds of one download."""
    with signed_in(peer, user, service) as client:
        client.command(b"SELECT INBOX")
        begin = time.perf_counter()
        octets = client.command(b"FETCH 1:%d (BODY.PEEK[])" % count)
        return octets, time.perf_counter() - begin


def _pop3(peer: Peer, user: str, service: str, count: int) -> tuple[int, float]:
    tls = client_tls() if service == "pop3s" else None
    with POP3(peer.address(service), tls) as client:
        client.login(*peer.login(user))
        begin = time.perf_counter()
        octets = sum(
            client.retrieve(first, min(count, first + WINDOW - 1))
            for first in range(1, count + 1, WINDOW)
        )
        seconds = time.perf_counter() - begin
        client.command(b"QUIT")
    return octets, seconds
