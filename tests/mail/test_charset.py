"""Tests of charsets: only safe ones are used, and any octets become text."""

from __future__ import annotations

import codecs

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail import charset as charset_module
from mailhub.mail.charset import MAX_NAME, UNDECLARED, codec_for, decode

KOREAN = "안녕하세요, 뷁 정성"


class NameTests(SynchronousTestCase):
    """Names of the IANA registry, of vendors and of mistakes."""

    def test_names_in_many_spellings(self) -> None:
        for name, codec in {
            "us-ascii": "ascii", "ANSI_X3.4-1968": "ascii", "UTF-8": "utf_8",
            "utf8": "utf_8", " utf_8 ": "utf_8", "unicode-1-1-utf-7": "utf_7",
            "gb2312": "gb18030", "GBK": "gb18030", "big5": "big5", "hz-gb-2312": "hz",
            "euc-kr": "cp949", "KS_C_5601-1987": "cp949", "ks_c_5601": "cp949",
            "windows-949": "cp949", "UHC": "cp949", "ISO-2022-KR": "iso2022_kr",
            "Shift_JIS": "cp932", "x-sjis": "cp932", "ISO-2022-JP": "iso2022_jp_ext",
            "iso-8859-1": "cp1252", "Latin1": "cp1252", "windows-1252": "cp1252",
            "iso-8859-8-i": "iso8859_8", "ISO_8859-15": "iso8859_15",
            "koi8-r": "koi8_r", "KOI8-U": "koi8_u", "windows-874": "cp874",
            "macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic",
        }.items():
            self.assertEqual(codec_for(name), codec, name)

    def test_what_is_no_charset_of_mail_is_unknown(self) -> None:
        for name in (
            "", "x-unknown", "unknown-8bit", "8bit", "idna", "IDNA", "punycode",
            "unicode_escape", "unicode-escape", "raw_unicode_escape", "rot13",
            "rot_13", "base64", "hex", "zlib", "bz2", "uu", "quopri", "mbcs", "oem",
            "undefined", "charmap", "utf_8.x", "\0", "한글",
        ):
            self.assertIsNone(codec_for(name), name)

    def test_a_long_name_is_unknown(self) -> None:
        self.assertEqual(codec_for("utf-8".ljust(MAX_NAME)), "utf_8")
        self.assertIsNone(codec_for("utf-8".ljust(MAX_NAME + 1)))
        self.assertIsNone(codec_for("x" * 100_000))

    def test_every_name_of_the_tables_is_a_charset_of_python(self) -> None:
        names = {
            *charset_module._CODECS, *charset_module._ALIASES.values(),
            *charset_module._SUPERSETS, *charset_module._SUPERSETS.values(),
        }
        self.assertEqual(names, set(charset_module._CODECS))
        for name in names:
            self.assertIsInstance(codecs.lookup(name).decode(b"")[0], str)


class DecodeTests(SynchronousTestCase):
    """Any octets become text that can be encoded again."""

    def test_korean(self) -> None:
        for name, codec in [
            ("utf-8", "utf-8"), ("euc-kr", "cp949"), ("ks_c_5601-1987", "cp949"),
            ("cp949", "cp949"), ("johab", "johab"), ("utf-16", "utf-16"),
        ]:
            self.assertEqual(decode(KOREAN.encode(codec), name), KOREAN)
        text = "안녕하세요"
        self.assertEqual(decode(text.encode("iso2022_kr"), "ISO-2022-KR"), text)

    def test_what_is_mislabelled_is_utf_8_if_it_can_be(self) -> None:
        for name in "us-ascii", "euc-kr", "x-unknown", UNDECLARED, "idna":
            self.assertEqual(decode(KOREAN.encode(), name), KOREAN)

    def test_undeclared_octets_are_latin_1(self) -> None:
        for name in "us-ascii", "x-unknown", UNDECLARED:
            self.assertEqual(decode(b"caf\xe9", name), "café")

    def test_bad_octets_do_not_spoil_the_rest(self) -> None:
        text = decode("가".encode("cp949") + b"\xff" + "나".encode("cp949"), "euc-kr")
        self.assertTrue(text.startswith("가") and text.endswith("나"))
        self.assertIn("\ufffd", decode(b"a\xff", "utf-8"))

    def test_quotes_of_windows_in_latin_1(self) -> None:
        self.assertEqual(decode(b"\x93a\x94", "iso-8859-1"), "“a”")

    def test_surrogates_never_come_out(self) -> None:
        for data in b"+2AA-", b"+3AA-", b"+2AD-x+3AA-", b"+2D3eAA-":
            decode(data, "utf-7").encode()
        self.assertEqual(decode(b"+2D3eAA-", "utf-7"), "\U0001f600")

    @given(
        st.binary(max_size=60),
        st.sampled_from(sorted(charset_module._CODECS)) | st.text(max_size=10),
    )
    @settings(max_examples=1000, deadline=None)
    def test_any_octets_in_any_charset(self, data: bytes, charset: str) -> None:
        decode(data, charset).encode()

    def test_much_of_anything_in_any_charset(self) -> None:
        for charset in charset_module._CODECS:
            for piece in b"\xff", b"\x1b$)C", b"+2AA-", b"~{", b"\x0e!", b"\x81":
                decode(piece * 20_000, charset).encode()
