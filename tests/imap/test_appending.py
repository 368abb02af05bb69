"""APPEND: what is stored, what is refused, and that the session stays in step."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import OverQuota, StorageFull
from mailhub.imap import responses
from mailhub.imap.commands import appending
from mailhub.mail.mailbox import Column
from mailhub.net.limits import Limits

from .fixture import MESSAGE, NOW, Server, run

SMALL = Limits(message_size=1000)


def stored(server, name="INBOX"):
    """Flags, date and octets of the messages in a mailbox."""
    mailbox = server.open(name)
    entries = run(mailbox.changes(0)).entries
    columns = (Column.INTERNAL_DATE, Column.CONTENT)
    rows = run(mailbox.fetch(entries.uids, columns))
    return [
        (set(flags), date, run(content.read(0, content.size)))
        for flags, (_, date, content) in zip(entries.flags, rows, strict=True)
    ]


class AppendTests(SynchronousTestCase):
    """APPEND (RFC 3501, section 6.3.11; RFC 4315, section 3)."""

    def test_a_message_is_stored_as_it_came(self):
        server = Server()
        validity = run(server.account.status("Drafts")).uidvalidity
        client = server.logged_in()
        untagged, status = client.append(
            mailbox=b"Drafts", details=b'(\\Seen todo) "17-Jul-1996 02:44:25 -0700" '
        )
        self.assertEqual(status, b"OK [APPENDUID %d 1] APPEND completed" % validity)
        self.assertEqual(untagged, b"")
        self.assertEqual(
            stored(server, "Drafts"), [({"\\Seen", "todo"}, 837_596_665, MESSAGE)]
        )

    def test_flags_and_date_are_optional(self):
        server = Server()
        client = server.logged_in()
        self.assertTrue(client.append()[1].startswith(b"OK"))
        self.assertTrue(client.append(details=b"() ")[1].startswith(b"OK"))
        self.assertEqual(stored(server), [(set(), NOW, MESSAGE)] * 2)

    def test_a_synchronising_literal_gets_its_go_ahead(self):
        server = Server()
        client = server.logged_in()
        client.send(b"a APPEND INBOX {%d}\r\n" % len(MESSAGE))
        self.assertEqual(client.received(), responses.GO_AHEAD)
        client.send(MESSAGE + b"\r\n")
        self.assertTrue(client.received().startswith(b"a OK [APPENDUID "))
        self.assertEqual(len(stored(server)), 1)

    def test_the_mailbox_may_be_a_literal(self):
        server = Server()
        client = server.logged_in()
        status = client.status(
            b"APPEND {5+}\r\nINBOX {%d+}\r\n%b" % (len(MESSAGE), MESSAGE)
        )
        self.assertTrue(status.startswith(b"OK"), status)
        self.assertEqual(len(stored(server)), 1)

    def test_the_selected_mailbox_tells_of_the_message(self):
        client = Server().selected()
        self.assertIn(b"* 1 EXISTS\r\n* 1 RECENT\r\n", client.append()[0])

    def test_any_octets_come_back_as_they_were(self):
        server = Server()
        octets = bytes(range(1, 256)) * 300 + b"\r\n\n\r {5}\r\n{5+}"
        self.assertTrue(server.logged_in().append(octets)[1].startswith(b"OK"))
        self.assertEqual(stored(server)[0][2], octets)

    def test_several_messages_are_stored_by_one_command(self):
        """RFC 3502."""
        server = Server()
        client = server.logged_in()
        status = client.status(
            b"APPEND INBOX (\\Seen) {%d+}\r\n%b (\\Flagged) {%d+}\r\n%b  {1+}\r\nx"
            % (len(MESSAGE), MESSAGE, len(MESSAGE), MESSAGE)
        )
        self.assertRegex(status, rb"\AOK \[APPENDUID \d+ 1:3\] ")
        self.assertEqual(
            [(flags, octets) for flags, _, octets in stored(server)],
            [({"\\Seen"}, MESSAGE), ({"\\Flagged"}, MESSAGE), (set(), b"x")],
        )


class RefusalTests(SynchronousTestCase):
    """What is not stored, and that nothing of it is taken for a command."""

    def refused(self, text, status, *, waits=False, limits=SMALL):
        """*text* is answered by *status*, nothing is stored, all is in step."""
        server = Server({"limits": limits})
        client = server.logged_in()
        client.send(b"a APPEND " + text + b"\r\nb NOOP\r\n")
        self.assertEqual(
            client.received(), b"a " + status + b"\r\nb OK NOOP completed\r\n", text
        )
        self.assertEqual(server.uids(), [])

    def test_a_missing_mailbox_may_be_created(self):
        for marker in (b"{8}", b"{8+}\r\nx LOGOUT"):
            self.refused(b"nowhere " + marker, responses.TRY_CREATE)

    def test_a_name_that_no_mailbox_can_have(self):
        status = b"NO [CANNOT] No mailbox can have this name"
        self.refused(b'"a/../b" {8+}\r\nx LOGOUT', status)
        self.refused(b'"a/../b" {8}', status)

    def test_flags_dates_and_syntax_that_are_wrong(self):
        status = b"BAD The arguments are not right"
        for details in (b"(\\Recent) ", b'"today" ', b"(\\Seen)", b"x ", b" "):
            self.refused(b"INBOX " + details + b"{8+}\r\nx LOGOUT", status)
            self.refused(b"INBOX " + details + b"{8}", status)
        self.refused(b"INBOX", status)
        self.refused(b"INBOX (\\Seen)", status)
        self.refused(b"INBOX {8+}\r\nx LOGOUTx", status)
        self.refused(b"INBOX {8+}\r\nx LOGOUT (\\Seen)", status)

    def test_a_message_has_its_limit(self):
        server = Server({"limits": SMALL})
        client = server.logged_in()
        self.assertTrue(client.append(b"x" * 1000)[1].startswith(b"OK"))
        status = b"NO [TOOBIG] The message is too large"
        self.refused(b"INBOX {1001}", status)
        self.refused(b"INBOX {1001+}\r\n" + b"x LOGOUT\r\n" * 100 + b"x", status)

    def test_far_too_large_a_message_sent_unasked_ends_the_connection(self):
        server = Server({"limits": SMALL})
        for size, closes in ((2000, False), (2001, True)):
            client = server.logged_in()
            client.send(b"a APPEND INBOX {%d+}\r\n" % size + b"x" * 2000 + b"\r\n")
            self.assertEqual(client.closed, closes)
        self.assertEqual(client.received(), responses.LITERAL_REFUSED)

    def test_an_empty_message_cancels(self):
        """RFC 3502, section 6.3.11."""
        status = b"NO An empty message cancels APPEND"
        self.refused(b"INBOX {0+}\r\n", status)
        self.refused(b"INBOX {0}", status)
        self.refused(b"INBOX {1+}\r\nx {0+}\r\n", status)

    def test_one_bad_message_of_several_keeps_all_out(self):
        status = b"NO [TOOBIG] The message is too large"
        self.refused(b"INBOX {1+}\r\nx {1001+}\r\n" + b"x" * 1001, status)
        self.refused(
            b"INBOX {1001+}\r\n" + b"x" * 1001 + b" {8+}\r\nx LOGOUT", status
        )
        self.refused(b"INBOX {1+}\r\nx {1001}", status)

    def test_one_append_has_500_messages_at_most(self):
        limit = appending.MAX_MESSAGES
        server = Server()
        client = server.logged_in()
        text = b"APPEND INBOX" + b" {1+}\r\nx" * limit
        self.assertTrue(client.status(text).startswith(b"OK"))
        self.refused(
            b"INBOX" + b" {1+}\r\nx" * (limit + 1),
            b"NO [LIMIT] A limit of this server is reached",
        )

    def test_a_full_account(self):
        server = Server()
        client = server.logged_in()

        async def full(name, messages):
            raise OverQuota("full")

        client.protocol.session.account.append = full
        self.assertEqual(
            client.append()[1], b"NO [OVERQUOTA] The account is full"
        )

    def test_a_full_volume_is_a_fault_for_later(self):
        class FullSpool:
            closed = False

            def write(self, data):
                raise StorageFull("no space left")

            def close(self):
                FullSpool.closed = True

        server = Server({"spool": FullSpool})
        client = server.logged_in()
        client.send(b"a APPEND INBOX {20+}\r\nx LOGOUT\r\nx LOGOUT\r\n\r\n")
        received = client.received()
        self.assertTrue(received.startswith(b"a NO [UNAVAILABLE] "), received)
        self.assertTrue(FullSpool.closed)
        client.ok(b"NOOP")

    def test_where_there_is_no_place_for_a_message_its_octets_are_no_commands(self):
        def full():
            raise StorageFull("no inodes")

        client = Server({"spool": full}).logged_in()
        client.send(b"a APPEND INBOX {8+}\r\nx LOGOUT\r\nb NOOP\r\n")
        status = b"a NO [UNAVAILABLE] A fault of the server; try again later\r\n"
        self.assertEqual(client.received(), status + b"b OK NOOP completed\r\n")
        client.send(b"a APPEND INBOX {8}\r\n")
        self.assertEqual(client.received(), status)

    def test_what_is_in_reserve_is_not_asked_for(self):
        def check_room(octets, reserve):
            if octets + reserve > 100:
                raise StorageFull("x")

        options = {"limits": Limits(free_space=90), "check_room": check_room}
        client = Server(options).logged_in()
        client.send(b"a APPEND INBOX {11}\r\n")
        status = b"a NO [UNAVAILABLE] A fault of the server; try again later\r\n"
        self.assertEqual(client.received(), status)
        client.send(b"a APPEND INBOX {10}\r\n")
        self.assertEqual(client.received(), b"+ Ready for the literal\r\n")

    def test_a_bug_within_a_message_ends_the_connection(self):
        class BrokenSpool:
            def write(self, data):
                raise ZeroDivisionError

            def close(self):
                pass

        client = Server({"spool": BrokenSpool}).logged_in()
        client.send(b"a APPEND INBOX {8+}\r\nx LOGOUT\r\nb NOOP\r\n")
        self.assertEqual(client.received(), responses.INTERNAL_FAULT)
        self.assertTrue(client.closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ResourceTests(SynchronousTestCase):
    """What arrives is freed, whatever becomes of it."""

    def test_messages_are_closed_however_it_ends(self):
        for text in (
            b"INBOX {3+}\r\nabc {3+}\r\ndef\r\n",
            b"nowhere {3+}\r\nabc {3+}\r\ndef\r\n",
            b"INBOX {3+}\r\nabc {9999999}\r\n",
            b"INBOX {3+}\r\nabc {3+}\r\nd",
        ):
            spools = []
            server = Server({"limits": SMALL})
            make = server.factory.spool

            def counted(make=make, spools=spools):
                spool = make()
                spools.append(spool)
                finish, close = spool.finish, spool.close
                spool.open = True

                def closing(spool=spool, close=close):
                    spool.open = False
                    close()

                def finishing(spool=spool, finish=finish):
                    content = finish()
                    spool.content = Closing(content)
                    return spool.content

                spool.finish, spool.close = finishing, closing
                return spool

            server.factory.spool = counted
            client = server.logged_in()
            client.send(b"a APPEND " + text)
            client.close()
            for spool in spools:
                self.assertFalse(spool.open, text)
                content = getattr(spool, "content", None)
                self.assertTrue(content is None or content.closed, text)

    def test_the_answer_waits_for_the_store(self):
        server = Server()
        client = server.logged_in()
        account = client.protocol.session.account
        held, append = Deferred(), account.append

        async def slow(name, messages):
            await held
            return await append(name, messages)

        account.append = slow
        client.send(b"a APPEND INBOX {3+}\r\nabc\r\nb NOOP\r\n")
        self.assertEqual(client.received(), b"")
        held.callback(None)
        self.assertRegex(client.received(), rb"\Aa OK \[.*\r\nb OK NOOP completed\r\n")


class Closing:
    """A content that knows whether it was closed."""

    def __init__(self, content):
        self.content = content
        self.size = content.size
        self.digest = content.digest
        self.path = self.data = None
        self.closed = False

    def read(self, start, stop):
        return self.content.read(start, stop)

    def close(self):
        self.closed = True
