"""Texts found in bodies, whatever they are encoded in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhub.mail import mime
from mailhub.mail.needle import fold
from mailhub.mail.query import Body, Header, Text

from .candidates import PICTURE, MatchingCase, Message, encoded_word, text_message
from .samples import MISSING, sample_messages


class BodyTests(MatchingCase):
    """Bodies are searched as they are read: decoded, texts only."""

    texts = [
        ("안녕하세요, 한글 메일입니다.", "euc-kr", None),
        ("안녕하세요, 한글 메일입니다.", "ks_c_5601-1987", "cp949"),
        ("日本語のメール本文です。", "iso-2022-jp", None),
        ("日本語のメール本文です。", "shift_jis", None),
        ("日本語のメール本文です。", "euc-jp", None),
        ("Привет, это письмо", "koi8-r", None),
        ("Привет, это письмо", "windows-1251", None),
        ("中文邮件的内容", "gb18030", None),
        ("中文郵件的內容", "big5", None),
        ("Ein größeres Übel", "iso-8859-1", None),
        ("한글 and 日本語 and Привет", "utf-8", None),
        ("한글과 utf-16 한글", "utf-16", None),
        ("한글 and utf-7", "utf-7", None),
        ("nothing but ASCII, all of it", "us-ascii", None),
    ]

    def test_texts_in_every_charset_and_encoding(self) -> None:
        for text, charset, codec in self.texts:
            for encoding in ["8bit", "base64", "quoted-printable", "BASE64"]:
                if encoding == "8bit" and charset == "utf-16":
                    continue
                message = text_message(text, charset, codec, encoding.lower())
                part = text[3:7]
                self.check(
                    message,
                    [Body(text), Body(part), Text(part), Body(text.upper()), Body("")],
                    [Body("나비"), Body("zebra"), Header("subject", part)],
                )

    def test_base64_is_never_what_is_searched(self) -> None:
        raw = PICTURE[100:120].decode()
        message = (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n"
            b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            b"aGVsbG8gd29ybGQ=\r\n--b\r\n"
            b"Content-Type: image/png; name*=utf-8''%EC%82%AC%EC%A7%84.png\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" + PICTURE + b"--b--\r\n"
        )
        self.check(
            message,
            [Body("hello world"), Text("HELLO"), Body("사진.png"), Text("image/png")],
            [Body(raw), Body("aGVsbG8"), Text(raw), Body("image/"), Body("preamble")],
        )

    def test_files_are_found_by_their_names_wherever_they_are_told(self) -> None:
        for field in [
            "Content-Type: application/pdf; name=Report.pdf",
            'Content-Disposition: attachment; FILENAME="the report.pdf"',
            "Content-Disposition: attachment; filename*0=rep; filename*1=ort.pdf",
            "Content-Type: application/pdf; name*=us-ascii''re%70ort.pdf",
            "Content-Type: a/b;\r\n name==?utf-8?q?=72eport.pdf?=",
        ]:
            message = (
                b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                + field.encode() + b"\r\n\r\n\r\n--b--\r\n"
            )  # fmt: skip
            self.check(message, [Body("REPORT.pdf")], [Body("content"), Body("name")])

    def test_soft_line_breaks_are_none(self) -> None:
        message = (
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            b"xylo=\r\nphone =ED=95=\r\n=9C=EA=B8=80 1+1=3D2 caf=E9\r\n"
        )
        self.check(
            message, [Body("xylophone"), Body("한글 1+1=2")], [Body("=3D"), Body("=ED")]
        )

    def test_an_attached_message_is_searched_with_its_header(self) -> None:
        inner = (
            b"Subject: " + encoded_word("내부 제목".encode("euc-kr"), "euc-kr")
            + b"\r\nContent-Type: text/plain; charset=euc-kr\r\n\r\n"
            + "내부 본문".encode("euc-kr")
        )  # fmt: skip
        message = (
            b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--b--\r\n"
        )
        self.check(
            message,
            [Body("내부 제목"), Body("내부 본문"), Text("OUTER"), Text("내부 본문")],
            [Body("outer"), Header("subject", "내부 제목")],
        )

    def test_reports_are_texts(self) -> None:
        message = (
            b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
            b"Content-Type: message/delivery-status\r\n\r\n"
            b"Action: failed\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
            b"Subject: lost\r\n--b--\r\n"
        )
        self.check(message, [Body("action: failed"), Body("lost")], [Body("b--")])

    def test_prefixes_count_for_the_offsets(self) -> None:
        prefix, content = b"Received: here\r\n", b"Subject: x\r\n\r\nhello"
        message = Message(prefix + content, tree=mime.parse(content, prefix))
        self.check(message, [Body("hello")], [Body("x\r\n")])

    def test_declared_lies_do_not_hide_text(self) -> None:
        for header, body, text in [
            ("text/plain; charset=x-unknown", "한글".encode(), "한글"),
            ("text/plain; charset=us-ascii", "한글".encode(), "한글"),
            ("text/plain", "한글".encode(), "한글"),
            ("text/plain; charset=utf-8", "é".encode("latin-1") + b" plain", "plain"),
            ("text/plain; charset=idna", b"plain", "PLAIN"),
            ('text/plain; charset=""', b"plain", "PLAIN"),
            ("nonsense", b"plain", "PLAIN"),
            ("multipart/mixed", b"plain", "PLAIN"),
        ]:
            octets = f"Content-Type: {header}\r\n\r\n".encode() + body
            self.check(octets, [Body(text)], [Body("absent")])

    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(
            st.sampled_from(
                [b"Content-Type: ", b"multipart/mixed; boundary=b", b"text/plain",
                 b"; charset=", b"iso-2022-jp", b"utf-7", b"x", b"\r\n", b"\r\n\r\n",
                 b"--b", b"--", b"Content-Transfer-Encoding: base64", b"=?utf-8?B?",
                 b"?=", b"\x1b$B", b"\xff\xfe", b"=E", b"+2A", b"\0", b"*0*=%", b" "]
            )
        ).map(b"".join),
        st.text(max_size=3),
    )  # fmt: skip
    def test_whatever_stands_in_a_message_nothing_raises(
        self, octets: bytes, text: str
    ) -> None:
        message = Message(octets)
        for query in [Body(text), Text(text), Header("content-type", text)]:
            self.found(query, message)

    @settings(deadline=None, max_examples=100)
    @given(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1),
        st.sampled_from(["base64", "quoted-printable"]),
        st.data(),
    )
    def test_any_piece_of_a_text_is_found(
        self, text: str, encoding: str, data: st.DataObject
    ) -> None:
        at = data.draw(st.integers(0, len(text) - 1))
        if not fold(text).find(fold(text[at:])) >= 0:
            return  # normalisation reaches across the cut
        message = text_message(text.rstrip(" \t"), "utf-8", None, encoding)
        self.assertTrue(self.found(Body(text[at:].rstrip(" \t")), message))


class SampleTests(MatchingCase):
    """Messages that other projects collected."""

    skip = MISSING

    def test_every_line_that_a_reader_sees_is_found(self) -> None:
        lines = 0
        for name, octets in sample_messages().items():
            message = Message(octets)
            for line in self._lines(message):
                lines += 1
                self.assertTrue(self.found(Body(line), message), (name, line))
            for query in [Text("xyzzy나비xyzzy"), Header("subject", "xyzzy")]:
                self.assertFalse(self.found(query, message), name)
        self.assertGreater(lines, 200)

    def _lines(self, message: Message) -> list[str]:
        """The longest line of each text in plain ASCII."""
        lines = []
        for part in message.parts.walk():
            if part.type != b"text" or part.encoding not in (b"7bit", b"8bit"):
                continue
            octets = message.content[part.body_start : part.stop]
            if octets.strip() and octets.isascii() and b"\x1b" not in octets:
                longest = max(octets.split(b"\n"), key=len).strip()
                lines.append(longest.decode("ascii"))
        return lines
