"""The whole server in this process, on free ports."""

from __future__ import annotations

import imaplib
import os
import poplib
import smtplib
import socket
import stat
import threading
from dataclasses import replace

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.config.kinds import Endpoint, LoginSource
from mailhub.config.settings import PORTS, Login, Mail
from mailhub.net.limits import Limits

from .servers import (
    EVERYTHING,
    MESSAGE,
    PASSWORD,
    TIMEOUT,
    USER,
    Servers,
    certificate_of,
    exists,
    greeting,
    trusting,
    write,
)


class LifeTests(Servers):
    """Starting and stopping."""

    async def test_every_service_greets(self) -> None:
        server = await self.start(self.memory())
        addresses = server.addresses()
        self.assertEqual(list(addresses), list(PORTS))
        starts = {"imap": b"* OK ", "pop3": b"+OK ", "lmtp": b"220 "}
        for name, address in addresses.items():
            tls = name in ("submissions", "pop3s", "imaps")
            line = await deferToThread(greeting, address, tls)
            start = starts.get(name.removesuffix("s"), b"220 ")
            self.assertTrue(line.startswith(start), (name, line))

    async def test_a_message_goes_all_the_way(self) -> None:
        server = await self.start(self.config)
        await self.add_user(server)
        await deferToThread(send_and_read, server.addresses(), self)

    async def test_a_stopped_server_leaves_no_thread_for_hashes(self) -> None:
        def hashing() -> set[threading.Thread]:
            running = threading.enumerate()
            return {thread for thread in running if "password hashes" in thread.name}

        others = hashing()  # Of tests before this one.
        server = await self.start(self.config)
        await self.add_user(server)
        await deferToThread(send_and_read, server.addresses(), self)
        self.assertNotEqual(hashing() - others, set())
        await server.stopService()
        self.assertEqual(hashing() - others, set())

    async def test_a_stopped_server_can_start_again_with_all_it_had(self) -> None:
        server = await self.start(self.config)
        await self.add_user(server)
        first = await deferToThread(certificate_of, server.addresses()["imaps"])
        await server.stopService()
        self.assertEqual(server.addresses(), {})
        server.startService()
        await server.started
        again = await deferToThread(certificate_of, server.addresses()["imaps"])
        self.assertEqual(first, again)
        self.assertTrue(await server.store.directory.find_account(USER))

    async def test_only_the_owner_may_read_what_is_made(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        server = await self.start(self.config)
        await self.add_user(server)
        paths = [self.folder]
        for folder, folders, files in os.walk(self.folder):
            paths += [os.path.join(folder, name) for name in folders + files]
        self.assertIn(os.path.join(self.folder, "self-signed.pem"), paths)
        for path in paths:
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)

    async def test_a_memory_store_makes_no_files(self) -> None:
        await self.start(self.memory())
        self.assertFalse(exists(self.folder))

    async def test_sessions_are_told_when_it_stops(self) -> None:
        server = await self.start(self.memory())
        addresses = server.addresses()
        clients = {}
        for name in ("smtp", "imap", "pop3"):
            clients[name] = socket.create_connection(addresses[name], TIMEOUT)
            self.addCleanup(clients[name].close)
            lines = clients[name].makefile("rb")
            self.addCleanup(lines.close)
            await deferToThread(lines.readline)
            clients[name] = lines
        stopped = server.stopService()
        words = {"smtp": b"421 ", "imap": b"* BYE ", "pop3": b"-ERR "}
        for name, lines in clients.items():
            rest = await deferToThread(lines.read)
            self.assertTrue(rest.startswith(words[name]), (name, rest))
        await stopped

    async def test_two_servers_live_in_one_process(self) -> None:
        one = await self.start(self.memory())
        other = await self.start(self.memory())
        await self.add_user(one)
        self.assertIsNone(await other.store.directory.find_account(USER))
        self.assertNotEqual(one.addresses(), other.addresses())


def send_and_read(addresses: dict[str, tuple[str, int]], case: TestCase) -> None:
    """Send a message by each way in, and read it by each way out."""
    with smtplib.SMTP(*addresses["smtp"], timeout=TIMEOUT) as client:
        client.sendmail("al@far.example", [USER], MESSAGE)
    with smtplib.SMTP(*addresses["submission"], timeout=TIMEOUT) as client:
        client.starttls(context=trusting())
        client.login(USER, PASSWORD)
        client.sendmail(USER, [USER], MESSAGE)
    host, port = addresses["submissions"]
    with smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=trusting()) as client:
        client.login(USER, PASSWORD)
        client.sendmail(USER, [USER], MESSAGE)
    with smtplib.LMTP(*addresses["lmtp"]) as client:
        client.sendmail("al@far.example", [USER], MESSAGE)
    host, port = addresses["imaps"]
    secure = {"ssl_context": trusting(), "timeout": TIMEOUT}
    with imaplib.IMAP4_SSL(host, port, **secure) as reader:
        reader.login(USER, PASSWORD)
        case.assertEqual(reader.select("INBOX"), ("OK", [b"4"]))
        case.assertEqual(reader.search(None, "SUBJECT", "hello"), ("OK", [b"1 2 3 4"]))
    host, port = addresses["pop3s"]
    drop = poplib.POP3_SSL(host, port, timeout=TIMEOUT, context=trusting())
    drop.user(USER)
    drop.pass_(PASSWORD)
    case.assertEqual(drop.stat()[0], 4)
    case.assertEqual(drop.retr(1)[1][-1], b"body")
    drop.quit()


