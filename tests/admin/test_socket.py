"""The administration socket, with real sockets."""

from __future__ import annotations

import json
import os
import socket
import stat
from contextlib import closing
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.admin import client, wire
from mailhub.admin import socket as served
from mailhub.admin.client import Server, TooLong, find
from mailhub.admin.outcome import Exit, Failure
from mailhub.admin.socket import AdminSocket
from mailhub.store.unixpath import address_of

from ..servers import TIMEOUT, write


class Sockets(TestCase):
    """A socket in a folder, and questions about nothing."""

    def setUp(self) -> None:
        self.data = os.path.abspath(self.mktemp())
        self.heard: list[Any] = []
        self.path = os.path.join(self.data, "run", "admin.sock")

    def open(self, data: str | None = None) -> AdminSocket:
        async def echo(details: dict[str, Any]) -> dict[str, Any]:
            self.heard.append(details)
            return {"echo": details}

        async def fault(details: dict[str, Any]) -> dict[str, Any]:
            raise ZeroDivisionError("a bug")

        service = AdminSocket(
            data or self.data, reactor, {"echo": echo, "fault": fault}
        )
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT)
        self.addCleanup(connection.close)
        with address_of(*os.path.split(self.path)) as address:
            connection.connect(address)
        return connection

    async def say(self, connection: socket.socket, data: bytes) -> bytes:
        """What comes back; empty when the connection ends."""

        def talk() -> bytes:
            try:
                connection.sendall(data)
                with closing(connection.makefile("rb")) as lines:
                    return lines.readline()
            except (ConnectionResetError, BrokenPipeError):
                return b""

        return await deferToThread(talk)


class QuestionTests(Sockets):
    """What is asked is answered."""

    async def test_a_question_is_answered(self) -> None:
        self.open()
        answer = await self.say(
            self.connect(), b'{"ask": "echo", "details": {"a": [1, "\xc3\xa4"]}}\n'
        )
        self.assertEqual(json.loads(answer), {"answer": {"echo": {"a": [1, "ä"]}}})

    async def test_another_question_may_follow(self) -> None:
        self.open()
        connection = self.connect()
        for number in range(3):
            question = b'{"ask": "echo", "details": {"n": %d}}\n' % number
            answer = json.loads(await self.say(connection, question))
            self.assertEqual(answer["answer"]["echo"]["n"], number)

    async def test_what_is_no_question_is_told_so(self) -> None:
        self.open()
        connection = self.connect()
        for data in (
            b"\n",
            b"GET / HTTP/1.0\r\n",
            b"[]\n",
            b"7\n",
            b'{"ask": "echo"}\n',
            b'{"ask": ["echo"], "details": {}}\n',
            b'{"ask": "nothing", "details": {}}\n',
            b"[" * 100_000 + b"\n",
            b"\xff\xfe\n",
        ):
            answer = json.loads(await self.say(connection, data))
            self.assertEqual(answer["failure"]["code"], Exit.USAGE, data[:20])
        self.assertEqual(self.heard, [])

    async def test_a_bug_is_logged_and_answered(self) -> None:
        self.open()
        question = b'{"ask": "fault", "details": {}}\n'
        answer = json.loads(await self.say(self.connect(), question))
        self.assertEqual(answer["failure"]["text"], "a bug")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_a_question_at_the_limit_is_heard_and_one_above_it_is_not(
        self,
    ) -> None:
        self.patch(served._Conversation, "MAX_LENGTH", 100)
        self.open()
        frame = b'{"ask": "echo", "details": {"a": "%b"}}'
        for length, is_heard in ((100, True), (101, False)):
            question = frame % (b"x" * (length - len(frame) + 2))
            self.assertEqual(len(question), length)
            answer = await self.say(self.connect(), question + b"\n")
            self.assertEqual(bool(answer), is_heard, length)

    async def test_questions_that_do_not_wait_end_the_connection(self) -> None:
        self.open()
        waiting: Deferred[dict[str, Any]] = Deferred()

        async def slow(details: dict[str, Any]) -> dict[str, Any]:
            return await waiting

        service = AdminSocket(self.data + "2", reactor, {"slow": slow})
        service.startService()
        self.addCleanup(service.stopService)
        self.path = os.path.join(self.data + "2", "run", "admin.sock")
        question = b'{"ask": "slow", "details": {}}\n'
        self.assertEqual(await self.say(self.connect(), 2 * question), b"")
        waiting.callback({})

    async def test_more_connections_than_the_limit_are_closed(self) -> None:
        self.patch(served, "MAX_CONNECTIONS", 2)
        self.open()
        question = b'{"ask": "echo", "details": {}}\n'
        kept = [self.connect(), self.connect()]
        for connection in kept:
            self.assertTrue(await self.say(connection, question))
        self.assertEqual(await self.say(self.connect(), question), b"")


