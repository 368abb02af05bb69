"""FETCH items, and the answers made of rows."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LimitReached, SyntaxFault
from mailhub.imap.fetch import (
    MAX_HEADER_ITEMS,
    MAX_ITEMS,
    Attribute,
    FetchPlan,
    parse_fetch,
)
from mailhub.imap.internaldate import format_dates
from mailhub.imap.sections import MAX_FIELDS, Section, SectionText
from mailhub.imap.syntax import Scanner
from mailhub.mail.flags import NO_FLAGS, SEEN
from mailhub.mail.mailbox import Column

A = Attribute
HEADER = b"From: a@b\r\nTo: c@d,\r\n e@f\r\nSubject: hi\r\n\r\n"
WORDS = [
    "BODY",
    "BODY.PEEK",
    "HEADER.FIELDS",
    "TEXT",
    "MIME",
    "UID",
    "FLAGS",
    "ALL",
    "RFC822",
]
SEEN_ONLY = frozenset({SEEN})


@dataclass
class Content:
    """What stands in a CONTENT column, as far as plans look at it."""

    size: int


def plan(text: bytes, *, by_uid: bool = False) -> FetchPlan:
    scanner = Scanner(text)
    result = parse_fetch(scanner, by_uid=by_uid)
    scanner.end()
    return result


class ParseTests(SynchronousTestCase):
    """RFC 3501, section 9: fetch-att."""

    def test_attributes_and_macros(self) -> None:
        for text, items in [
            (b"FLAGS", (A.FLAGS,)),
            (b"(uid Flags)", (A.UID, A.FLAGS)),
            (b"RFC822.SIZE", (A.SIZE,)),
            (b"(BODY BODYSTRUCTURE)", (A.BODY, A.BODYSTRUCTURE)),
            (b"fast", (A.FLAGS, A.INTERNALDATE, A.SIZE)),
            (b"ALL", (A.FLAGS, A.INTERNALDATE, A.SIZE, A.ENVELOPE)),
            (b"FULL", (A.FLAGS, A.INTERNALDATE, A.SIZE, A.ENVELOPE, A.BODY)),
        ]:
            self.assertEqual(plan(text).items, items, text)
            self.assertFalse(plan(text).sets_seen)
            self.assertFalse(plan(text).reads_content)

    def test_uid_fetch_tells_the_uid_once(self) -> None:
        self.assertEqual(plan(b"FLAGS", by_uid=True).items, (A.UID, A.FLAGS))
        self.assertEqual(plan(b"(FLAGS UID)", by_uid=True).items, (A.UID, A.FLAGS))

    def test_sections(self) -> None:
        text = SectionText
        for spelled, section in [
            (b"BODY[]", Section(b"BODY[]")),
            (b"body.peek[]", Section(b"BODY[]")),
            (b"BODY[header]", Section(b"BODY[HEADER]", text.HEADER)),
            (b"BODY[TEXT]", Section(b"BODY[TEXT]", text.TEXT)),
            (b"BODY[1.2]", Section(b"BODY[1.2]", text.WHOLE, (1, 2))),
            (b"BODY[3.MIME]", Section(b"BODY[3.MIME]", text.MIME, (3,))),
            (b"BODY[3.1.text]", Section(b"BODY[3.1.TEXT]", text.TEXT, (3, 1))),
            (
                b"BODY[]<10.20>",
                Section(b"BODY[]<10>", text.WHOLE, partial=(10, 20)),
            ),
            (
                b"BODY[2.HEADER]<0.4294967295>",
                Section(
                    b"BODY[2.HEADER]<0>", text.HEADER, (2,), partial=(0, 2**32 - 1)
                ),
            ),
            (
                b'BODY[HEADER.FIELDS (Subject "To" {4}\r\nFrom)]',
                Section(
                    b"BODY[HEADER.FIELDS (Subject To From)]", text.FIELDS,
                    fields=frozenset({b"subject", b"to", b"from"}),
                ),
            ),
            (
                b'BODY[1.HEADER.FIELDS.NOT ("a b" "%s")]',
                Section(
                    b'BODY[1.HEADER.FIELDS.NOT ("a b" "%s")]', text.FIELDS_NOT, (1,),
                    frozenset({b"a b", b"%s"}),
                ),
            ),
        ]:  # fmt: skip
            self.assertEqual(plan(spelled).items, (section,), spelled)

    def test_only_reading_without_peek_sets_seen(self) -> None:
        for text, seen in [
            (b"BODY[]", True),
            (b"BODY[HEADER]", True),
            (b"BODY.PEEK[]", False),
            (b"(BODY.PEEK[] BODY[1])", True),
            (b"RFC822", True),
            (b"RFC822.TEXT", True),
            (b"RFC822.HEADER", False),
            (b"BODY", False),
        ]:
            self.assertEqual(plan(text).sets_seen, seen, text)

    def test_columns_are_what_the_items_need(self) -> None:
        c = Column
        for text, columns in [
            (b"(FLAGS UID)", ()),
            (b"ALL", (c.INTERNAL_DATE, c.SIZE, c.ENVELOPE)),
            (b"(BODY[HEADER] RFC822.HEADER)", (c.HEADER,)),
            (b"BODY[HEADER.FIELDS (TO)]", (c.HEADER,)),
            (b"BODY[]", (c.CONTENT,)),
            (b"RFC822.TEXT", (c.HEADER, c.CONTENT)),
            (b"(BODY[1] BODY[2.MIME])", (c.PARTS, c.CONTENT)),
        ]:
            self.assertEqual(plan(text).columns, columns, text)

    def test_what_is_no_item_is_refused(self) -> None:
        for text in [
            b"", b"()", b"(", b"FLAGS)", b"(FLAGS", b"( FLAGS)", b"(FLAGS )", b"FOO",
            b"(ALL)", b"(FAST FLAGS)", b"FLAGS UID", b"(FLAGS  UID)", b"BODY.PEEK",
            b"(BODY.PEEK)", b"BODY[", b"BODY[1", b"BODY[1.]", b"BODY[.1]", b"BODY[0]",
            b"BODY[1.0]", b"BODY[01]", b"BODY[1..2]", b"BODY[MIME]", b"BODY[FOO]",
            b"BODY[TEXT.1]", b"BODY[TEXTS]", b"BODY[1TEXT]", b"BODY[HEADER.FIELDS]",
            b"BODY[HEADER.FIELDS ()]", b"BODY[HEADER.FIELDS (TO]",
            b"BODY[HEADER.FIELDS(TO)]", b"BODY[HEADER.FIELDS (TO )]",
            b"BODY[HEADER.FIELDS.NO (TO)]", b"BODY[HEADER (TO)]", b"BODY[]<>",
            b"BODY[]<0>", b"BODY[]<0.0>", b"BODY[]<-1.5>", b"BODY[]<0.5",
            b"BODY[]<0.4294967296>", b"BODY[]<1_0.5>", b"BODY[99999999999]",
            b"RFC822.PEEK", b"FLAGS[]", b"RFC822[]", b"BODYSTRUCTURE[1]", b"BODY []",
        ]:  # fmt: skip
            with self.assertRaises(SyntaxFault, msg=repr(text)):
                plan(text)

    def test_every_prefix_is_refused(self) -> None:
        whole = b'(UID BODY.PEEK[1.2.HEADER.FIELDS (To "a b")]<3.14> RFC822.SIZE)'
        plan(whole)
        for stop in range(len(whole)):
            with self.assertRaises(SyntaxFault, msg=repr(whole[:stop])):
                plan(whole[:stop])

    def test_the_same_item_a_hundred_times_is_answered_once(self) -> None:
        text = b"(" + b" ".join([b"BODY[] body.peek[] FLAGS"] * 100) + b")"
        self.assertEqual(plan(text).items, (Section(b"BODY[]"), A.FLAGS))

    def test_the_limit_of_different_items(self) -> None:
        def of(count: int) -> bytes:
            return b"(" + b" ".join(b"BODY[%d]" % n for n in range(1, count + 1)) + b")"

        self.assertEqual(len(plan(of(MAX_ITEMS)).items), MAX_ITEMS)
        self.assertRaises(LimitReached, plan, of(MAX_ITEMS + 1))

    def test_items_that_are_asked_for_again_are_read_the_same(self) -> None:
        for text in [b"(UID BODY.PEEK[TEXT]) more", b"FLAGS)", b"BODY[1"]:
            results = []
            for _ in range(2):
                scanner = Scanner(b"a FETCH 1 " + text)
                scanner.position = 10
                try:
                    results.append((parse_fetch(scanner), scanner.rest))
                except SyntaxFault:
                    results.append(None)
            self.assertEqual(results[0], results[1])
        self.assertEqual(plan(b"UID", by_uid=False).items, (A.UID,))
        self.assertEqual(plan(b"FLAGS", by_uid=True).items, (A.UID, A.FLAGS))

    def test_long_lists_of_items_are_read_too(self) -> None:
        text = b"(FLAGS " + b" ".join(b"BODY[%d.MIME]" % n for n in range(1, 80)) + b")"
        self.assertEqual(len(plan(text).items), 80)

    def test_the_limit_of_header_sections(self) -> None:
        def of(count: int, text: bytes) -> bytes:
            items = [b"BODY[" + text + b"]<%d.1>" % n for n in range(count)]
            return b"(BODY[] " + b" ".join(items) + b")"

        for text in [b"HEADER", b"HEADER.FIELDS.NOT (X)", b"1.HEADER.FIELDS (X)"]:
            self.assertEqual(len(plan(of(MAX_HEADER_ITEMS, text)).items), 11)
            self.assertRaises(LimitReached, plan, of(MAX_HEADER_ITEMS + 1, text))

    def test_the_limit_of_header_fields(self) -> None:
        def of(count: int) -> bytes:
            names = b" ".join(b"X-%d" % n for n in range(count))
            return b"BODY[HEADER.FIELDS (" + names + b")]"

        [section] = plan(of(MAX_FIELDS)).items
        assert isinstance(section, Section)
        self.assertEqual(len(section.fields), MAX_FIELDS)
        self.assertRaises(LimitReached, plan, of(MAX_FIELDS + 1))

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.sampled_from([*"()[]<>.017 \x80", *WORDS])
        ).map("".join)
    )  # fmt: skip
    def test_anything_else_is_a_syntax_fault(self, text: str) -> None:
        with contextlib.suppress(SyntaxFault):
            plan(text.encode("latin-1"))


class RenderTests(SynchronousTestCase):
    """RFC 3501, section 7.4.2: answers without the octets of messages."""

    def test_flags_and_uids_need_no_rows(self) -> None:
        self.assertEqual(
            plan(b"(FLAGS UID)").render([1, 3], [7, 9], [SEEN_ONLY, NO_FLAGS], ()),
            b"* 1 FETCH (FLAGS (\\Seen) UID 7)\r\n* 3 FETCH (FLAGS () UID 9)\r\n",
        )

    def test_prepared_columns_stand_in_the_order_of_the_items(self) -> None:
        rows = [
            (7, b"(env %d 7)", 837596665, 120, b"(body)", b"(structure)"),
            (9, b"(env 9)", 0, 0, b"(b)", b"(s)"),
        ]
        self.assertEqual(
            plan(
                b"(ENVELOPE INTERNALDATE RFC822.SIZE BODY BODYSTRUCTURE)", by_uid=True
            ).render([1, 2], [7, 9], [], rows),
            b"* 1 FETCH (UID 7 ENVELOPE (env %d 7)"
            b' INTERNALDATE "17-Jul-1996 09:44:25 +0000" RFC822.SIZE 120'
            b" BODY (body) BODYSTRUCTURE (structure))\r\n"
            b"* 2 FETCH (UID 9 ENVELOPE (env 9)"
            b' INTERNALDATE "01-Jan-1970 00:00:00 +0000" RFC822.SIZE 0'
            b" BODY (b) BODYSTRUCTURE (s))\r\n",
        )

    def test_header_sections_are_literals(self) -> None:
        rows = [(7, HEADER)]
        for text, expected in [
            (b"BODY[HEADER]", b"BODY[HEADER] {%d}\r\n%b" % (len(HEADER), HEADER)),
            (b"RFC822.HEADER", b"RFC822.HEADER {%d}\r\n%b" % (len(HEADER), HEADER)),
            (
                b"BODY.PEEK[HEADER.FIELDS (to X)]",
                b"BODY[HEADER.FIELDS (to X)] {18}\r\nTo: c@d,\r\n e@f\r\n\r\n",
            ),
            (
                b'BODY[HEADER.FIELDS.NOT (FROM to "%d")]',
                b'BODY[HEADER.FIELDS.NOT (FROM to "%d")] {15}\r\nSubject: hi\r\n\r\n',
            ),
            (
                b"BODY[HEADER.FIELDS (SUBJECT)]<9.4>",
                b"BODY[HEADER.FIELDS (SUBJECT)]<9> {4}\r\nhi\r\n",
            ),
            (b"BODY[HEADER]<999.5>", b"BODY[HEADER]<999> {0}\r\n"),
            (b"BODY[HEADER.FIELDS (X)]", b"BODY[HEADER.FIELDS (X)] {2}\r\n\r\n"),
        ]:
            answer = b"* 4 FETCH (" + expected + b")\r\n"
            self.assertEqual(plan(text).render([4], [7], [], rows), answer)

    def test_no_messages_give_no_answer(self) -> None:
        for text in [b"FLAGS", b"ALL", b"BODY[HEADER]"]:
            self.assertEqual(plan(text).render([], [], [], []), b"")

    def test_rows_that_do_not_fit_are_an_error_not_a_wrong_answer(self) -> None:
        self.assertRaises(
            ValueError, plan(b"RFC822.SIZE").render, [1, 2], [7, 9], [], [(7, 1)]
        )

    def test_setting_seen_is_told_with_the_flags(self) -> None:
        with_flags = plan(b"BODY[]").with_flags()
        self.assertEqual(with_flags.items, (Section(b"BODY[]"), A.FLAGS))
        self.assertTrue(with_flags.sets_seen)
        self.assertTrue(with_flags.needs_flags)
        self.assertIs(with_flags.with_flags(), with_flags)

    def test_dates_of_all_years(self) -> None:
        for moment, text in [
            (-62135596800, b'"01-Jan-0001 00:00:00 +0000"'),
            (-1, b'"31-Dec-1969 23:59:59 +0000"'),
            (951782400, b'"29-Feb-2000 00:00:00 +0000"'),
            (253402300799, b'"31-Dec-9999 23:59:59 +0000"'),
        ]:
            self.assertEqual(format_dates([moment]), [text])
        self.assertRaises(ValueError, format_dates, [253402300800])

    @settings(deadline=None, max_examples=100)
    @given(st.integers(-62135596800, 253402300799))
    def test_dates_read_back(self, moment: int) -> None:
        [text] = format_dates([moment])
        self.assertEqual(Scanner(text).date_time(), moment)

    def test_more_days_than_are_kept(self) -> None:
        moments = [day * 86400 for day in range(5000)]
        texts = format_dates(moments)
        self.assertEqual([Scanner(text).date_time() for text in texts], moments)


class ContentTests(SynchronousTestCase):
    """RFC 3501, section 6.4.5: BODY[] and its like."""

    message = HEADER + b"Hello,\r\nworld.\r\n"

    def whole(self, text: bytes, row: tuple[object, ...]) -> bytes:
        return plan(text).whole(3, 7, SEEN_ONLY, row, self.message)

    def test_the_whole_message(self) -> None:
        size = len(self.message)
        row = (7, Content(size))
        self.assertEqual(
            plan(b"(UID BODY[] FLAGS)").pieces(3, 7, SEEN_ONLY, row),
            [
                b"* 3 FETCH (UID 7 BODY[] {%d}\r\n" % size,
                (0, size),
                b" FLAGS (\\Seen))\r\n",
            ],
        )
        self.assertEqual(
            self.whole(b"(UID BODY[] FLAGS)", row),
            b"* 3 FETCH (UID 7 BODY[] {%d}\r\n%b FLAGS (\\Seen))\r\n"
            % (size, self.message),
        )
        self.assertEqual(
            self.whole(b"RFC822", row),
            b"* 3 FETCH (RFC822 {%d}\r\n%b)\r\n" % (size, self.message),
        )

    def test_partial_fetches_are_cut_at_the_end(self) -> None:
        row = (7, Content(len(self.message)))
        for partial, label, text in [
            (b"<0.5>", b"<0>", b"From:"),
            (b"<6.3>", b"<6>", b"a@b"),
            (b"<50.4294967295>", b"<50>", self.message[50:]),
            (b"<9999.1>", b"<9999>", b""),
        ]:
            self.assertEqual(
                self.whole(b"BODY.PEEK[]" + partial, row),
                b"* 3 FETCH (BODY[]%b {%d}\r\n%b)\r\n" % (label, len(text), text),
            )

    def test_the_text_begins_after_the_header(self) -> None:
        row = (7, HEADER, Content(len(self.message)))
        text = self.message[len(HEADER) :]
        for spelled, label, expected in [
            (b"BODY[TEXT]", b"BODY[TEXT]", text),
            (b"RFC822.TEXT", b"RFC822.TEXT", text),
            (b"BODY[TEXT]<7.99>", b"BODY[TEXT]<7>", text[7:]),
        ]:
            self.assertEqual(
                self.whole(spelled, row),
                b"* 3 FETCH (%b {%d}\r\n%b)\r\n" % (label, len(expected), expected),
            )

    def test_a_message_that_is_all_header_has_an_empty_text(self) -> None:
        row = (7, HEADER, Content(len(HEADER)))
        self.assertEqual(
            plan(b"BODY[TEXT]").whole(3, 7, NO_FLAGS, row, HEADER),
            b"* 3 FETCH (BODY[TEXT] {0}\r\n)\r\n",
        )

    def test_metadata_and_header_stand_between_the_octets(self) -> None:
        wanted = plan(b"(BODY[TEXT] INTERNALDATE RFC822.HEADER BODY[])")
        values = {
            Column.HEADER: HEADER,
            Column.CONTENT: Content(len(self.message)),
            Column.INTERNAL_DATE: 0,
        }
        row = (7, *[values[column] for column in wanted.columns])
        size = len(self.message)
        self.assertEqual(
            wanted.pieces(3, 7, NO_FLAGS, row),
            [
                b"* 3 FETCH (BODY[TEXT] {16}\r\n",
                (len(HEADER), size),
                b' INTERNALDATE "01-Jan-1970 00:00:00 +0000"'
                b" RFC822.HEADER {%d}\r\n%b BODY[] {%d}\r\n"
                % (len(HEADER), HEADER, size),
                (0, size),
                b")\r\n",
            ],
        )
