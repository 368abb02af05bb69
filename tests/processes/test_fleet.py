"""A master and its workers: starting, dying, stopping."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading

from mailhub.config.settings import PORTS

from .fleet import LISTEN, PASSWORD, PATIENCE, USER, Client, Fleets, until

WORKERS = ("--workers", "2")
MESSAGE = b"Subject: x\r\n\r\nbody\r\n.\r\n"


def greets(client: Client) -> bool:
    """Whether a server is there."""
    return client.line().startswith((b"220 ", b"* OK ", b"+OK"))


def deliver(client: Client, number: int) -> bool:
    """Send a message.  -> whether it was taken"""
    for command in (
        b"MAIL FROM:<a@far.example>\r\n",
        b"RCPT TO:<%s>\r\n" % USER.encode(),
        b"DATA\r\n",
    ):
        if client.say(command)[:1] not in b"23":
            return False
    return client.say(b"X-Number: %d\r\n" % number + MESSAGE).startswith(b"250")


class StartTests(Fleets):
    """The whole starts, or nothing does."""

    def test_all_workers_serve_the_addresses_that_the_master_tells(self):
        fleet = self.fleet(*WORKERS).ready()
        self.assertEqual(len(fleet.workers()), 2)
        self.assertEqual(fleet.said.count("mailhub is ready on"), 1)
        clients = [fleet.connect("imap") for _ in range(40)]
        for client in clients:
            self.assertTrue(greets(client))
        holders = [holder_of(pid, fleet.addresses["imap"]) for pid in fleet.workers()]
        self.assertNotIn(0, holders)
        for client in clients:
            client.close()

    def test_the_configuration_says_how_many(self):
        self.write("[server]\nworkers = 3\n" + LISTEN)
        self.assertEqual(len(self.fleet().ready().workers()), 3)

    def test_mail_comes_in_through_as_many_as_the_configuration_says(self):
        for receivers in (1, 2):
            self.write(f"[server]\nworkers = 3\nreceivers = {receivers}\n" + LISTEN)
            fleet = self.fleet().ready()
            clients = [fleet.connect("smtp") for _ in range(40)]
            for client in clients:
                self.assertTrue(greets(client))
            address = fleet.addresses["smtp"]
            holders = [holder_of(pid, address) for pid in fleet.workers()]
            self.assertEqual(sum(number > 0 for number in holders), receivers)
            for client in clients:
                client.close()
            fleet.end()

    def test_a_worker_may_have_nothing_to_listen_on(self):
        others = "".join(f"{name} = []\n" for name in PORTS if name != "smtp")
        text = '[dns]\nservers = ["127.0.0.1:9"]\n[listen]\nadmin = []\n'
        text += 'smtp = ["127.0.0.1:0"]\n' + others
        self.write("[server]\nworkers = 2\nreceivers = 1\n" + text)
        fleet = self.fleet().ready()
        self.assertEqual(len(fleet.workers()), 2)
        client = fleet.connect("smtp")
        self.assertTrue(greets(client))
        client.close()

    def test_a_port_that_is_taken_is_told(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        self.write(f'[listen]\nimap = ["127.0.0.1:{taken.getsockname()[1]}"]\n')
        fleet = self.fleet(*WORKERS)
        fleet.hear("Address already in use")
        self.assertEqual(fleet.process.wait(60), os.EX_CONFIG)

    def test_a_port_of_another_fleet_is_taken(self):
        first = self.fleet(*WORKERS).ready()
        self.write(f'[listen]\nimap = ["127.0.0.1:{first.addresses["imap"][1]}"]\n')
        second = self.fleet(*WORKERS, "--data", "another")
        second.hear("Address already in use")
        self.assertEqual(second.process.wait(60), os.EX_CONFIG)

    def test_a_store_that_cannot_be_opened_ends_it_all(self):
        os.mkdir(f"{self.folder}/mailhub-data", 0o700)
        with open(f"{self.folder}/mailhub-data/mailhub.sqlite", "w") as file:
            file.write("not a database" * 100)
        fleet = self.fleet(*WORKERS)
        fleet.hear("is not a mail store")
        self.assertEqual(fleet.process.wait(60), os.EX_UNAVAILABLE)
        self.assertEqual(fleet.workers(), [])
        self.assertNotIn("Traceback", fleet.listen())

    def test_a_number_that_is_none_is_refused(self):
        fleet = self.fleet("--workers", "many")
        fleet.hear("expected a whole number from 1 to 64")
        self.assertEqual(fleet.process.wait(60), os.EX_CONFIG)


def holder_of(pid: int, address: tuple[str, int]) -> int:
    """How many connections to *address* a process has."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            continue
    number = 0
    with open(f"/proc/{pid}/net/tcp") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            port = int(fields[1].partition(":")[2], 16)
            if port == address[1] and fields[3] == "01":
                number += f"socket:[{fields[9]}]" in inodes
    return number


