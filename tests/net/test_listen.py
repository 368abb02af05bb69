"""Listening on sockets that somebody else has bound."""

from __future__ import annotations

import os
import socket
import stat

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from mailhub.net.binding import UNIX_MODE, bind_internet, bind_unix
from mailhub.net.listen import adopt


class Counting(Factory):
    """Lets connections in, and counts them."""

    noisy = False

    def __init__(self) -> None:
        self.came = 0
        self.next: Deferred[None] = Deferred()

    def buildProtocol(self, address: object) -> Protocol:
        """One more."""
        self.came += 1
        arrived, self.next = self.next, Deferred()
        arrived.callback(None)
        return Leaving()


class Leaving(Protocol):
    """Goes as soon as it has come."""

    def connectionMade(self) -> None:
        """Go."""
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Gone."""


class AdoptTests(TestCase):
    """``adopt``."""

    def setUp(self) -> None:
        folder = self.mktemp()
        os.makedirs(folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)

    def adopt(self, listening: socket.socket) -> tuple[IListeningPort, Counting]:
        factory = Counting()
        return adopt(listening, factory, reactor), factory

    async def visit(self, family: int, address: object, factory: Counting) -> None:
        arrived = factory.next
        with socket.socket(family) as client:
            client.connect(address)
            await arrived

    async def test_both_kinds_of_sockets_take_connections(self) -> None:
        for listening in (bind_internet("127.0.0.1", 0), bind_unix("lmtp")):
            with listening:
                port, factory = self.adopt(listening)
                await self.visit(listening.family, listening.getsockname(), factory)
                self.assertEqual(factory.came, 1)
                await port.stopListening()

    async def test_a_unix_socket_keeps_its_mode_and_its_name(self) -> None:
        with bind_unix("lmtp") as listening:
            port, _ = self.adopt(listening)
            self.assertEqual(stat.S_IMODE(os.stat("lmtp").st_mode), UNIX_MODE)
            await port.stopListening()
            self.assertTrue(stat.S_ISSOCK(os.stat("lmtp").st_mode))

    async def test_others_who_listen_there_go_on(self) -> None:
        for listening in (bind_internet("127.0.0.1", 0), bind_unix("lmtp")):
            with listening:
                leaving, _ = self.adopt(listening)
                staying, factory = self.adopt(listening)
                await leaving.stopListening()
                await self.visit(listening.family, listening.getsockname(), factory)
                await staying.stopListening()
