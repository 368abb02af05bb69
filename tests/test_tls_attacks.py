"""Clear text before, beside and after TLS, over real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.testing.server import MailHub

from .servers import TIMEOUT, trusting

ANN = "ann@example.org"
#: The first octet of a TLS alert: all that a server may still say.
ALERT = b"\x15"


@dataclass(frozen=True)
class Way:
    """How a service starts TLS.

    :ivar hello: what a client says first, in clear text or in TLS.
    :ivar start: the command.
    :ivar injected: what somebody puts behind it, and the answer it must not get.
    """

    hello: bytes
    start: bytes
    injected: bytes
    answer: bytes


_SMTP = Way(b"EHLO x\r\n", b"STARTTLS\r\n", b"EHLO y\r\nRSET\r\n", b"250")
WAYS = {
    "smtp": _SMTP,
    "submission": _SMTP,
    "lmtp": Way(b"LHLO x\r\n", b"STARTTLS\r\n", b"LHLO y\r\nRSET\r\n", b"250"),
    "imap": Way(
        b"a CAPABILITY\r\n", b"b STARTTLS\r\n", b"c CAPABILITY\r\n", b"c OK"
    ),
    "pop3": Way(b"CAPA\r\n", b"STLS\r\n", b"CAPA\r\n", b"+OK Cap"),
}


class Client:
    """A blocking socket, for use in a thread."""

    def __init__(self, hub: MailHub, service: str) -> None:
        address = hub.host, hub.port(service)
        self.socket = socket.create_connection(address, TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, data: bytes) -> None:
        """Send; a server that has closed hears nothing more."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def hear(self) -> bytes:
        """One piece of what the server says."""
        return self.socket.recv(65_536)

    def hear_out(self) -> bytes:
        """All that the server says until it closes."""
        heard = b""
        with contextlib.suppress(ConnectionError):
            while data := self.hear():
                heard += data
        self.socket.close()
        return heard


class TunnelClient(Client):
    """A client in TLS that can leave TLS and go on in clear text."""

    def __init__(self, hub: MailHub, service: str) -> None:
        super().__init__(hub, service)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trusting().wrap_bio(self._incoming, self._outgoing)
        self._do(self._tls.do_handshake)

    def _do(self, step: Callable[..., Any], *args: Any) -> Any:
        """Perform *step* of TLS, however much it has to send and receive."""
        while True:
            try:
                result = step(*args)
            except ssl.SSLWantReadError:
                self.say(self._outgoing.read())
                self._incoming.write(self.hear())
            else:
                self.say(self._outgoing.read())
                return result

    def talk(self, data: bytes) -> bytes:
        """Say *data* in TLS, hear one answer."""
        self._do(self._tls.write, data)
        return self._do(self._tls.read, 65_536)

    def whisper(self, data: bytes) -> None:
        """Say *data* in TLS."""
        self._do(self._tls.write, data)

    def leave(self) -> None:
        """Say that TLS is over (close_notify), and no more."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self.say(self._outgoing.read())


class InjectionTests(TestCase):
    """Rows 9 and 10 of the house's list: commands that came in clear text."""

    timeout = 60

    async def check(self, inject: Callable[[Client, Way], bytes]) -> None:
        hub = await MailHub.start({ANN: "wonder"})
        self.addCleanup(hub.stop)
        for service, way in WAYS.items():
            heard = await deferToThread(self._inject, hub, service, way, inject)
            self.assertNotIn(way.answer, heard, service)

    @staticmethod
    def _inject(
        hub: MailHub, service: str, way: Way, inject: Callable[[Client, Way], bytes]
    ) -> bytes:
        client = Client(hub, service)
        client.hear()
        client.say(way.hello)
        client.hear()
        return inject(client, way)

    async def test_commands_in_the_segment_of_starttls_are_never_run(self):
        def inject(client: Client, way: Way) -> bytes:
            client.say(way.start + way.injected)
            return client.hear_out()

        await self.check(inject)

    async def test_commands_in_the_next_segment_are_never_run(self):
        def inject(client: Client, way: Way) -> bytes:
            client.say(way.start)
            client.say(way.injected)
            return client.hear_out()

        await self.check(inject)

    async def test_commands_after_the_go_ahead_are_never_run(self):
        def inject(client: Client, way: Way) -> bytes:
            client.say(way.start)
            client.hear()
            client.say(way.injected)
            heard = client.hear_out()
            return way.answer if heard and heard[:1] != ALERT else heard

        await self.check(inject)

    async def test_half_a_command_before_the_handshake_is_never_run(self):
        """The other half would come in TLS, from a client that knows nothing."""

        def inject(client: Client, way: Way) -> bytes:
            client.say(way.start + way.injected[:-2])
            client.hear()
            try:
                trusting().wrap_socket(client.socket)
            except OSError:
                return b""
            return way.answer

        await self.check(inject)


class LeavingTests(TestCase):
    """Rows 6 and 100: close_notify is neither the end of a message nor of TLS."""

    timeout = 60

    async def messages(
        self, service: str, segments: tuple[bytes, ...], rest: bytes, *, in_tls: bool
    ) -> int:
        """How many messages there are after *segments* in TLS, and then *rest*."""
        hub = await MailHub.start({ANN: "wonder"})
        self.addCleanup(hub.stop)

        def work() -> None:
            client = TunnelClient(hub, service)
            for segment in (b"", *segments[:-1]):
                client.talk(segment)
            client.whisper(segments[-1])
            if in_tls:
                client.talk(rest)
                return
            client.leave()
            client.say(rest)
            client.hear_out()

        await deferToThread(work)
        return len(await hub.messages(ANN))

    async def check(self, service: str, *segments: bytes, rest: bytes) -> None:
        """In TLS there is a message; where TLS ends before *rest* there is none."""
        for in_tls in (True, False):
            count = await self.messages(service, segments, rest, in_tls=in_tls)
            self.assertEqual(count, in_tls)

    LOGIN = (
        b"EHLO x\r\n",
        b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwB3b25kZXI=\r\n",
        b"MAIL FROM:<ann@example.org>\r\n",
        b"RCPT TO:<ann@example.org>\r\n",
    )

    DATA = *LOGIN, b"DATA\r\n", b"Subject: x\r\n\r\nx\r\n"

    async def test_a_message_does_not_end_with_tls(self):
        count = await self.messages("submissions", self.DATA, b"", in_tls=False)
        self.assertEqual(count, 0)

    async def test_a_message_is_not_continued_in_clear_text(self):
        await self.check("submissions", *self.DATA, rest=b".\r\n")

    async def test_a_chunk_is_not_continued_in_clear_text(self):
        chunk = b"BDAT 40 LAST\r\nSubject: x\r\n"
        rest = b"x" * 28 + b"\r\n"
        segments = *self.LOGIN, chunk
        count = await self.messages("submissions", segments, rest, in_tls=False)
        self.assertEqual(count, 0)

    APPEND = b"a LOGIN ann@example.org wonder\r\n", b"b APPEND INBOX {10+}\r\nabcde"

    async def test_an_append_does_not_end_with_tls(self):
        count = await self.messages("imaps", self.APPEND, b"", in_tls=False)
        self.assertEqual(count, 0)

    async def test_an_append_is_not_continued_in_clear_text(self):
        await self.check("imaps", *self.APPEND, rest=b"abcde\r\n")
