"""Mail for programs, which run without a shell."""

from __future__ import annotations

import os
import sys

from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailhub.interfaces import IWayOut
from mailhub.mail.envelope import MailParameters
from mailhub.mail.queued import Lease, Outcome, QueuedMessage, Waiting
from mailhub.outbound import programs
from mailhub.outbound.programs import ByProgram
from mailhub.store.content import BytesContent

#: 2026-11-21 02:01:34 UTC.
ARRIVED = 1_795_226_494.0
OCTETS = b"Subject: x\r\n\r\nbody\r\n"


class ProgramTests(TestCase):
    """One run for each recipient; the exit code decides."""

    def setUp(self):
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.way = ByProgram(reactor, self.folder)

    def script(self, text):
        path = os.path.join(self.folder, "program")
        with open(path, "w") as file:
            file.write(f"#!{sys.executable} -S\n{text}\n")
        os.chmod(path, 0o700)
        return path

    async def send(self, command, *recipients, sender="al@far.example"):
        destination = f"program:{command}"
        waiting = tuple(
            Waiting(number, recipient, destination, None, None, 0.0)
            for number, recipient in enumerate(recipients or ("jo@example.org",))
        )
        message = QueuedMessage(
            1, "Q", sender, None, MailParameters(), 0, ARRIVED, 0.0
        )
        lease = Lease(message, destination, waiting, 1, 0.0)
        return await self.way.send(lease, BytesContent(OCTETS))

    def written(self, name="out"):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    def test_it_is_a_way_out(self):
        self.assertTrue(verifyObject(IWayOut, self.way))

    async def test_a_program_reads_the_message(self):
        path = self.script(
            "import os, sys\nopen('out', 'wb').write(sys.stdin.buffer.read())\n"
            "open('env', 'w').write(os.environ['SENDER'] + os.environ['RECIPIENT'])"
        )
        [result] = await self.send(path)
        self.assertEqual((result.outcome, result.status), (Outcome.DELIVERED, "2.0.0"))
        self.assertEqual(
            self.written(),
            b"From al@far.example Sat, 21 Nov 2026 02:01:34 +0000\n"
            b"Subject: x\n\nbody\n",
        )
        self.assertEqual(self.written("env"), b"al@far.examplejo@example.org")

    async def test_each_recipient_is_a_run(self):
        path = self.script("open('out', 'a').write('run ')")
        results = await self.send(path, "a@example.org", "b@example.org", sender="")
        self.assertEqual(len(results), 2)
        self.assertEqual(self.written(), b"run run ")

    async def test_exit_codes_decide(self):
        for code, outcome in (
            (0, Outcome.DELIVERED), (75, Outcome.DEFERRED), (71, Outcome.DEFERRED),
            (74, Outcome.DEFERRED), (1, Outcome.FAILED), (67, Outcome.FAILED),
        ):  # fmt: skip
            [result] = await self.send(f"sh -c 'echo sorry; exit {code}'")
            self.assertEqual(result.outcome, outcome, code)
            if code:
                self.assertIn("sorry", result.reply)

    async def test_a_signal_is_worth_another_try(self):
        [result] = await self.send("sh -c 'kill -9 $$'")
        self.assertEqual(result.outcome, Outcome.DEFERRED)

    async def test_a_program_that_does_not_read_has_decided_as_well(self):
        [result] = await self.send("true")
        self.assertEqual(result.outcome, Outcome.DELIVERED)

    async def test_what_is_no_program_is_a_fault_of_ours(self):
        for command in ("no-such-program-here x", "'open", '""', "/etc/passwd"):
            [result] = await self.send(command)
            self.assertEqual(result.outcome, Outcome.DEFERRED, command)

    async def test_a_program_that_takes_too_long_is_killed(self):
        self.patch(programs, "TIMEOUT", 0.05)
        for command in ("sleep 5", "sh -c 'sleep 5 & sleep 5'"):
            [result] = await self.send(command)
            self.assertEqual(result.outcome, Outcome.DEFERRED)
            self.assertIn("took too long", result.reply)

    async def test_what_a_program_leaves_behind_keeps_nobody_waiting(self):
        self.patch(programs, "TIMEOUT", 0.2)
        [result] = await self.send("sh -c 'sleep 5 &'")
        self.assertEqual(result.outcome, Outcome.DELIVERED)

    async def test_words_are_words_and_addresses_are_data(self):
        """Attack: a shell between the alias and the program."""
        path = self.script("import sys\nopen('out', 'w').write(repr(sys.argv[1:]))")
        evil = "$(touch evil);`touch evil`|touch evil&@example.org"
        await self.send(f"{path} a 'b  c' '$RECIPIENT' ';touch evil'", evil)
        expected = repr(["a", "b  c", "$RECIPIENT", ";touch evil"])
        self.assertEqual(self.written().decode(), expected)
        self.assertNotIn("evil", os.listdir(self.folder))

    async def test_what_a_program_says_is_one_line_and_short(self):
        path = self.script("import sys\nprint('a\\n\\x1b[31mb' + 'x' * 5000)\nexit(1)")
        [result] = await self.send(path)
        self.assertTrue(result.reply.isprintable())
        self.assertLess(len(result.reply), 1_200)
