"""A whole mail server inside a test, on free ports of this machine.

::

    class SignUpTests(TestCase):
        async def test_a_new_member_is_welcomed_by_mail(self):
            hub = await MailHub.start({"ann@example.org": "wonder"})
            self.addCleanup(hub.stop)
            await sign_up("ann@example.org", smtp=(hub.host, hub.port("smtp")))
            [message] = await hub.wait_for("ann@example.org")
            self.assertEqual(message.subject, "Welcome")

Everything is the real thing: sockets, TLS, logins, limits.  Only the passwords are
kept as they are, so that a test does not spend its time on hashing them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from ..config.kinds import Endpoint
from ..config.settings import DNS, TLS, Config, Listen, Login, Server, Store
from ..mail.account import Delivery, Target
from ..mail.flags import NO_FLAGS, Flags
from ..mail.mailbox import INBOX, Column
from ..net.certificates import ensure_own
from ..service import MailService, build
from ..store.content import BytesContent, octets_of
from .message import Message

HOST = "127.0.0.1"
#: Seconds that :meth:`MailHub.wait_for` waits; mail takes some milliseconds.
PATIENCE = 10.0


class NotDelivered(AssertionError):
    """The messages that a test waits for have not come in time."""


class MailHub:
    """A server that runs; :meth:`start` makes one.

    :ivar host: the address of all its ports.
    :ivar certificate: its certificate in PEM, for clients to trust.
    :ivar service: the server itself, for what a test wants to do beyond this.
    """

    host = HOST

    def __init__(
        self,
        service: MailService,
        reactor: Any,
        passwords: InMemoryUsernamePasswordDatabaseDontUse,
        certificate: str,
    ) -> None:
        self.service = service
        self.certificate = certificate
        self._reactor = reactor
        self._passwords = passwords
        self._ports: dict[str, int] = {}

    @classmethod
    async def start(
        cls,
        users: Mapping[str, str] | None = None,
        *,
        store: str = "memory",
        reactor: Any = None,
    ) -> MailHub:
        """A server that accepts connections.

        :param users: passwords by address; more come with :meth:`add_user`.
        :param store: ``memory``, or ``sqlite`` in a folder that :meth:`stop` removes.
        :param reactor: the one that trial runs, unless given.
        """
        if reactor is None:
            from twisted.internet import reactor
        passwords = InMemoryUsernamePasswordDatabaseDontUse()
        folder = tempfile.mkdtemp(prefix="mailhub-test-")
        pem = f"{folder}/certificate.pem"
        identity = ensure_own(pem, [HOST], datetime.now(UTC))
        service = build(
            make_config(folder, store, pem), reactor, checkers=[passwords]
        )
        certificate = identity.chain[0].public_bytes(Encoding.PEM).decode()
        hub = cls(service, reactor, passwords, certificate)
        try:
            await hub._begin()
            for address, password in (users or {}).items():
                await hub.add_user(address, password)
        except BaseException:
            await hub.stop()
            raise
        return hub

    async def _begin(self) -> None:
        self.service.privilegedStartService()
        self.service.startService()
        await self.service.started
        addresses = self.service.addresses()
        self._ports = {service: port for service, (_, port) in addresses.items()}

    async def stop(self) -> None:
        """Close everything; the reactor is as clean as before."""
        await self.service.stopService()
        folder = self.service.config.server.data
        await deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), shutil.rmtree, folder
        )

    def port(self, service: str) -> int:
        """Where *service* listens.

        :param service: ``smtp``, ``submission``, ``submissions``, ``lmtp``,
            ``pop3``, ``pop3s``, ``imap`` or ``imaps``.
        """
        return self._ports[service]

    async def add_user(self, address: str, password: str = "") -> None:
        """A new account.  Its domain is served from now on."""
        await self.service.store.directory.add_account(address, "")
        if password:
            self._passwords.addUser(address.encode(), password.encode())

    async def add_alias(self, address: str, targets: Sequence[str]) -> None:
        """Mail for *address* goes to *targets*."""
        directory = self.service.store.directory
        await directory.add_domain(address.rpartition("@")[2])
        await directory.set_alias(address, list(targets))

    async def deliver(
        self, address: str, raw: bytes, *, mailbox: str = INBOX, flags: Flags = NO_FLAGS
    ) -> None:
        """Put a message into a mailbox as it is, without SMTP."""
        store = self.service.store
        account = await store.directory.find_account(address)
        if account is None:
            raise LookupError(f"no user {address!r}")
        targets = (Target(account.account_id, mailbox, flags),)
        now = int(time.time())
        await store.deliver(Delivery(BytesContent(raw), b"", targets, now))

    async def messages(self, address: str, mailbox: str = INBOX) -> list[Message]:
        """What lies in a mailbox now, oldest first."""
        opened = await self._open(address, mailbox)
        return await _messages_of(opened)

    async def wait_for(
        self,
        address: str,
        count: int = 1,
        *,
        mailbox: str = INBOX,
        timeout: float = PATIENCE,  # noqa: ASYNC109
    ) -> list[Message]:
        """All messages in a mailbox, as soon as there are *count* at least.

        :param timeout: seconds.
        :raises NotDelivered: there are fewer after that time.
        """
        opened = await self._open(address, mailbox)
        news = _News()
        stop_watching = opened.watch(news.arrive)
        timer = self._reactor.callLater(timeout, news.give_up)
        try:
            while (await opened.status()).messages < count:
                if not await news.wait():
                    here = (await opened.status()).messages
                    raise NotDelivered(
                        f"{here} of {count} messages in {mailbox} of {address}"
                        f" after {timeout} s"
                    )
            return await _messages_of(opened)
        finally:
            stop_watching()
            if timer.active():
                timer.cancel()

    async def _open(self, address: str, mailbox: str) -> Any:
        account = await self.service.store.open_account(address)
        return await account.open(mailbox, read_only=True)


class _News:
    """Waits for the next change, unless time is over."""

    def __init__(self) -> None:
        self._changed = False
        self._over = False
        self._waiting: Deferred[None] | None = None

    def arrive(self) -> None:
        self._changed = True
        self._wake()

    def give_up(self) -> None:
        self._over = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def wait(self) -> bool:
        """Whether something has changed since the last call."""
        if not self._changed and not self._over:
            self._waiting = Deferred()
            await self._waiting
        changed, self._changed = self._changed, False
        return changed


async def _messages_of(mailbox: Any) -> list[Message]:
    entries = (await mailbox.changes(0)).entries
    rows = await mailbox.fetch(entries.uids, (Column.CONTENT,))
    flags = dict(zip(entries.uids, entries.flags, strict=True))
    return [
        Message(uid, await octets_of(content), flags[uid]) for uid, content in rows
    ]


def make_config(folder: str, store: str, pem: str) -> Config:
    """Free ports of the loopback interface for every service, and no delays.

    :param pem: the file of the certificate and its key.
    """
    anywhere = (Endpoint(HOST, 0),)
    return Config(
        server=Server(data=folder, host_name="localhost"),
        listen=Listen(
            smtp=anywhere,
            submission=anywhere,
            submissions=anywhere,
            lmtp=anywhere,
            pop3=anywhere,
            pop3s=anywhere,
            imap=anywhere,
            imaps=anywhere,
        ),
        tls=TLS(certificate=pem, key=pem),
        login=Login(auth=(), delay=0.0),
        store=Store(kind=store),
        # Nobody listens there: tests ask nobody outside for names.
        dns=DNS(servers=(Endpoint(HOST, 9),)),
    )
