"""Whatever a client says, it is answered, and nothing of ours fails."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from .imap.fixture import Server as IMAPServer
from .pop3.fixture import Server as POP3Server
from .smtp.fixture import Server as SMTPServer

_ODD = [b"", b"\xff", b"\0", b'"', b"(", b")", b"*", b"-1", b"99999999999999999999"]


def _lines(*words: str) -> st.SearchStrategy[list[bytes]]:
    """Lines of *words*, mostly in an order that makes sense."""
    known = st.sampled_from([word.encode() for word in words])
    word = st.one_of(known, known, known, st.sampled_from(_ODD))
    line = st.lists(word, min_size=1, max_size=4).map(b" ".join)
    return st.lists(st.one_of(known, line), max_size=12)


SMTP = _lines(
    "EHLO x", "HELO x", "MAIL FROM:<a@b.c>", "MAIL FROM:<>", "RCPT TO:<d@e.f>", "DATA",
    "x\r\n.", "RSET", "NOOP", "VRFY", "HELP", "AUTH", "PLAIN", "LOGIN", "SIZE=10",
    "AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=", "AUTH LOGIN", "=", "SMTPUTF8",
    "BODY=8BITMIME", "MAIL FROM:<é@b.c> SMTPUTF8", "LHLO x",
)  # fmt: skip
POP3 = _lines(
    "USER alice@example.org", "PASS secret phrase", "STAT", "LIST", "UIDL", "RETR", "1",
    "2", "3", "4", "TOP", "TOP 1 1", "DELE", "DELE 2", "RSET", "NOOP", "CAPA", "AUTH",
    "AUTH PLAIN", "=", "APOP",
)  # fmt: skip
IMAP = _lines(
    "SELECT INBOX", "EXAMINE Sent", "FETCH 1:* FULL", "UID FETCH 1 (BODY[] FLAGS)",
    "FETCH 2 BODY[1]", "FETCH", "UID", "STORE 1:2 +FLAGS (\\Deleted)", "EXPUNGE",
    "UID STORE * FLAGS x", "SEARCH TEXT hello", "UID SEARCH OR SEEN (LARGER 10)",
    "COPY 1:* Sent", "MOVE 1 Trash", "UID MOVE 1:* INBOX", "CREATE a/b", "DELETE a/b",
    "RENAME INBOX c", "RENAME a d", 'LIST "" *', 'LSUB "" %', "STATUS INBOX (MESSAGES)",
    "APPEND INBOX {3+}\r\nabc", "APPEND INBOX (\\Seen) {3+}\r\nabc {0+}\r\n", "CLOSE",
    "IDLE\r\nDONE", "NOOP", "UNSELECT", "1", "2:*", "INBOX", "Sent", "BODY[]", "ALL",
    "UID EXPUNGE 1:*", "DELETE Sent", "CHARSET", "NOT", "{3+}\r\nx y",
)  # fmt: skip


class AnyClientTests(SynchronousTestCase):
    """Sessions of words that clients use, in an order that they do not."""

    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(["smtp", "submission", "lmtp"]), SMTP)
    def test_smtp(self, service: str, lines: list[bytes]) -> None:
        player = SMTPServer(service).greeted()
        for line in lines:
            player.send(line + b"\r\n")
            received = player.received()
            self.assertRegex(received, rb"\A([2345]\d\d[ -][^\r\n]*\r\n)*\Z", lines)
            if not received:
                # In message data, or cut off.
                player.send(b".\r\n")
                self.assertTrue(player.received() or player.closed, lines)
        self.over(player, lines)

    @settings(max_examples=150, deadline=None)
    @given(st.booleans(), POP3)
    def test_pop3(self, logged_in: bool, lines: list[bytes]) -> None:
        server = POP3Server()
        player = server.log_in() if logged_in else server.connect()
        for line in lines:
            player.received()
            player.send(line + b"\r\n")
            received = player.received()
            self.assertTrue(received.startswith((b"+", b"-ERR ")) or player.closed)
        self.over(player, lines)

    @settings(max_examples=300, deadline=None)
    @given(st.booleans(), IMAP)
    def test_imap(self, news: bool, lines: list[bytes]) -> None:
        server = IMAPServer()
        client = server.selected(messages=3)
        for number, line in enumerate(lines):
            if news:
                server.deliver()
            client.send(b"t%d %b\r\n" % (number, line))
            received = client.received()
            answered = re.search(rb"(?m)^(t%d|\*) (OK|NO|BAD) " % number, received)
            self.assertTrue(answered or client.closed, (lines, received))
        self.over(client, lines)

    def over(self, player, lines):
        """Nothing failed, and nothing stays."""
        self.assertEqual(self.flushLoggedErrors(), [], lines)
        player.close()
        self.assertEqual(player.protocol.factory.connections, set())