class DeathTests(Fleets):
    """A worker dies; nobody else's connection does."""

    def test_connections_of_the_others_live_and_the_queue_is_served(self):
        fleet = self.fleet(*WORKERS).ready()
        clients = [fleet.connect("imap") for _ in range(16)]
        for client in clients:
            self.assertTrue(greets(client))
        victim, survivor = fleet.workers()
        lost = holder_of(victim, fleet.addresses["imap"])
        os.kill(victim, signal.SIGKILL)
        # These come while the place is empty, and are dealt to both queues.
        late = [fleet.connect("imap") for _ in range(16)]
        for client in late:
            self.assertTrue(greets(client))
        dead = [client for client in clients if not client.say(b"NOOP\r\n")]
        self.assertEqual(len(dead), lost)
        fleet.hear("is back")
        self.assertIn("died (signal 9)", fleet.said)
        self.assertEqual(len(fleet.workers()), 2)
        self.assertIn(survivor, fleet.workers())

    def test_nothing_acknowledged_is_lost_when_workers_die_under_load(self):
        fleet = self.fleet(*WORKERS).ready()
        fleet.command("user", "add", USER, "--password-stdin", text=PASSWORD + "\n")
        taken: list[int] = []
        stopping = threading.Event()

        def load(start: int) -> None:
            number = start
            while not stopping.is_set():
                try:
                    with fleet.connect("smtp") as client:
                        greets(client)
                        client.say(b"HELO x\r\n")
                        while not stopping.is_set():
                            number += 1
                            if not deliver(client, number):
                                break
                            taken.append(number)
                except ConnectionError:
                    continue

        threads = [threading.Thread(target=load, args=(n * 10**6,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            before = len(taken)
            until(lambda: len(taken) > before + 50)  # noqa: B023
            os.kill(fleet.workers()[0], signal.SIGKILL)
            until(lambda: len(fleet.workers()) == 2)
        before = len(taken)
        until(lambda: len(taken) > before + 50)
        stopping.set()
        for thread in threads:
            thread.join()
        with fleet.connect("imap") as client:
            client.line()
            client.say(b"a LOGIN %s %s\r\n" % (USER.encode(), PASSWORD.encode()))
            answer = client.say(b"b STATUS INBOX (MESSAGES)\r\n")
        there = int(answer.rpartition(b"MESSAGES ")[2].split(b")")[0])
        self.assertGreaterEqual(there, len(taken))

    def test_a_frozen_worker_does_not_keep_the_others_from_answering(self):
        fleet = self.fleet(*WORKERS).ready()
        frozen, _ = fleet.workers()
        os.kill(frozen, signal.SIGSTOP)
        for _ in range(40):
            client = fleet.connect("pop3")
            client.socket.settimeout(0.5)
            try:
                if greets(client):
                    return
            except TimeoutError:
                continue
            finally:
                client.close()
        self.fail("nobody answers")

    def test_workers_end_when_the_master_dies(self):
        fleet = self.fleet(*WORKERS).ready()
        workers = fleet.workers()
        fleet.process.kill()
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))


class StopTests(Fleets):
    """SIGTERM: sessions finish, and then all is over."""

    def test_sessions_are_told_and_everything_ends(self):
        fleet = self.fleet(*WORKERS).ready()
        clients = [fleet.connect("imap") for _ in range(8)]
        for client in clients:
            self.assertTrue(greets(client))
        workers = fleet.workers()
        fleet.process.send_signal(signal.SIGTERM)
        for client in clients:
            self.assertTrue(client.line().startswith(b"* BYE "))
        self.assertEqual(fleet.ended(), 0)
        self.assertNotIn("Traceback", fleet.said)
        self.assertFalse(any(os.path.exists(f"/proc/{pid}") for pid in workers))

    def test_a_terminal_s_interrupt_reaches_everybody_and_harms_nobody(self):
        fleet = self.fleet(*WORKERS).ready()
        os.killpg(fleet.process.pid, signal.SIGINT)
        self.assertEqual(fleet.process.wait(60), 0)
        self.assertNotIn("Traceback", fleet.listen())

    def test_a_transaction_that_has_begun_is_finished(self):
        fleet = self.fleet(*WORKERS).ready()
        fleet.command("user", "add", USER, "--password-stdin", text=PASSWORD + "\n")
        client = fleet.connect("smtp")
        greets(client)
        client.say(b"HELO x\r\n")
        client.say(b"MAIL FROM:<a@far.example>\r\n")
        client.say(b"RCPT TO:<%s>\r\n" % USER.encode())
        client.say(b"DATA\r\n")
        fleet.process.send_signal(signal.SIGTERM)
        fleet.hear("Received SIGTERM")
        self.assertTrue(client.say(MESSAGE).startswith(b"250 "))
        self.assertTrue(client.line().startswith(b"421 "))
        self.assertEqual(fleet.ended(), 0)

    def test_a_second_signal_ends_it_at_once(self):
        fleet = self.fleet(*WORKERS).ready()
        client = fleet.connect("smtp")
        greets(client)
        client.say(b"HELO x\r\n")
        client.say(b"MAIL FROM:<a@far.example>\r\n")
        client.say(b"RCPT TO:<postmaster>\r\n")
        workers = fleet.workers()
        fleet.process.send_signal(signal.SIGTERM)
        fleet.hear("Received SIGTERM")
        self.assertEqual(fleet.stop() % 128, signal.SIGTERM % 128)
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))


