"""What goes wrong with the place that a message is kept in while it arrives."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import StorageFull
from mailhub.net.limits import Limits
from mailhub.net.spool import MEMORY_LIMIT, Spool
from mailhub.smtp.server import RECIPIENT_MEMORY, TLS_MEMORY

from .fixture import Server, begin

HIDDEN = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.org>\r\n"
LOGIN = b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n"
TWO = (b"a@example.org", b"b@example.org")
LOCAL_ERROR = b"451 4.3.0 Local error, try again later\r\n"
NOOP_OK = b"250 2.0.0 Ok\r\n"


class Failing(Spool):
    """Fails in *failing*, with *error*."""

    failing = ""
    error = Exception

    def _fail(self, moment):
        if self.failing == moment:
            raise self.error("broken")

    def write(self, data):
        self._fail("write")
        super().write(data)

    def finish(self):
        self._fail("finish")
        return super().finish()


def failing(moment, error):
    """A spool that fails at *moment*."""
    return type("Failing", (Failing,), {"failing": moment, "error": error})


class FaultTests(SynchronousTestCase):
    """A fault of ours costs one message, is temporary, and keeps the place.

    However it fails, the rest of the body must not be read as commands.
    """

    def outcome(self, service, spool):
        server = Server(service, {"spool": spool})
        player = server.in_data(TWO)
        player.send(b"x\r\n" + HIDDEN)
        self.assertEqual(player.received(), b"")
        player.send(b"y\r\n" * MEMORY_LIMIT + b".\r\nNOOP\r\n")
        self.assertEqual(server.taken, [])
        self.assertEqual(len(server.avatar.asked), 3)
        return player.received()

    def test_a_full_volume_is_told_after_the_true_end(self):
        full = b"452 4.3.1 Insufficient system storage\r\n"
        for moment in ("write", "finish"):
            for service, count in (("smtp", 1), ("lmtp", 2)):
                said = self.outcome(service, failing(moment, StorageFull))
                self.assertEqual(said, full * count + NOOP_OK)

    def test_a_bug_is_a_temporary_fault_and_logged_once(self):
        for moment in ("write", "finish"):
            for service, count in (("smtp", 1), ("lmtp", 2)):
                said = self.outcome(service, failing(moment, MemoryError))
                self.assertEqual(said, LOCAL_ERROR * count + NOOP_OK)
                self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)

    def test_nothing_is_asked_for_where_there_is_no_place_for_it(self):
        for error, said in (
            (StorageFull("full"), b"452 4.3.1 Insufficient system storage\r\n"),
            (OSError(24, "too many files"), LOCAL_ERROR),
        ):
            def spool(error=error):
                raise error

            server = Server(options={"spool": spool})
            player = server.greeted()
            player.send(HIDDEN + b"DATA\r\n")
            self.assertEqual(player.received().splitlines(True)[2:], [said])
            player.send(b"NOOP\r\n")
            self.assertEqual(player.received(), NOOP_OK)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class MemoryTests(SynchronousTestCase):
    """Attack: recipients, TLS and most of a message, over thousands of connections."""

    def room(self, service="smtp", recipients=1, tls=False, before=b""):
        """How much of a message stays in memory."""
        spools = []

        def spool():
            spools.append(Spool())
            return spools[-1]

        options = {"spool": spool, "requires_tls": False, "offers_login": True}
        player = Server(service, options).greeted()
        if tls:
            player.send(b"STARTTLS\r\n")
            player.received()
            player.finish_handshake()
            player.send(b"EHLO x\r\n")
            player.received()
        names = [b"u%d@example.org" % number for number in range(recipients)]
        player.send(before)
        player.received()
        begin(player, names)
        return spools[0].in_memory

    def test_the_more_a_stranger_takes_the_less_of_a_message_does(self):
        self.assertEqual(self.room(), MEMORY_LIMIT)
        self.assertEqual(self.room(recipients=11), MEMORY_LIMIT - 10 * RECIPIENT_MEMORY)
        self.assertEqual(self.room(tls=True), MEMORY_LIMIT - TLS_MEMORY)

    def test_users_are_no_strangers(self):
        self.assertEqual(self.room(recipients=11, before=LOGIN), MEMORY_LIMIT)


class DiskTests(SynchronousTestCase):
    """Row 29: what is refused does not fill the disk first."""

    LIMIT = 200_000

    def setUp(self):
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.server = Server(
            options={
                "limits": Limits(message_size=self.LIMIT),
                "spool": lambda: Spool(self.folder),
            }
        )

    def octets_on_disk(self):
        paths = [entry.path for entry in os.scandir(self.folder)]
        return sum(os.stat(path).st_size for path in paths)

    def test_a_message_over_the_limit_stays_below_it_on_disk(self):
        player = self.server.greeted()
        player.send(b"MAIL FROM:<a@example.com> SIZE=1\r\n")
        player.send(b"RCPT TO:<bob@example.org>\r\n")
        player.send(b"DATA\r\n")
        most = 0
        for _ in range(100):
            player.send((b"x" * 998 + b"\r\n") * 50)
            most = max(most, self.octets_on_disk())
        self.assertGreater(most, MEMORY_LIMIT)
        self.assertLessEqual(most, self.LIMIT)
        player.received()
        player.send(b".\r\n")
        self.assertEqual(player.received(), b"552 5.3.4 Message too large\r\n")
        self.assertEqual(self.octets_on_disk(), 0)

    def test_nothing_stays_on_disk_after_the_reply(self):
        player = self.server.greeted()
        for end in (b".\r\n", b"bare\n\r\n.\r\n"):
            begin(player)
            player.send((b"x" * 998 + b"\r\n") * 150)
            self.assertGreater(self.octets_on_disk(), MEMORY_LIMIT)
            player.send(end)
            self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual(len(self.server.taken), 1)
