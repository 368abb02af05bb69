"""Sessions of a server in this process."""

from __future__ import annotations

import imaplib
import socket
from typing import Any

from twisted.internet.threads import deferToThread

from mailhub.admin.sessions import end
from mailhub.mail.envelope import Peer
from mailhub.service import MailService

from ..servers import PASSWORD, TIMEOUT, USER, Servers, trusting


class SessionTests(Servers):
    """What is told of them, and how they end."""

    async def log_in(self, server: MailService, user: str = USER) -> Any:
        """A client over TLS."""
        host, port = server.addresses()["imaps"]

        def connect() -> imaplib.IMAP4_SSL:
            client = imaplib.IMAP4_SSL(
                host, port, ssl_context=trusting(), timeout=TIMEOUT
            )
            client.login(user, PASSWORD)
            client.select("INBOX")
            return client

        client = await deferToThread(connect)
        self.addCleanup(client.shutdown)
        return client

    async def sessions(self, server: MailService) -> list[dict[str, Any]]:
        return (await server.answers["sessions"]({}))["sessions"]

    async def test_a_session_over_tls(self) -> None:
        server = await self.start(self.memory())
        await self.add_user(server)
        await self.log_in(server, USER.upper())
        [session] = await self.sessions(server)
        self.assertEqual(session["service"], "imaps")
        self.assertEqual(session["user"], USER)
        self.assertEqual(session["tls"], "TLSv1.3")
        self.assertEqual(session["state"], "selected")
        self.assertGreaterEqual(session["seconds"], 0)
        # A handshake alone is more than a thousand octets.
        self.assertGreater(session["octets_out"], 1000)
        self.assertGreater(session["octets_in"], 500)

    async def test_a_handshake_that_never_ends_is_a_session(self) -> None:
        server = await self.start(self.memory())
        with socket.create_connection(server.addresses()["submissions"], TIMEOUT):
            while not (found := await self.sessions(server)):
                await deferToThread(int)  # lets the reactor accept it
        [session] = found
        self.assertEqual((session["user"], session["state"]), (None, "connected"))

    async def test_only_those_who_are_meant_are_ended(self) -> None:
        server = await self.start(self.memory())
        await self.add_user(server)
        client = await self.log_in(server)
        kick = server.answers["kick"]
        for whom in ("al@example.org", "127.0.0.2", "::1", ""):
            self.assertEqual(await kick({"whom": whom}), {"ended": 0}, whom)
        self.assertEqual((await deferToThread(client.noop))[0], "OK")
        self.assertEqual(await kick({"whom": USER}), {"ended": 1})
        with self.assertRaises(imaplib.IMAP4.abort):
            await deferToThread(client.noop)

    async def test_an_ipv6_network_is_one_address(self) -> None:
        server = await self.start(self.memory())
        await self.add_user(server)
        await self.log_in(server)
        [connection] = server.factories["imaps"].connections
        connection.peer = Peer("2001:db8::1", 1, "imaps", "x")
        self.assertEqual(end(server.factories, "2001:db8:0:1::1"), 0)
        self.assertEqual(end(server.factories, "2001:db8::ffff"), 1)

    async def test_strangers_are_not_the_user_without_a_name(self) -> None:
        """``""`` is no way to end all sessions."""
        server = await self.start(self.memory())
        with socket.create_connection(server.addresses()["imap"], TIMEOUT) as client:
            await deferToThread(client.recv, 1000)
            self.assertEqual(end(server.factories, ""), 0)
