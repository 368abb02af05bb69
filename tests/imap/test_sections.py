"""Sections of messages: of their parts, and of messages inside messages."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap.fetch import FetchPlan, Row
from mailhub.imap.syntax import Scanner
from mailhub.mail import mime
from mailhub.mail.flags import NO_FLAGS
from mailhub.mail.headers import header_end
from mailhub.mail.mailbox import Column

from .test_fetch import Content, plan


def multipart(boundary: bytes, *parts: bytes) -> bytes:
    """The body of a multipart."""
    lines = [b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts]
    return b"".join(lines) + b"--" + boundary + b"--\r\n"


def attached(message: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + message


class PartTests(SynchronousTestCase):
    """The example of section numbers in RFC 3501, section 6.4.5."""

    plain = b"one\r\nline"
    picture = b"Content-Type: image/gif\r\n\r\nR0lGODlh"
    inner_header = b"Subject: inner\r\nTo: a@b,\r\n c@d\r\n"
    inner_header += b'Content-Type: multipart/mixed; boundary="i"\r\n\r\n'
    inner_text = multipart(b"i", b"\r\n3.1", b"Content-Type: text/x\r\n\r\n3.2")
    digest_header = b"Subject: last\r\n"
    digest_header += b"Content-Type: multipart/alternative; boundary=a\r\n\r\n"
    digest_text = multipart(b"a", b"\r\n4.2.1", b"Content-Type: text/html\r\n\r\n4.2.2")
    mixed = multipart(b"m", picture, attached(digest_header + digest_text))
    header = b'From: x@y\r\nContent-Type: multipart/mixed; boundary="o"\r\n\r\n'
    body = multipart(
        b"o",
        b"\r\n" + plain,
        b"Content-Type: application/pdf\r\nX-A: b\r\n\r\nPDF",
        attached(inner_header + inner_text),
        b"Content-Type: multipart/mixed; boundary=m\r\n\r\n" + mixed,
    )
    message = header + body

    def row(self, wanted: FetchPlan, octets: bytes, prefix: bytes = b"") -> Row:
        whole = prefix + octets
        values = {
            Column.PARTS: mime.load(mime.dump(mime.parse(octets, prefix))),
            Column.CONTENT: Content(len(whole)),
            Column.HEADER: whole[: header_end(whole)],
        }
        return (7, *[values[column] for column in wanted.columns])

    def fetch(self, section: bytes, octets: bytes, prefix: bytes = b"") -> bytes | None:
        """The octets that are answered for BODY.PEEK[*section*]; None for NIL."""
        partial = section.endswith(b">")
        name = b"BODY[" + section if partial else b"BODY[" + section + b"]"
        wanted = plan(name.replace(b"BODY", b"BODY.PEEK"))
        row = self.row(wanted, octets, prefix)
        whole = prefix + octets
        answer = wanted.whole(3, 7, NO_FLAGS, row, whole)
        nested = [whole[start:stop] for start, stop in wanted.nested_headers(row)]
        pieces = wanted.pieces(3, 7, NO_FLAGS, row, nested)
        self.assertEqual(
            answer,
            b"".join(
                piece if isinstance(piece, bytes) else whole[piece[0] : piece[1]]
                for piece in pieces
            ),
        )
        label = name.rpartition(b".")[0] + b">" if partial else name
        scanner = Scanner(answer.removesuffix(b")\r\n"))
        prologue = b"* 3 FETCH (" + label + b" "
        self.assertTrue(answer.startswith(prologue), answer)
        scanner.position = len(prologue)
        value = scanner.nstring()
        scanner.end()
        return value

    def test_parts(self) -> None:
        for section, octets in [
            (b"", self.message),
            (b"HEADER", self.header),
            (b"TEXT", self.body),
            (b"1", self.plain),
            (b"1.MIME", b"\r\n"),
            (b"2", b"PDF"),
            (b"2.MIME", b"Content-Type: application/pdf\r\nX-A: b\r\n\r\n"),
            (b"3", self.inner_header + self.inner_text),
            (b"3.HEADER", self.inner_header),
            (b"3.TEXT", self.inner_text),
            (b"3.1", b"3.1"),
            (b"3.2", b"3.2"),
            (b"3.2.MIME", b"Content-Type: text/x\r\n\r\n"),
            (b"4", self.mixed),
            (b"4.1", b"R0lGODlh"),
            (b"4.1.MIME", b"Content-Type: image/gif\r\n\r\n"),
            (b"4.2", self.digest_header + self.digest_text),
            (b"4.2.HEADER", self.digest_header),
            (b"4.2.TEXT", self.digest_text),
            (b"4.2.1", b"4.2.1"),
            (b"4.2.2", b"4.2.2"),
            (b"4.2.2.MIME", b"Content-Type: text/html\r\n\r\n"),
            (b"3.HEADER.FIELDS (TO)", b"To: a@b,\r\n c@d\r\n\r\n"),
            (b"3.HEADER.FIELDS (X)", b"\r\n"),
            (b"4.2.HEADER.FIELDS.NOT (Content-Type)", b"Subject: last\r\n\r\n"),
        ]:
            self.assertEqual(self.fetch(section, self.message), octets, section)

    def test_parts_that_do_not_exist_are_nil(self) -> None:
        for section in [
            b"5", b"1.1", b"2.1", b"3.3", b"4294967295", b"4.2.3", b"5.MIME",
            b"1.HEADER", b"2.TEXT", b"4.HEADER", b"1.HEADER.FIELDS (TO)",
            b"5.HEADER.FIELDS.NOT (TO)", b"5]<0.10>", b"1.1.1.1.1.1.1.1",
        ]:  # fmt: skip
            self.assertIsNone(self.fetch(section, self.message), section)

    def test_parts_are_cut_like_any_text(self) -> None:
        for section, octets in [
            (b"1]<0.3>", b"one"),
            (b"1]<5.100>", b"line"),
            (b"1]<9.1>", b""),
            (b"1]<4294967295.4294967295>", b""),
            (b"3.HEADER.FIELDS (TO)]<4.3>", b"a@b"),
            (b"2.MIME]<33.4>", b"A: b"),
        ]:
            self.assertEqual(self.fetch(section, self.message), octets, section)

    def test_a_message_of_one_part_is_its_part_one(self) -> None:
        message = b"Subject: x\r\n\r\nhello"
        for section, octets in [
            (b"1", b"hello"),
            (b"TEXT", b"hello"),
            (b"2", None),
            (b"1.1", None),
            (b"1.TEXT", None),
        ]:
            self.assertEqual(self.fetch(section, message), octets, section)

    def test_offsets_count_from_what_was_put_on_top(self) -> None:
        prefix = b"Received: here\r\n"
        for section, octets in [
            (b"", prefix + self.message),
            (b"HEADER", prefix + self.header),
            (b"TEXT", self.body),
            (b"3.HEADER", self.inner_header),
            (b"3.HEADER.FIELDS (SUBJECT)", b"Subject: inner\r\n\r\n"),
            (b"4.2.2", b"4.2.2"),
        ]:
            self.assertEqual(self.fetch(section, self.message, prefix), octets, section)

    def test_many_sections_keep_their_order(self) -> None:
        wanted = plan(
            b"(BODY.PEEK[3.HEADER.FIELDS (TO)] UID BODY.PEEK[9] BODY.PEEK[2]"
            b" BODY.PEEK[4.2.HEADER.FIELDS (SUBJECT)])"
        )
        row = self.row(wanted, self.message)
        self.assertEqual(len(wanted.nested_headers(row)), 2)
        self.assertEqual(
            wanted.whole(3, 7, NO_FLAGS, row, self.message),
            b"* 3 FETCH (BODY[3.HEADER.FIELDS (TO)] {18}\r\nTo: a@b,\r\n c@d\r\n\r\n"
            b" UID 7 BODY[9] NIL BODY[2] {3}\r\nPDF"
            b" BODY[4.2.HEADER.FIELDS (SUBJECT)] {17}\r\nSubject: last\r\n\r\n)\r\n",
        )