class SettingTests(Servers):
    """Settings that reach the objects they are for."""

    async def test_services_may_be_off_or_on_several_addresses(self) -> None:
        listen = replace(
            EVERYTHING,
            **{name: () for name in PORTS if name != "imap"},
            imap=(Endpoint("127.0.0.1", 0), Endpoint("127.0.0.2", 0)),
        )
        server = await self.start(self.memory(listen=listen))
        self.assertEqual(list(server.factories), ["imap"])
        hosts = [endpoint.host for _, endpoint in server.endpoints()]
        self.assertEqual(hosts, ["127.0.0.1", "127.0.0.2"])
        self.assertEqual(server.addresses()["imap"][0], "127.0.0.1")
        for _, endpoint in server.endpoints():
            address = (endpoint.host, endpoint.port)
            line = await deferToThread(greeting, address)
            self.assertTrue(line.startswith(b"* OK "))

    async def test_lmtp_listens_on_a_unix_socket(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        os.mkdir(self.folder)
        os.chdir(self.folder)
        listen = replace(EVERYTHING, lmtp=(Endpoint(path="lmtp"),))
        server = await self.start(self.memory(listen=listen))
        mode = os.stat("lmtp").st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o660)
        self.assertNotIn("lmtp", server.addresses())
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(TIMEOUT)
            client.connect("lmtp")
            line = await deferToThread(client.recv, 1000)
        self.assertTrue(line.startswith(b"220 mail.example.org LMTP"), line)
        await server.stopService()
        self.assertFalse(exists("lmtp"))

    async def test_limits_and_names_reach_the_factories(self) -> None:
        limits = Limits(message_size=12345, drain=1.0)
        server = await self.start(self.memory(limits=limits))
        for name, factory in server.factories.items():
            self.assertEqual(factory.service, name)
            self.assertEqual(factory.host_name, "mail.example.org")
            self.assertIs(factory.limits, limits)
            self.assertIsNotNone(factory.certificates)

    async def test_passwords_in_clear_text_are_taken_as_configured(self) -> None:
        def ask(address: tuple[str, int]) -> tuple[bytes, ...]:
            with imaplib.IMAP4(*address, timeout=TIMEOUT) as client:
                return client.capabilities

        for plaintext, offered in (("never", False), ("loopback", True)):
            config = self.memory(login=Login(plaintext=plaintext))
            server = await self.start(config)
            capabilities = await deferToThread(ask, server.addresses()["imap"])
            self.assertEqual("LOGINDISABLED" not in capabilities, offered)
            await server.stopService()

    async def test_passwords_in_clear_text_may_be_taken_from_everywhere(self) -> None:
        for plaintext in ("never", "loopback", "always"):
            server = await self.start(self.memory(login=Login(plaintext=plaintext)))
            imap, pop3 = server.factories["imap"], server.factories["pop3"]
            smtp = server.factories["submission"].smtp_service
            trusts = [each.trusts_everybody for each in (imap, pop3, smtp)]
            self.assertEqual(trusts, [plaintext == "always"] * 3)
            await server.stopService()

    async def test_users_of_a_file_and_of_an_application_log_in(self) -> None:
        os.mkdir(self.folder)
        path = os.path.join(self.folder, "users")
        write(path, "al@example.org:{PLAIN}from-file\n")
        own = InMemoryUsernamePasswordDatabaseDontUse()
        own.addUser(b"bo@example.org", b"from-application")
        login = Login(auth=(LoginSource("passwd-file", path),), delay=0)
        server = await self.start(self.memory(login=login), checkers=[own])
        for user in ("al@example.org", "bo@example.org", USER):
            await server.store.directory.add_account(user, "{PLAIN}from-store")
        address = server.addresses()["imap"]

        def log_in(user: str, password: str) -> str:
            with imaplib.IMAP4(*address, timeout=TIMEOUT) as client:
                try:
                    return client.login(user, password)[0]
                except imaplib.IMAP4.error:
                    return "NO"

        for user, password, expected in (
            ("al@example.org", "from-file", "OK"),
            ("bo@example.org", "from-application", "OK"),
            ("al@example.org", "from-store", "NO"),
        ):
            self.assertEqual(await deferToThread(log_in, user, password), expected)

    async def test_mail_for_postmaster_and_tags_is_routed_as_configured(self) -> None:
        mail = Mail(postmaster=USER, plus_separator="-")
        server = await self.start(self.memory(mail=mail))
        await server.store.directory.add_account("a@example.org", "")
        await self.add_user(server)

        def send(*recipients: str) -> dict:
            with smtplib.SMTP(*server.addresses()["smtp"], timeout=TIMEOUT) as client:
                return client.sendmail("x@far.example", recipients, MESSAGE)

        refused = await deferToThread(
            send, "abuse@example.org", "jo-x@example.org", "jo+x@example.org"
        )
        self.assertEqual(list(refused), ["jo+x@example.org"])
        account = await server.store.open_account(USER)
        self.assertEqual((await account.status("INBOX")).messages, 1)