class PlaceTests(Sockets):
    """Who may come, and where it is."""

    async def test_only_the_owner_may_connect(self) -> None:
        self.open()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        folder = os.path.dirname(self.path)
        for path in (folder, self.data):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, path)

    async def test_another_user_is_not_heard(self) -> None:
        """Attack: a socket passed on, or a folder that somebody has opened."""
        self.patch(served, "_peer_of", lambda transport: 4711)
        self.open()
        question = b'{"ask": "echo", "details": {}}\n'
        self.assertEqual(await self.say(self.connect(), question), b"")
        self.assertEqual(self.heard, [])

    async def test_what_a_dead_server_left_is_replaced(self) -> None:
        os.makedirs(os.path.dirname(self.path))
        place = address_of(*os.path.split(self.path))
        with closing(socket.socket(socket.AF_UNIX)) as dead, place as address:
            dead.bind(address)
        self.assertIsNone(find(self.data))
        self.open()
        self.assertTrue(await self.ask("echo"))

    async def test_a_second_server_leaves_the_first_one_its_socket(self) -> None:
        self.open()
        await self.open().stopService()
        self.assertTrue(await self.ask("echo"))

    async def test_a_path_longer_than_an_address_may_be(self) -> None:
        self.data = os.path.join(self.data, "x" * 120)
        service = self.open()
        self.assertEqual(await self.ask("echo", a=1), {"echo": {"a": 1}})
        await service.stopService()
        self.assertEqual(os.listdir(os.path.join(self.data, "run")), [])

    async def test_nothing_is_left_after_the_end(self) -> None:
        await self.open().stopService()
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])
        self.assertIsNone(find(self.data))

    async def test_a_folder_that_cannot_be_made_does_not_stop_the_server(self) -> None:
        write(self.data, "a file")
        self.open()
        self.assertIsNone(find(self.data))

    async def ask(self, question: str, **details: Any) -> dict[str, Any]:
        def talk() -> dict[str, Any]:
            server = find(self.data)
            assert server is not None
            with server:
                return server.ask(question, **details)

        return await deferToThread(talk)


class PatienceTests(SynchronousTestCase):
    """Who says nothing does not stay."""

    def test_a_silent_connection_is_closed(self) -> None:
        clock = Clock()
        factory = served._Conversations({}, frozenset({-1}), clock)
        protocol = factory.buildProtocol(None)
        assert protocol is not None
        transport = StringTransport()
        protocol.makeConnection(transport)
        clock.advance(wire.PATIENCE - 1)
        self.assertFalse(transport.disconnecting)
        clock.advance(1)
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost()
        self.assertEqual(clock.getDelayedCalls(), [])


class ClientTests(SynchronousTestCase):
    """The command's end, with a server that does not behave."""

    def setUp(self) -> None:
        ours, self.theirs = socket.socketpair()
        ours.settimeout(TIMEOUT)
        self.server = Server(ours)
        self.addCleanup(ours.close)
        self.addCleanup(self.theirs.close)

    def failure(self, data: bytes) -> Failure:
        self.theirs.sendall(data)
        self.theirs.shutdown(socket.SHUT_WR)
        return self.assertRaises(Failure, self.server.ask, "echo")

    def test_a_server_that_goes_away(self) -> None:
        failure = self.failure(b'{"answer": {}}')
        self.assertEqual(failure.code, Exit.TRY_AGAIN)
        self.assertIn("the server does not answer", str(failure))

    def test_a_server_that_speaks_something_else(self) -> None:
        self.assertEqual(self.failure(b"220 hello\n").code, Exit.TRY_AGAIN)

    def test_a_failure_keeps_its_code(self) -> None:
        failure = self.failure(b'{"failure": {"code": 67, "text": "no"}}\n')
        self.assertEqual((failure.code, str(failure)), (Exit.NO_USER, "no"))

    def test_an_answer_without_end(self) -> None:
        self.patch(client, "MAX_ANSWER", 10)
        self.assertEqual(self.failure(b"x" * 11).code, Exit.TRY_AGAIN)

    def test_a_question_that_no_server_takes(self) -> None:
        self.patch(client, "MAX_QUESTION", 10)
        self.assertRaises(TooLong, self.server.ask, "echo")
