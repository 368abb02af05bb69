"""w3: IMAP on a large mailbox."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..imap_client import IMAP
from ..messages import RARE, RARE_SUBJECT, messages
from ..peers.base import Peer
from ..records import Record
from .turn import Turn, load, mailbox_size, signed_in, size_note

ENVELOPE = b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"
FIELDS = b"FROM TO SUBJECT DATE MESSAGE-ID REFERENCES"
#: What mail programs ask when they show a mailbox.
LISTINGS = (
    ("FETCH FLAGS UID", b"FETCH 1:* (FLAGS UID)"),
    ("FETCH ENVELOPE", ENVELOPE),
    (
        "FETCH six header fields",
        b"FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (%b)])" % FIELDS,
    ),
)
#: What they ask later, in this order.
QUESTIONS = (
    ("FETCH BODY.PEEK[], first", b"UID FETCH 1:* (BODY.PEEK[])"),
    ("FETCH BODY.PEEK[], again", b"UID FETCH 1:* (BODY.PEEK[])"),
    ("SEARCH SUBJECT", b"SEARCH SUBJECT " + RARE_SUBJECT.encode()),
    ("SEARCH UNSEEN SINCE", b"SEARCH UNSEEN SINCE 1-Jan-2020"),
    ("SEARCH BODY", b"SEARCH BODY " + RARE.encode()),
    ("SEARCH TEXT", b"SEARCH TEXT " + RARE.encode()),
    ("STORE 1:* +FLAGS", b"STORE 1:* +FLAGS (\\Seen)"),
    ("STORE 1:* -FLAGS.SILENT", b"STORE 1:* -FLAGS.SILENT (\\Seen)"),
)


class _Session:
    """One IMAP session, whose commands become records."""

    def __init__(self, peer: Peer, user: str, note: str) -> None:
        self._peer, self._note = peer, note
        begin = time.perf_counter()
        self.client: IMAP = signed_in(peer, user)
        self._login = time.perf_counter() - begin

    def opened(self, when: str) -> Iterator[Record]:
        """How long login and SELECT took."""
        seconds, _ = self.client.seconds(b"SELECT INBOX")
        for name, took in (("login", self._login), ("SELECT", seconds)):
            yield Record("w3", f"{name}, {when}", took * 1000, "ms", note=self._note)

    def timed(self, case: str, command: bytes) -> Record:
        """One command; its cost is of the whole."""
        meter = self._peer.meter()
        seconds, size = self.client.seconds(command)
        cost = meter.read()
        more = {"octets": size, "mb_per_second": size / seconds / 1e6}
        return Record(
            "w3",
            case,
            seconds * 1000,
            "ms",
            1000 * cost.server,
            cost.client_share,
            self._note,
            more,
        )

    def close(self) -> None:
        """Log out."""
        self.client.command(b"LOGOUT")
        self.client.close()


def drop_caches() -> None:
    """Forget what the kernel has read from disks, where that is allowed."""
    os.sync()
    with suppress(OSError):
        Path("/proc/sys/vm/drop_caches").write_text("3\n")


def w3(peer: Peer, turn: Turn) -> Iterator[Record]:
    """Each repetition has a user, and so a mailbox, of its own."""
    user = peer.users[turn.repetition % len(peer.users)]
    count, note = mailbox_size(peer, turn), size_note(peer, turn)
    stored = load(peer, user, count, "mix")
    if stored is not None:
        yield stored
    session = _Session(peer, user, note)
    yield from session.opened("first")
    for name, command in LISTINGS:
        yield session.timed(f"{name}, first", command)
        yield session.timed(f"{name}, again", command)
    session.close()
    session = _Session(peer, user, note)
    yield from session.opened("again")
    yield session.timed("FETCH ENVELOPE, next session", ENVELOPE)
    session.close()
    yield from _after_restart(peer, user, note)
    session = _Session(peer, user, note)
    session.client.command(b"SELECT INBOX")
    for name, command in QUESTIONS:
        yield session.timed(name, command)
    yield from _changes(session, count)
    session.close()


def _after_restart(peer: Peer, user: str, note: str) -> Iterator[Record]:
    peer.stop()
    drop_caches()
    peer.start()
    session = _Session(peer, user, note)
    yield from session.opened("cold disk")
    yield session.timed("FETCH ENVELOPE, cold disk", ENVELOPE)
    session.close()


def _changes(session: _Session, count: int) -> Iterator[Record]:
    """Copy, move, expunge; the mailbox is empty then."""
    some = count // 10
    other = b"Copies%d" % time.time_ns()
    session.client.command(b"CREATE " + other)
    yield session.timed("COPY of a tenth", b"COPY 1:%d %b" % (some, other))
    if session.client.can(b"MOVE"):
        yield session.timed("MOVE of a tenth", b"MOVE 1:%d %b" % (some, other))
    session.client.command(b"STORE 1:%d +FLAGS.SILENT (\\Deleted)" % some)
    yield session.timed("EXPUNGE of a tenth", b"EXPUNGE")
    session.client.command(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
    yield session.timed("EXPUNGE of the rest", b"EXPUNGE")


def w3append(peer: Peer, turn: Turn) -> Iterator[Record]:
    """APPEND of 4 KiB messages, one at a time and the server's fastest way."""
    with signed_in(peer, peer.users[0]) as client:
        mailbox = b"Appended%d" % time.time_ns()
        client.command(b"CREATE " + mailbox)
        single = messages("plain")[: min(200, turn.plan.mailbox // 10)]
        lot = messages("plain") * 5
        if peer.largest:
            single, lot = single[: peer.largest // 4], lot[: peer.largest]
        meter, begin = peer.meter(), time.perf_counter()
        for message in single:
            client.append(mailbox, message)
        seconds, cost = time.perf_counter() - begin, meter.read()
        share = cost.client_share
        yield Record(
            "w3", "APPEND, one by one", len(single) / seconds, "msg/s",
            cost.each_ms(len(single)), share,
        )  # fmt: skip
        meter, begin = peer.meter(), time.perf_counter()
        way = client.append_many(mailbox, lot)
        seconds, cost = time.perf_counter() - begin, meter.read()
        share = cost.client_share
        yield Record(
            "w3", "APPEND, 50 together", len(lot) / seconds, "msg/s",
            cost.each_ms(len(lot)), share, way,
        )  # fmt: skip
