"""A name server that breaks down when it is told to."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from enum import Enum
from threading import Thread

from mailhub.mail.dns import RecordType
from mailhub.net.dns_message import Code
from tests.dns_servers import free_port
from tests.net.dns_wire import (
    TRUNCATED,
    address,
    kind_asked,
    mx,
    name_asked,
    reply,
    soa,
)

HOST = "127.0.0.1"
#: Seconds of a server that is slow.
DELAY = 5.0
TTL = 1


class Mode(Enum):
    """How it is."""

    WELL = "well"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    SILENT = "silent"
    TRUNCATED = "truncated, and no TCP"
    DAMAGED = "damaged answers"
    SLOW = "five seconds late"
    #: Each name as its first label says: ``silent-1.example``.
    BY_NAME = "all of these"


_CODES = {Mode.SERVFAIL: Code.SERVFAIL, Mode.REFUSED: Code.REFUSED}


class FaultyNames:
    """Every name has an MX and an address on the loopback, as long as it is well.

    Answers hold for a second, so that nothing is remembered for long.

    :param where: the address that a name has.
    :ivar mode: how it is; may be changed at any time.
    :ivar queries: how many it has heard, by UDP and by TCP.
    """

    def __init__(self, where: Callable[[str], str] = lambda name: HOST) -> None:
        self._where = where
        self.mode = Mode.WELL
        self.port = free_port()
        self.queries = 0
        self._late: list[tuple[float, bytes, tuple[str, int]]] = []
        self._datagrams = socket.socket(type=socket.SOCK_DGRAM)
        self._datagrams.bind((HOST, self.port))
        self._streams = socket.socket()
        self._streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._streams.bind((HOST, self.port))
        self._streams.listen(100)
        self._stop, self._stopped = socket.socketpair()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.close()
        self._thread.join()
        for each in (self._datagrams, self._streams, self._stopped):
            each.close()

    def _serve(self) -> None:
        sources = [self._datagrams, self._streams, self._stopped]
        while True:
            ready, _, _ = select.select(sources, [], [], 0.05)
            if self._stopped in ready:
                return
            if self._datagrams in ready:
                query, peer = self._datagrams.recvfrom(4096)
                self.queries += 1
                self._answer(query, peer)
            if self._streams in ready:
                self._serve_stream()
            self._send_late()

    def _mode_for(self, query: bytes) -> Mode:
        if self.mode is not Mode.BY_NAME:
            return self.mode
        for label in name_asked(query).split("."):
            word = label.partition("-")[0].upper()
            if word in Mode.__members__:
                return Mode[word]
        return Mode.WELL

    def _answer(self, query: bytes, peer: tuple[str, int]) -> None:
        mode = self._mode_for(query)
        if mode is Mode.SILENT:
            return
        if mode in _CODES:
            answer = reply(query, code=_CODES[mode])
        elif mode is Mode.TRUNCATED:
            answer = reply(query, flags=TRUNCATED)
        elif mode is Mode.DAMAGED:
            answer = answer_of(query, self._where)[:-3]
        else:
            answer = answer_of(query, self._where)
        if mode is Mode.SLOW:
            self._late.append((time.monotonic() + DELAY, answer, peer))
            return
        self._datagrams.sendto(answer, peer)

    def _send_late(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, answer, peer = self._late.pop(0)
            self._datagrams.sendto(answer, peer)

    def _serve_stream(self) -> None:
        """Whoever comes by TCP is sent away, unless it is well."""
        stream, _ = self._streams.accept()
        self.queries += 1
        with stream:
            stream.settimeout(5)
            octets = stream.recv(4096)
            if self._mode_for(octets[2:]) is not Mode.WELL:
                return
            answer = answer_of(octets[2:], self._where)
            stream.sendall(struct.pack("!H", len(answer)) + answer)


def answer_of(query: bytes, where: Callable[[str], str]) -> bytes:
    """What it says when it is well."""
    name, kind = name_asked(query), kind_asked(query)
    if kind is RecordType.MX:
        return reply(query, mx(name, 10, f"mx.{name}", TTL))
    if kind is RecordType.A:
        return reply(query, address(name, where(name), TTL))
    return reply(query, authority=soa(name.rpartition(".")[2], TTL, TTL))
