"""How many messages a FETCH holds at once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap.commands import fetching
from mailhub.mail.mailbox import Column

from .fixture import MESSAGE, Server, run

SIZE = len(MESSAGE)


class SliceTestCase(SynchronousTestCase):
    """Watches what is asked of the store."""

    def asked(self, items, messages, **limits):
        """The UIDs of each question that was more than one for sizes."""
        for name, value in limits.items():
            self.patch(fetching, name, value)
        client = Server().selected()
        self.check(client, items, messages)
        return [uids for uids, columns in self.questions if columns != (Column.SIZE,)]

    def check(self, client, items, messages):
        self.questions = []
        store = client.protocol.session.mailbox
        account = client.protocol.session.account
        run(account.append("INBOX", [(Octets(m), frozenset(), 0) for m in messages]))
        client.ok(b"NOOP")
        fetch = store.fetch

        def watched(uids, columns):
            self.questions.append((list(uids), columns))
            return fetch(uids, columns)

        store.fetch = watched
        lines = client.ok(b"FETCH 1:* " + items)
        for number in range(1, len(messages) + 1):
            self.assertIn(b"* %d FETCH (" % number, lines)
        self.assertEqual(lines.count(b" FETCH ("), len(messages))


class Octets:
    """The octets of a message to append."""

    path = data = None

    def __init__(self, octets):
        self.octets = octets
        self.size = len(octets)

    async def read(self, start, stop):
        return self.octets[start:stop]

    def close(self):
        """Nothing is held."""


class CountTests(SliceTestCase):
    """Few messages at a time, so that others get their turn."""

    def test_a_full_slice_of_columns_is_one_question_and_one_message_more_two(self):
        most = fetching.COLUMNS_SLICE
        for extra, expected in ((0, [most]), (1, [most, 1])):
            asked = self.asked(b"INTERNALDATE", [b"x"] * (most + extra))
            self.assertEqual([len(uids) for uids in asked], expected)

    def test_a_full_slice_of_contents_is_one_question_and_one_message_more_two(self):
        most = fetching.CONTENT_SLICE
        for extra, expected in ((0, [most]), (1, [most, 1])):
            asked = self.asked(b"BODY.PEEK[]", [b"x"] * (most + extra))
            self.assertEqual([len(uids) for uids in asked], expected)


class OctetTests(SliceTestCase):
    """Attack: a mailbox full of huge headers, all asked for at once.

    Whatever a message's header is, and what was prepared of it, it is not more than
    a few times the message: so the messages of one slice have so many octets at most.
    """

    HEAVY = (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"RFC822.HEADER", b"RFC822.TEXT")

    def test_messages_of_exactly_the_limit_are_one_slice_an_octet_more_two(self):
        for items in self.HEAVY:
            for limit, expected in ((3 * SIZE, 1), (3 * SIZE - 1, 2)):
                asked = self.asked(items, [MESSAGE] * 3, OCTETS_SLICE=limit)
                self.assertEqual(len(asked), expected, (items, limit))

    def test_a_message_over_the_limit_is_alone(self):
        large = MESSAGE + b"x" * SIZE
        asked = self.asked(
            b"ENVELOPE", [MESSAGE, large, MESSAGE, MESSAGE], OCTETS_SLICE=2 * SIZE
        )
        self.assertEqual(asked, [[1], [2], [3, 4]])

    def test_trees_of_parts_have_a_lower_limit(self):
        for limit, expected in ((3 * SIZE, 1), (3 * SIZE - 1, 2)):
            asked = self.asked(b"BODY.PEEK[1]", [MESSAGE] * 3, PARTS_SLICE=limit)
            self.assertEqual(len(asked), expected)

    def test_nobody_asks_for_sizes_where_all_is_small(self):
        for items, messages in (
            (b"ENVELOPE", [MESSAGE] * 3),
            (b"BODY.PEEK[]", [MESSAGE * 10] * 3),
            (b"ENVELOPE", [MESSAGE * 100]),
        ):
            self.asked(items, messages, OCTETS_SLICE=3 * SIZE)
            self.assertEqual(len(self.questions), 1, items)

    def test_messages_that_have_gone_weigh_nothing(self):
        self.patch(fetching, "OCTETS_SLICE", SIZE)
        server = Server()
        client = server.selected(messages=4)
        run(server.open().expunge([1, 3], deleted_only=False))
        lines = client.ok(b"FETCH 1:4 ENVELOPE")
        self.assertEqual(lines.count(b" FETCH ("), 2)