class ReloadTests(Fleets):
    """SIGHUP."""

    def test_every_worker_reads_the_certificate_again(self):
        fleet = self.fleet(*WORKERS).ready()
        os.chmod(f"{self.folder}/mailhub-data/self-signed.pem", 0o644)
        with fleet.connect("imap") as client:
            self.assertTrue(greets(client))
            fleet.process.send_signal(signal.SIGHUP)
            fleet.hear("the configuration stays as it was")
            self.assertTrue(client.say(b"a NOOP\r\n").startswith(b"a OK"))


class UnixTests(Fleets):
    """A UNIX socket, which all workers share."""

    def setUp(self) -> None:
        # Trial's own folders may be too deep for the path of a socket.
        folder = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, folder)
        self.path = f"{folder}/lmtp"
        ours = f'lmtp = ["unix:{self.path}"]'
        self.config = LISTEN.replace('lmtp = ["127.0.0.1:0"]', ours)
        super().setUp()

    def lmtp_answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(self.path)
            return client.recv(100).startswith(b"220 ")

    def test_it_outlives_workers_and_goes_with_the_master(self):
        fleet = self.fleet(*WORKERS, MAILHUB_SERVER__RECEIVERS="2").ready()
        for pid in fleet.workers():
            self.assertTrue(self.lmtp_answers())
            os.kill(pid, signal.SIGTERM)
            until(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: B023
        self.assertTrue(self.lmtp_answers())
        fleet.stop()
        self.assertFalse(os.path.exists(self.path))
