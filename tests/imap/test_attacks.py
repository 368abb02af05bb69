"""What attackers try on an IMAP server, and what comes of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap import responses

from .fixture import Server, run


class BrokenCommands(SynchronousTestCase):
    """Whatever arrives, the session answers and lives."""

    LINES = (
        b"", b" ", b"a", b"a ", b"a  NOOP", b"\xff\xfe", b"a \xff\xfe", b"a \0",
        b"* NOOP", b"+ NOOP", b"a(b NOOP", b"a UID", b"a UID ", b"a UID NOOP",
        b"a SELECT", b"a FETCH", b"a __class__", b"a NOOP x", b"a LOGIN {5", b"{",
        b"a {}", b"a SELECT {x}", b"a\tNOOP",
    )  # fmt: skip

    def test_each_broken_line_is_answered_bad_and_the_session_lives(self):
        for line in self.LINES:
            client = Server().selected()
            client.send(line + b"\r\n")
            received = client.received()
            self.assertRegex(received, rb"\A(a|\*) BAD [^\r\n]+\r\n\Z", line)
            client.ok(b"NOOP")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_each_broken_line_is_answered_before_login_as_well(self):
        for line in self.LINES:
            client = Server().connect()
            client.send(line + b"\r\n")
            self.assertRegex(client.received(), rb"\A(a|\*) BAD [^\r\n]+\r\n\Z", line)
            client.ok(b"NOOP")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_bare_newline_is_no_line_end(self):
        client = Server().connect()
        client.send(b"a NOOP\nb NOOP\r\n")
        self.assertEqual(
            client.received(),
            b"* BAD Lines end with CR and LF\r\nb OK NOOP completed\r\n",
        )

    def test_ten_errors_cut_the_connection(self):
        client = Server().logged_in()
        for _ in range(9):
            self.assertTrue(client.status(b"XYZZY").startswith(b"BAD"))
        self.assertFalse(client.closed)
        client.send(b"a XYZZY\r\nb NOOP\r\n")
        self.assertEqual(
            client.received(), b"a BAD Unknown command\r\n* BYE Too many errors\r\n"
        )
        self.assertTrue(client.closed)

    def test_three_errors_before_login_cut_the_connection(self):
        client = Server().connect()
        for _ in range(2):
            client.status(b"XYZZY")
        self.assertFalse(client.closed)
        client.send(b"a XYZZY\r\n")
        self.assertIn(b"* BYE ", client.received())
        self.assertTrue(client.closed)

    def test_an_http_request_is_cut_off(self):
        """Attack: a browser is made to talk to us (ALPACA)."""
        client = Server().connect()
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nCookie: y\r\n\r\na NOOP\r\n")
        self.assertNotIn(b"a OK", client.received())
        self.assertTrue(client.closed)


class Lines(SynchronousTestCase):
    """Lines have an end, or the connection has."""

    def test_before_login_a_line_has_8192_octets_at_most(self):
        for length, fits in ((8192, True), (8193, False)):
            client = Server().connect()
            line = b"a NOOP" + b" " * (length - 8) + b"\r\n"
            client.send(line)
            received = client.received()
            self.assertEqual(received.startswith(b"a BAD"), fits, length)
            self.assertEqual(client.closed, not fits)
        self.assertEqual(received, responses.LINE_TOO_LONG)

    def test_after_login_a_line_has_65536_octets_at_most(self):
        for length, fits in ((65_536, True), (65_537, False)):
            client = Server().logged_in()
            client.send(b"a NOOP" + b" " * (length - 8) + b"\r\n")
            self.assertEqual(client.received().startswith(b"a BAD"), fits, length)
            self.assertEqual(client.closed, not fits)

    def test_an_endless_line_before_login_is_cut_within_its_limit(self):
        client = Server().connect()
        sent = 0
        while not client.closed and sent < 1_048_576:
            client.send(b"a" * 4096)
            sent += 4096
        self.assertTrue(client.closed)
        self.assertLessEqual(sent, 8192 + 65_536 + 3 * 4096)

    def test_an_octet_now_and_then_does_not_hold_a_connection(self):
        """Attack: slowloris."""
        client = Server().connect()
        for _ in range(30):
            client.send(b"a")
            client.wait(10)
        self.assertTrue(client.closed)
        self.assertIn(b"* BYE ", client.received())

    def test_an_octet_of_a_literal_now_and_then_does_not_either(self):
        client = Server().logged_in()
        client.send(b"a APPEND INBOX {1000000+}\r\n")
        for _ in range(30):
            client.send(b"a")
            client.wait(10)
        self.assertTrue(client.closed)
        self.assertEqual(client.received(), responses.TOO_SLOW)


class Literals(SynchronousTestCase):
    """Sizes are judged before the go-ahead (RFC 3501, section 4.3)."""

    def test_very_many_literals_in_one_command_are_cut_off(self):
        server = Server()
        client = server.logged_in()
        client.send(b"a SEARCH" + b" TEXT {1+}\r\nx" * 2000 + b"\r\nb NOOP\r\n")
        received = client.received()
        self.assertTrue(received.startswith(b"a BAD "), received)
        self.assertTrue(received.endswith(responses.LITERAL_REFUSED))
        self.assertTrue(client.closed)

    def test_literals_of_more_than_1_mib_in_all_are_cut_off(self):
        client = Server().logged_in()
        literal = b" TEXT {65000+}\r\n" + b"x" * 65_000
        client.send(b"a SEARCH" + literal * 20 + b"\r\nb NOOP\r\n")
        received = client.received()
        self.assertTrue(received.startswith(b"a BAD "), received)
        self.assertTrue(client.closed)

    def test_odd_sizes_of_literals_are_refused_and_the_session_is_in_step(self):
        for size in (
            b"-1", b"99999999999999999999", b"1_0", b"+5", b" 5", b"0", b"4097",
        ):  # fmt: skip
            client = Server().connect()
            client.send(b"a LOGIN {" + size + b"}\r\n")
            received = client.received()
            self.assertEqual(received, b"a BAD A literal beyond the limits\r\n", size)
            client.ok(b"NOOP")

    def test_an_unclosed_size_is_no_literal(self):
        client = Server().connect()
        client.send(b"a LOGIN {5\r\n")
        self.assertTrue(client.received().startswith(b"a BAD "))
        client.ok(b"NOOP")

    def test_octets_of_a_refused_literal_never_run_as_commands(self):
        hidden = b"b LOGIN ann@example.org secret\r\n"
        for marker in (b"{4097+}", b"{-1+}", b"{1_0+}", b"{99999999999999999999+}"):
            client = Server().connect()
            client.send(b"a LOGIN " + marker + b"\r\n" + hidden * 200)
            received = client.received()
            self.assertTrue(received.startswith(b"a BAD "), (marker, received))
            self.assertTrue(received.endswith(responses.LITERAL_REFUSED))
            self.assertNotIn(b"b ", received)
            self.assertTrue(client.closed)

    def test_octets_of_a_failed_command_s_literal_never_run_as_commands(self):
        hidden = b"x LOGOUT\r\n"
        client = Server().logged_in()
        for command in (b"XYZZY", b"SELECT a b", b"CREATE (", b"LOGIN"):
            client.send(b"a %b {%d+}\r\n%b\r\n" % (command, len(hidden), hidden))
            received = client.received()
            self.assertRegex(received, rb"\Aa BAD [^\r\n]+\r\n\Z")
        self.assertFalse(client.closed)

    def test_octets_of_a_huge_literal_of_a_failed_command_never_run(self):
        for command in (b"XYZZY", b"SELECT", b"LOGIN x", b"NOOP"):
            for size in (65_537, 1_000_000, 2**63 - 1):
                client = Server().logged_in()
                client.send(b"a %b {%d+}\r\n" % (command, size))
                client.send(b"b LOGOUT\r\n" * 10)
                received = client.received()
                self.assertTrue(received.startswith(b"a BAD "), received)
                self.assertTrue(received.endswith(responses.LITERAL_REFUSED))
                self.assertNotIn(b"b ", received)
                self.assertTrue(client.closed)

    def test_a_huge_message_is_refused_before_it_is_sent(self):
        """Attack: ``APPEND INBOX {999999999999}``."""
        client = Server().logged_in()
        client.send(b"a APPEND INBOX {999999999999}\r\n")
        self.assertEqual(
            client.received(), b"a NO [TOOBIG] The message is too large\r\n"
        )
        client.ok(b"NOOP")

    def test_a_huge_message_that_comes_unasked_ends_the_connection(self):
        client = Server().logged_in()
        client.send(b"a APPEND INBOX {999999999999+}\r\nb LOGOUT\r\n")
        self.assertEqual(client.received(), responses.LITERAL_REFUSED)
        self.assertTrue(client.closed)


class Nesting(SynchronousTestCase):
    """Parentheses within parentheses."""

    def test_parentheses_50_deep_are_the_most(self):
        client = Server().selected()
        for depth, expected in ((50, b"OK"), (51, b"BAD")):
            text = b"SEARCH " + b"(" * depth + b"ALL" + b")" * depth
            self.assertTrue(client.status(text).startswith(expected), depth)

    def test_8000_parentheses_are_bad_and_nothing_is_logged(self):
        client = Server().selected()
        for text in (b"(" * 8000, b")" * 8000, b"(" * 8000 + b"ALL" + b")" * 8000):
            self.assertTrue(client.status(b"SEARCH " + text).startswith(b"BAD"))
        for text in (b"NOT " * 8000 + b"ALL", b"OR ALL " * 8000 + b"ALL"):
            self.assertTrue(client.status(b"SEARCH " + text).startswith(b"BAD"))
        self.assertEqual(self.flushLoggedErrors(), [])


    def test_8000_parentheses_are_bad_in_every_command(self):
        for command in (
            b"FETCH 1 %b", b"FETCH 1 BODY[HEADER.FIELDS %b]", b"STORE 1 FLAGS %b",
            b"STATUS INBOX %b", b"ID %b", b"LIST %b x y", b"CREATE x %b",
            b"APPEND INBOX %b {3}",
        ):  # fmt: skip
            for text in (b"(" * 8000, b")" * 8000, b"(" * 8000 + b")" * 8000):
                client = Server().selected()
                client.send(b"a " + command % text + b"\r\n")
                received = client.received()
                self.assertRegex(received, rb"\Aa BAD [^\r\n]*\r\n\Z", command)
        self.assertEqual(self.flushLoggedErrors(), [])


class Names(SynchronousTestCase):
    """Mailbox names are data."""

    def test_names_that_look_like_paths_are_refused(self):
        server = Server()
        before = run(server.account.mailboxes())
        for name in (
            b'"../../x"', b'"a/../b"', b'"/etc/passwd"', b'"a//b"', b'"."',
            b'"x" {10240+}\r\n' + b"y" * 10_240, b"{10240+}\r\n" + b"y" * 10_240,
            b'"' + b"a/" * 1000 + b'b"', b'"a%"', b'""', b'"/"',
        ):  # fmt: skip
            client = server.logged_in()
            status = client.status(b"CREATE " + name)
            self.assertRegex(status, rb"\A(NO \[CANNOT\]|BAD) ", name)
        self.assertEqual(run(server.account.mailboxes()), before)

    def test_names_with_nul_are_bad(self):
        client = Server().logged_in()
        self.assertTrue(client.status(b'CREATE "a\0b"').startswith(b"BAD"))
        self.assertTrue(client.status(b"CREATE {3+}\r\na\0b").startswith(b"BAD"))

    def test_only_the_canonical_spelling_of_a_name_is_understood(self):
        """Attack: modified UTF-7 that hides ``../``, line ends or a plain letter."""
        client = Server().logged_in()
        for name in (
            b"&AC4ALg-/x", b"&AA0ACg-", b"&2AA-", b"&AGE-", b"&", b"a&b", b"&AA-",
            b'"\xff"',
        ):  # fmt: skip
            status = client.status(b"STATUS " + name + b" (MESSAGES)")
            self.assertTrue(status.startswith(b"BAD"), (name, status))
            client.protocol.session.errors = 0

    def test_inbox_is_one_mailbox_in_any_case(self):
        client = Server().logged_in()
        for name in (b"inbox", b"InBoX", b'"INBOX"'):
            self.assertIn(
                b"* STATUS INBOX (", client.ok(b"STATUS " + name + b" (MESSAGES)")
            )
        self.assertTrue(client.status(b"CREATE inbox").startswith(b"NO [ALREADYEXISTS"))

    def test_composed_and_decomposed_spellings_are_one_mailbox(self):
        client = Server().logged_in()
        client.ok(b"CREATE &AOk-")
        self.assertEqual(
            client.status(b"CREATE e&AwE-"),
            b"NO [ALREADYEXISTS] There is a mailbox of this name",
        )


class Wildcards(SynchronousTestCase):
    """LIST patterns that make matchers back-track."""

    def test_list_with_many_wildcards_is_answered_at_once(self):
        client = Server().logged_in()
        name = b"a" * 24
        client.ok(b"CREATE " + name)
        for pattern, found in (
            (b"*%*%*%*%*%*%x", False),
            (b"*a" * 2000 + b"x", False),
            (b"*a" * 24 + b"*", True),
            (b"a%" * 24, True),
        ):
            listed = client.ok(b'LIST "" "%b"' % pattern)
            self.assertEqual(name in listed, found, pattern)


class SequenceSets(SynchronousTestCase):
    """Sets of message numbers."""

    def test_huge_sets_are_clamped_to_the_mailbox(self):
        client = Server().selected(messages=3)
        all_three = client.ok(b"FETCH 1:* UID")
        scattered = b",".join(b"%d" % number for number in range(1, 12_000, 2))
        for numbers in (b"1:4294967295", b"4294967295:1", b"1,2,3,2,1,1:3"):
            self.assertEqual(client.ok(b"FETCH " + numbers + b" UID"), all_three)
        self.assertEqual(client.ok(b"FETCH *:* UID"), b"* 3 FETCH (UID 3)\r\n")
        odd = client.ok(b"UID FETCH " + scattered + b" FLAGS")
        self.assertEqual(odd.count(b"FETCH"), 2)

    def test_numbers_that_are_none_are_bad(self):
        client = Server().selected(messages=3)
        for numbers in (b"0", b"1:0", b"1" * 20, b"4294967296", b"1,", b"1::2", b"-1"):
            status = client.status(b"FETCH " + numbers + b" UID")
            self.assertTrue(status.startswith(b"BAD"), (numbers, status))


class Truncation(SynchronousTestCase):
    """A connection that ends within a message."""

    def test_the_end_of_input_within_a_message_stores_nothing(self):
        for text in (
            b"a APPEND INBOX {100+}\r\nFrom: x",
            b"a APPEND INBOX {5+}\r\nabcde",
            b"a APPEND INBOX {5+}\r\nabcde {5+}\r\nabc",
            b"a APPEND INBOX {5+}\r\nabcde\r",
        ):
            server = Server()
            client = server.logged_in()
            client.send(text)
            client.protocol.readConnectionLost()
            client.close()
            self.assertEqual(server.uids(), [], text)
