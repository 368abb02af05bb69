"""FETCH at work: slices, streams, ``\\Seen``, messages that have gone."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault, StorageFull
from mailhub.imap import responses
from mailhub.imap.commands import fetching
from mailhub.mail.flags import SEEN
from mailhub.mail.mailbox import Column

from .fixture import MESSAGE, Server, run

LARGE = MESSAGE + b"0123456789abcde\r\n" * 40_000


def poisoned(fetch, uid, fault):
    """*fetch*, which fails whenever it is asked for *uid*."""

    async def poisoned(uids, columns):
        if uid in uids:
            raise fault
        return await fetch(uids, columns)

    return poisoned


class FetchTests(SynchronousTestCase):
    """FETCH (RFC 3501, section 6.4.5)."""

    def test_flags_and_uids_never_ask_the_store(self):
        server = Server()
        client = server.selected(messages=3)
        client.protocol.session.mailbox.fetch = None
        self.assertEqual(
            client.ok(b"FETCH 2:3 (FLAGS UID)"),
            b"* 2 FETCH (FLAGS (\\Recent) UID 2)\r\n"
            b"* 3 FETCH (FLAGS (\\Recent) UID 3)\r\n",
        )

    def test_columns_come_from_the_store(self):
        client = Server().selected(messages=2)
        self.assertEqual(
            client.ok(b"FETCH 1:2 (RFC822.SIZE INTERNALDATE)"),
            b"".join(
                b"* %d FETCH (RFC822.SIZE %d"
                b' INTERNALDATE "21-Nov-2026 02:01:34 +0000")\r\n'
                % (number, len(MESSAGE))
                for number in (1, 2)
            ),
        )

    def test_uid_fetch_tells_the_uid(self):
        client = Server().selected(messages=2)
        self.assertEqual(
            client.ok(b"UID FETCH 2 RFC822.SIZE"),
            b"* 2 FETCH (UID 2 RFC822.SIZE %d)\r\n" % len(MESSAGE),
        )

    def test_a_whole_message_is_a_literal_of_its_octets(self):
        client = Server().selected(messages=1, flags=[SEEN])
        self.assertEqual(
            client.ok(b"FETCH 1 BODY[]"),
            b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(MESSAGE), MESSAGE),
        )

    def test_many_messages_come_in_order_over_several_slices(self):
        server = Server()
        count = fetching.CONTENT_SLICE * 2 + 1
        client = server.selected(messages=count)
        for items in (b"UID", b"(UID RFC822.SIZE)", b"(UID BODY.PEEK[TEXT])"):
            lines = client.ok(b"FETCH 1:* " + items)
            uids = [b"* %d FETCH (UID %d" % (n, n) for n in range(1, count + 1)]
            places = [lines.index(uid) for uid in uids]
            self.assertEqual(places, sorted(places))

    def test_messages_that_have_gone_are_skipped(self):
        server = Server()
        client = server.selected(messages=3)
        run(server.open().expunge([2], deleted_only=False))
        untagged, status = client.command(b"FETCH 1:3 RFC822.SIZE")
        size = len(MESSAGE)
        self.assertEqual(
            untagged,
            b"* 1 FETCH (RFC822.SIZE %d)\r\n* 3 FETCH (RFC822.SIZE %d)\r\n"
            % (size, size),
        )
        self.assertEqual(status, responses.EXPUNGE_ISSUED)
        self.assertEqual(client.ok(b"NOOP"), b"* 2 EXPUNGE\r\n")

    def test_items_that_do_not_exist_are_bad(self):
        client = Server().selected(messages=1)
        for items in (b"X", b"()", b"(UID", b"BODY[", b"UID FLAGS", b"(ALL UID)"):
            self.assertTrue(client.status(b"FETCH 1 " + items).startswith(b"BAD"))
            client.protocol.session.errors = 0


class SeenTests(SynchronousTestCase):
    """Reading a body sets ``\\Seen`` (RFC 3501, section 6.4.5)."""

    def flags(self, server):
        return [set(flags) for flags in run(server.open().changes(0)).entries.flags]

    def test_body_sets_seen_and_tells_it(self):
        server = Server()
        client = server.selected(messages=1)
        untagged = client.ok(b"FETCH 1 BODY[TEXT]")
        self.assertTrue(untagged.endswith(b" FLAGS (\\Recent \\Seen))\r\n"), untagged)
        self.assertEqual(self.flags(server), [{SEEN}])
        self.assertNotIn(b"FLAGS", client.ok(b"FETCH 1 BODY[TEXT]"))

    def test_the_flags_asked_for_are_those_afterwards(self):
        client = Server().selected(messages=1)
        self.assertTrue(
            client.ok(b"FETCH 1 (FLAGS BODY[HEADER])").startswith(
                b"* 1 FETCH (FLAGS (\\Recent \\Seen) BODY[HEADER]"
            )
        )

    def test_peek_and_headers_alone_do_not(self):
        server = Server()
        client = server.selected(messages=1)
        for items in (b"BODY.PEEK[]", b"RFC822.HEADER", b"ENVELOPE", b"FULL"):
            client.ok(b"FETCH 1 " + items)
        self.assertEqual(self.flags(server), [set()])

    def test_mail_can_be_read_when_nothing_can_be_written(self):
        client = Server().selected(messages=1)

        def full(*_):
            raise StorageFull("no space left")

        client.protocol.session.mailbox.set_flags = full
        self.assertIn(MESSAGE, client.ok(b"FETCH 1 BODY[]"))


class StreamTests(SynchronousTestCase):
    """Large messages are never whole in memory, and never sent half in silence."""

    def large(self):
        server = Server()
        server.deliver(LARGE, flags=[SEEN])
        client = server.selected()
        return server, client

    def test_a_large_message_is_sent_whole(self):
        _, client = self.large()
        self.assertEqual(
            client.ok(b"FETCH 1 BODY[]"),
            b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(LARGE), LARGE),
        )

    def test_a_part_of_a_large_message_is_sent(self):
        _, client = self.large()
        self.assertEqual(
            client.ok(b"FETCH 1 BODY[]<300000.100>"),
            b"* 1 FETCH (BODY[]<300000> {100}\r\n%b)\r\n" % LARGE[300_000:300_100],
        )

    def test_no_more_is_read_while_the_client_does_not(self):
        """Attack: fetch everything, over and over, and read nothing."""
        _, client = self.large()
        client.protocol.pauseProducing()
        client.send(b"a FETCH 1 BODY[]\r\n" * 20)
        self.assertLess(len(client.transport.value()), 2 * fetching.CHUNK)
        client.protocol.resumeProducing()
        self.assertEqual(client.received().count(b"a OK FETCH completed\r\n"), 20)

    def test_a_message_that_breaks_off_ends_the_connection(self):
        _, client = self.large()
        mailbox = client.protocol.session.mailbox
        [(_, content)] = run(mailbox.fetch([1], (Column.CONTENT,)))

        class Broken:
            size = content.size

            async def read(self, start, stop):
                if start >= fetching.CHUNK:
                    raise LocalFault("cannot read")
                return await content.read(start, stop)

            def close(self):
                self.closed = True

        broken = Broken()

        async def fetch(uids, columns):
            return [(1, broken)]

        mailbox.fetch = fetch
        client.send(b"a FETCH 1 BODY[]\r\nb NOOP\r\n")
        received = client.received()
        self.assertNotIn(b"a ", received[-100:])
        self.assertNotIn(b"BYE", received)
        self.assertEqual(
            len(received) - len(b"* 1 FETCH (BODY[] {%d}\r\n" % len(LARGE)),
            fetching.CHUNK,
        )
        self.assertTrue(client.closed)
        self.assertTrue(broken.closed)
        self.assertEqual(len(self.flushLoggedErrors(LocalFault)), 1)

    def test_sections_of_a_large_header_are_answered_one_by_one(self):
        """Attack: many lists of fields, each sought among a million."""
        for octets, answers in ((-1, 1), (0, 1), (1, 4)):
            filler = b"X-Filler: %b\r\n" % (b"x" * 900)
            header = b"Subject: s\r\nFrom: f@x\r\n" + filler * 250
            missing = fetching.LARGE_HEADER + octets - len(header) - len("X: \r\n\r\n")
            message = header + b"X: %b\r\n\r\nbody\r\n" % (b"y" * missing)
            client = Server().selected()
            client.append(message)
            received = client.ok(
                b"UID FETCH 1 (FLAGS BODY[HEADER.FIELDS (SUBJECT)] BODY[TEXT]"
                b" BODY[HEADER.FIELDS (FROM)])"
            )
            self.assertEqual(received.count(b" FETCH (UID 1 "), answers, octets)
            for text in (b"Subject: s\r\n\r\n", b"From: f@x\r\n\r\n", b"body\r\n"):
                self.assertIn(text, received)
            self.assertIn(b"\\Seen", received)

    def test_one_message_that_cannot_be_told_of_keeps_no_other_back(self):
        """Attack: a message that makes the server fail each time it is looked at."""
        size = fetching.CONTENT_SLICE + 3
        faults = ((LocalFault("x"), b"NO [UNAVAILABLE] "), (KeyError("x"), b"NO [SER"))
        for fault, status in faults:
            for items in (b"RFC822.SIZE", b"BODY.PEEK[]", b"BODY.PEEK[1]"):
                client = Server().selected(messages=size, flags=[SEEN])
                mailbox = client.protocol.session.mailbox
                mailbox.fetch = poisoned(mailbox.fetch, 7, fault)
                client.send(b"a FETCH 1:%d (%b)\r\n" % (size, items))
                *lines, last = client.received().split(b"\r\n")[:-1]
                self.assertTrue(last.startswith(b"a " + status), last)
                told = [int(x.split()[1]) for x in lines if b" FETCH " in x]
                self.assertEqual(told, [n for n in range(1, size + 1) if n != 7])
                self.flushLoggedErrors(KeyError)

    def test_nothing_of_a_large_message_is_announced_before_it_can_be_read(self):
        client = Server().selected(messages=1)
        client.append(LARGE)
        client.append(LARGE)

        class Unreadable:
            size = len(LARGE)

            async def read(self, start, stop):
                raise LocalFault("gone")

            def close(self):
                pass

        mailbox = client.protocol.session.mailbox
        fetch = mailbox.fetch

        async def broken(uids, columns):
            rows = await fetch(uids, columns)
            return [(2, Unreadable()) if row[0] == 2 else row for row in rows]

        mailbox.fetch = broken
        client.send(b"a FETCH 1:3 BODY.PEEK[]\r\n")
        received = client.received()
        self.assertEqual(received.count(b" FETCH (BODY[] {"), 2)
        self.assertTrue(received.split(b"\r\n")[-2].startswith(b"a NO [UNAVAILABLE]"))
        client.ok(b"NOOP")

    def test_a_message_that_cannot_be_read_at_all_costs_one_command(self):
        server = Server()
        client = server.selected(messages=1, flags=[SEEN])

        def broken(*_):
            raise LocalFault("cannot read")

        client.protocol.session.mailbox.fetch = broken
        status = client.status(b"FETCH 1 BODY[]")
        self.assertTrue(status.startswith(b"NO [UNAVAILABLE]"))
        client.ok(b"NOOP")


class TurnTests(SynchronousTestCase):
    """One client's commands do not keep the others waiting."""

    def test_a_long_pipeline_lets_others_run(self):
        server = Server()
        client = server.selected(messages=1)
        ran = []
        seconds = server.clock.seconds

        def slow():
            # Every look at the clock costs 4 ms.
            server.clock.rightNow += 0.004
            return seconds()

        server.clock.seconds = slow
        client.protocol.dataReceived(b"a FETCH 1 UID\r\n" * 20)
        first = client.received().count(b"a OK")
        self.assertLess(first, 20)
        server.clock.callLater(0, ran.append, True)
        server.clock.advance(0)
        self.assertEqual(ran, [True])
        for _ in range(40):
            server.clock.advance(0)
        self.assertEqual(client.received().count(b"a OK"), 20 - first)

    def test_a_fetch_for_a_client_that_has_gone_stops(self):
        server = Server()
        client = server.selected(messages=200)
        session = client.protocol.session
        asked = []
        fetch = session.mailbox.fetch
        held = Deferred()

        async def slow(uids, columns):
            asked.append(len(uids))
            await held
            return await fetch(uids, columns)

        session.mailbox.fetch = slow
        client.send(b"a FETCH 1:* BODY.PEEK[]\r\n")
        client.close()
        held.callback(None)
        self.assertEqual(len(asked), 1)
