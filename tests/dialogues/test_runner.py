"""The player of transcripts itself."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.protocols.basic import LineOnlyReceiver
from twisted.trial.unittest import SynchronousTestCase

from .runner import Player, Transcript


class Echo(LineOnlyReceiver):
    """Says each line back; ``bye`` closes; ``later`` answers after 5 s."""

    def __init__(self, clock):
        self.clock = clock
        self.was_lost = 0

    def connectionMade(self):
        self.sendLine(b"hello 42 there")

    def lineReceived(self, line):
        if line == b"later":
            self.clock.callLater(5, self.sendLine, b"now")
            return
        self.sendLine(line)
        if line == b"bye":
            self.transport.loseConnection()

    def connectionLost(self, reason):
        self.was_lost += 1


class PlayerTests(SynchronousTestCase):
    """What a transcript asserts, and what it does not forgive."""

    def play(self, *lines, most=0):
        self.clock = Clock()
        player = Player(Echo(self.clock), self.clock, most=most)
        player.play(Transcript.parse("x", "\n".join(lines)))
        return player

    def test_a_conversation_as_written_passes_whole_and_in_octets(self):
        for most in (0, 1):
            player = self.play(
                "# talk", "%: a = b", "", "S: hello ... there", "C: one", "S: one",
                "C: two", r"C+ th\x72ee\r\n", "S: two", "S: three",
                "C: later", "T: 5", "S: now", "C: bye", "S: bye", "X: server",
                most=most,
            )
            self.assertEqual(player.protocol.was_lost, 1)

    def test_the_client_can_close(self):
        player = self.play("S: hello 42 there", "X: client")
        self.assertEqual(player.protocol.was_lost, 1)

    def test_what_differs_fails_and_names_the_line(self):
        for lines in (
            ["S: hello"],
            ["S: hello 42 there", "C: a", "S: b"],
            ["S: hello 42 there", "C: a", "S: a", "S: a"],
            ["S: hello 42 there", "C: a", "S: a", "X: server"],
        ):
            error = self.assertRaises(AssertionError, self.play, *lines)
            self.assertIn(f"x.txt:{len(lines)}:", str(error))

    def test_unexpected_output_fails(self):
        for lines in (
            ["C: a"],
            ["S: hello 42 there", "C: a"],
            ["S: hello 42 there", "C: a", "C: b", "S: a", "C: c"],
            ["T: 1"],
            ["X: client"],
        ):
            error = self.assertRaises(AssertionError, self.play, *lines)
            self.assertIn("unexpected", str(error))

    def test_options_are_read(self):
        transcript = Transcript.parse("x", "%: service = lmtp\nS: hi")
        self.assertEqual(transcript.options, {"service": "lmtp"})

    def test_an_unknown_kind_of_line_is_refused(self):
        error = self.assertRaises(ValueError, Transcript.parse, "x", "S: a\nD: b")
        self.assertIn("x:2", str(error))
