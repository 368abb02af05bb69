"""A port that lets connections in at a small price, with real sockets."""

from __future__ import annotations

import os
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from mailhub.net import accepting, watching
from mailhub.net.accepting import accept_on, can_accept
from mailhub.net.binding import bind_internet

MUCH = 8 << 20


class Fault(Exception):
    """A bug, somewhere."""


@implementer(IHalfCloseableProtocol)
class Guest(Protocol):
    """Keeps what it gets, and tells what happens to it."""

    def __init__(self) -> None:
        self.got = b""
        self.heard: Deferred[None] = Deferred()
        self.silent: Deferred[None] = Deferred()
        self.lost: Deferred[BaseException] = Deferred()
        self.paused: Deferred[None] = Deferred()
        self.resumed: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.got += data
        if b"fault" in data:
            raise Fault
        heard, self.heard = self.heard, Deferred()
        heard.callback(None)

    def readConnectionLost(self) -> None:
        self.silent.callback(None)

    def writeConnectionLost(self) -> None:
        """We never close one half."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(reason.value)

    def pauseProducing(self) -> None:
        paused, self.paused = self.paused, Deferred()
        paused.callback(None)

    def resumeProducing(self) -> None:
        resumed, self.resumed = self.resumed, Deferred()
        resumed.callback(None)

    def stopProducing(self) -> None:
        """The connection is lost."""


class Inn(Factory):
    """Lets in whoever comes, unless it is told otherwise."""

    noisy = False

    def __init__(self) -> None:
        self.guests: list[Any] = []
        self.addresses: list[Any] = []
        self.came: Deferred[None] = Deferred()
        self.next: Any = Guest

    def buildProtocol(self, address: Any) -> Any:
        self.addresses.append(address)
        guest = self.next()
        self.guests.append(guest)
        came, self.came = self.came, Deferred()
        came.callback(None)
        return guest


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Take all descriptors that this process may have."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    taken: list[int] = []
    try:
        while len(taken) < highest:
            try:
                taken.append(os.dup(0))
            except OSError:
                break
        yield
    finally:
        for number in taken:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class PortTestCase(TestCase):
    """Has a port, and clients which are plain sockets."""

    host = "127.0.0.1"

    def setUp(self) -> None:
        self.inn = Inn()
        with bind_internet(self.host, 0) as listening:
            self.address = listening.getsockname()
            self.port = accept_on(listening, self.inn, reactor)
        self.addCleanup(self.stop)

    async def stop(self) -> None:
        if self.port is not None:
            port, self.port = self.port, None
            await port.stopListening()

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.address[:2])
        client.setblocking(False)
        self.addCleanup(client.close)
        return client

    async def visit(self) -> tuple[socket.socket, Guest]:
        """A client, and its guest."""
        came = self.inn.came
        client = self.connect()
        await came
        await deferLater(reactor, 0)
        guest = self.inn.guests[-1]
        self.addCleanup(self.leave, guest)
        return client, guest

    async def leave(self, guest: Guest) -> None:
        if not guest.lost.called:
            guest.transport.abortConnection()
            await guest.lost

    async def read(self, client: socket.socket, size: int) -> bytes:
        """Up to *size* octets; less at the end only."""
        data = b""
        while len(data) < size:
            try:
                piece = client.recv(size - len(data))
            except BlockingIOError:
                await deferLater(reactor, 0)
                continue
            if not piece:
                break
            data += piece
        return data


class AcceptingTests(PortTestCase):
    """``AcceptingPort``."""

    async def test_all_who_wait_are_let_in_at_once(self) -> None:
        clients = [self.connect() for _ in range(20)]
        await self.inn.came
        await deferLater(reactor, 0)
        self.assertEqual(len(self.inn.guests), 20)
        names = [client.getsockname() for client in clients]
        told = [(each.host, each.port) for each in self.inn.addresses]
        self.assertCountEqual(told, names)
        for guest in self.inn.guests:
            await self.leave(guest)

    def test_those_beyond_what_one_turn_lets_in_come_with_the_next(self) -> None:
        self.patch(accepting, "MOST_AT_ONCE", 2)
        for _ in range(3):
            self.connect()
        for here in (2, 3):
            self.port.watch.doRead()
            self.assertEqual(len(self.inn.guests), here)
        for guest in self.inn.guests:
            guest.transport.connectionLost(Failure(ConnectionDone()))

    async def test_those_beyond_what_one_turn_serves_are_served_next(self) -> None:
        self.patch(watching, "MOST_AT_ONCE", 2)
        for client, _ in [await self.visit() for _ in range(3)]:
            client.sendall(b"x")
        for served in (2, 3):
            self.port.watch.doRead()
            self.assertEqual(sum(bool(guest.got) for guest in self.inn.guests), served)

    async def test_a_connection_tells_both_its_ends(self) -> None:
        client, guest = await self.visit()
        peer, host = guest.transport.getPeer(), guest.transport.getHost()
        self.assertEqual((peer.host, peer.port), client.getsockname())
        self.assertEqual((host.host, host.port), client.getpeername())
        self.assertEqual(self.port.getHost(), host)

    async def test_nobody_is_let_in_by_a_factory_that_wants_none(self) -> None:
        self.inn.next = lambda: None
        client = self.connect()
        self.assertEqual(await self.read(client, 1), b"")

    async def test_a_factory_that_fails_loses_that_connection_only(self) -> None:
        def fail() -> None:
            raise Fault

        self.inn.next = fail
        client = self.connect()
        self.assertEqual(await self.read(client, 1), b"")
        self.assertEqual(len(self.flushLoggedErrors(Fault)), 1)
        self.inn.next = Guest
        await self.visit()

    async def test_a_protocol_that_fails_at_first_loses_its_connection(self) -> None:
        class Broken(Guest):
            def connectionMade(self) -> None:
                raise Fault

        self.inn.next = Broken
        client = self.connect()
        self.assertEqual(await self.read(client, 1), b"")
        self.assertEqual(len(self.flushLoggedErrors(Fault)), 1)
        self.assertIsInstance(await self.inn.guests[0].lost, Fault)

    async def test_a_storm_that_takes_the_last_descriptor_is_outlived(self) -> None:
        await self.visit()
        told: list[Any] = []
        globalLogPublisher.addObserver(told.append)
        self.addCleanup(globalLogPublisher.removeObserver, told.append)
        came = self.inn.came
        client = self.connect()
        with no_descriptor_left():
            self.assertEqual(await self.read(client, 1), b"")
        self.assertFalse(came.called)
        said = [event.get("log_format") or "" for event in told]
        self.assertTrue(any("EMFILE" in each for each in said), said)
        await self.visit()

    async def test_a_port_that_stops_leaves_its_connections_alone(self) -> None:
        client, guest = await self.visit()
        await self.stop()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(self.address[:2])
        heard = guest.heard
        client.sendall(b"still here")
        await heard
        self.assertEqual(guest.got, b"still here")

    async def test_the_reactor_has_nothing_of_it_when_all_have_gone(self) -> None:
        watch = self.port.watch
        self.assertIn(watch, reactor.getReaders())
        client, guest = await self.visit()
        await self.stop()
        self.assertIn(watch, reactor.getReaders())
        client.close()
        await guest.silent
        guest.transport.loseConnection()
        await guest.lost
        self.assertNotIn(watch, reactor.getReaders())
        self.assertEqual(watch.fileno(), -1)

    async def test_a_reactor_that_ends_takes_all_along(self) -> None:
        _, guest = await self.visit()
        self.port.watch.connectionLost(Failure(ConnectionLost()))
        self.assertIsInstance(await guest.lost, ConnectionLost)
        self.port = None

    def test_not_every_reactor_will_do(self) -> None:
        self.assertTrue(can_accept(reactor))
        self.assertFalse(can_accept(Clock()))


class IPv6Tests(PortTestCase):
    """RFC 4291."""

    host = "::1"

    async def test_addresses_are_of_this_kind(self) -> None:
        client, guest = await self.visit()
        peer, host = guest.transport.getPeer(), guest.transport.getHost()
        self.assertEqual((peer.host, peer.port), client.getsockname()[:2])
        self.assertEqual((host.host, host.port), client.getpeername()[:2])
        self.assertEqual(self.inn.addresses, [peer])


class StreamTests(PortTestCase):
    """``Stream``."""

    async def test_octets_go_both_ways(self) -> None:
        client, guest = await self.visit()
        heard = guest.heard
        client.sendall(b"ping")
        await heard
        guest.transport.write(b"pong")
        self.assertEqual((guest.got, await self.read(client, 4)), (b"ping", b"pong"))

    async def test_what_a_slow_peer_does_not_read_stops_the_producer(self) -> None:
        client, guest = await self.visit()
        guest.transport.registerProducer(guest, True)
        paused, resumed = guest.paused, guest.resumed
        guest.transport.write(b"x" * MUCH)
        await paused
        self.assertFalse(resumed.called)
        self.assertEqual(len(await self.read(client, MUCH)), MUCH)
        await resumed

    async def test_all_is_written_before_it_closes(self) -> None:
        client, guest = await self.visit()
        guest.transport.write(b"x" * MUCH)
        guest.transport.loseConnection()
        self.assertEqual(len(await self.read(client, MUCH + 1)), MUCH)
        self.assertIsInstance(await guest.lost, ConnectionDone)

    async def test_a_paused_connection_does_not_read(self) -> None:
        client, guest = await self.visit()
        guest.transport.pauseProducing()
        heard = guest.heard
        client.sendall(b"ping")
        await deferLater(reactor, 0.01)
        self.assertEqual(guest.got, b"")
        guest.transport.resumeProducing()
        await heard
        self.assertEqual(guest.got, b"ping")

    async def test_one_that_was_paused_goes_on_after_the_port_stopped(self) -> None:
        client, guest = await self.visit()
        guest.transport.pauseProducing()
        await self.stop()
        heard = guest.heard
        client.sendall(b"ping")
        guest.transport.resumeProducing()
        await heard
        self.assertEqual(guest.got, b"ping")

    async def test_a_peer_that_sends_no_more_may_still_read(self) -> None:
        client, guest = await self.visit()
        client.sendall(b"last")
        client.shutdown(socket.SHUT_WR)
        await guest.silent
        self.assertEqual(guest.got, b"last")
        guest.transport.write(b"answer")
        guest.transport.loseConnection()
        self.assertEqual(await self.read(client, 10), b"answer")

    async def test_a_peer_that_resets_is_lost(self) -> None:
        client, guest = await self.visit()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.assertIsInstance(await guest.lost, ConnectionLost)

    async def test_a_peer_that_resets_is_lost_though_nobody_reads(self) -> None:
        client, guest = await self.visit()
        guest.transport.pauseProducing()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        guest.transport.write(b"x" * MUCH)
        client.close()
        self.assertIsInstance(await guest.lost, ConnectionLost)

    async def test_one_that_we_abort_is_reset(self) -> None:
        client, guest = await self.visit()
        guest.transport.abortConnection()
        self.assertIsInstance(await guest.lost, ConnectionAborted)
        with self.assertRaises(ConnectionResetError):
            await self.read(client, 1)

    async def test_a_protocol_that_fails_loses_its_connection_only(self) -> None:
        _, other = await self.visit()
        client, guest = await self.visit()
        client.sendall(b"fault")
        self.assertIsInstance(await guest.lost, Fault)
        self.assertEqual(len(self.flushLoggedErrors(Fault)), 1)
        self.assertFalse(other.lost.called)
        await self.visit()

    async def test_one_that_was_closed_by_another_in_the_same_turn_is_silent(
        self,
    ) -> None:
        first, guest = await self.visit()
        second, other = await self.visit()
        first.sendall(b"x")
        second.sendall(b"x")
        calls: list[Guest] = []
        for each, victim in ((guest, other), (other, guest)):

            def close_the_other(
                data: bytes, each: Guest = each, victim: Guest = victim
            ) -> None:
                calls.append(each)
                victim.transport.connectionLost(Failure(ConnectionDone()))

            each.dataReceived = close_the_other  # type: ignore[method-assign]
        self.port.watch.doRead()
        self.assertEqual(len(calls), 1)
        await self.leave(calls[0])
