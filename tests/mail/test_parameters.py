"""Tests of Content-Type and Content-Disposition and their parameters."""

from __future__ import annotations

import email
from email.policy import default as modern

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.mime import parse
from mailhub.mail.parameters import (
    MAX_PARAMETERS,
    decode_parameters,
    parse_media_type,
    parse_parameters,
    raw_parameter,
)

from .samples import MISSING, sample_messages

#: (value, first word, parameters as they stand)
VALUES: list[tuple[bytes, bytes, list[tuple[bytes, bytes]]]] = [
    (b"", b"", []),
    (b"text/plain", b"text/plain", []),
    (b"Text/PLAIN;Charset=UTF-8", b"text/plain", [(b"charset", b"UTF-8")]),
    (b' inline ; a = "b;c" ; d=e ', b"inline", [(b"a", b"b;c"), (b"d", b"e")]),
    (b'x/y; a="b\\"c\\\\d"; e=""', b"x/y", [(b"a", b'b"c\\d'), (b"e", b"")]),
    (b"text/plain (a comment); charset=us-ascii (Plain text)", b"text/plain",
     [(b"charset", b"us-ascii")]),
    (b"x/y;; a=b;;c=d;", b"x/y", [(b"a", b"b"), (b"c", b"d")]),
    (b"x/y; a=b; a=c", b"x/y", [(b"a", b"b"), (b"a", b"c")]),
    (b"x/y; a*0*=b; a*1=c", b"x/y", [(b"a*0*", b"b"), (b"a*1", b"c")]),
    # Broken ones.
    (b"attachment; filename=my file (1).pdf; x=y", b"attachment",
     [(b"filename", b"my file (1).pdf"), (b"x", b"y")]),
    (b'x/y; a="unfinished; b=c', b"x/y", [(b"a", b"unfinished; b=c")]),
    (b'x/y; a="unfinished\\', b"x/y", [(b"a", b"unfinished")]),
    (b'x/y; a="b" junk; c=d', b"x/y", [(b"a", b"b"), (b"c", b"d")]),
    (b"x/y; =b; c; d=", b"x/y", [(b"d", b"")]),
    (b'attachment; filename="\xff"', b"attachment", [(b"filename", b"\xff")]),
]

#: (parameters, as text)
DECODED: list[tuple[bytes, dict[str, str]]] = [
    (b"; a=b; C=d", {"a": "b", "c": "d"}),
    (b"; a=1; a=2", {"a": "1"}),
    (b"; a*=utf-8''%EA%B0%80", {"a": "가"}),
    (b"; a*=euc-kr'ko'%B0%A1", {"a": "가"}),
    (b"; a*=''%41", {"a": "A"}),
    (b"; a*=plain%41", {"a": "plainA"}),
    (b"; a*=idna''xn--x", {"a": "xn--x"}),
    (b"; a=x; a*=utf-8''%EA%B0%80", {"a": "가"}),
    (b"; a*0=x; a*1=y; a*2=z", {"a": "xyz"}),
    (b"; a*1=y; a*0=x", {"a": "xy"}),
    (b"; a*0*=utf-8''%EA; a*1*=%B0; a*2=%80", {"a": "\ufffd%80"}),
    (b"; a*0*=utf-8''%EA; a*1*=%B0%80; a*2=!", {"a": "가!"}),
    (b"; a*0=x; a*2=z", {"a": "x"}),
    (b"; a*1=y", {}),
    (b"; a*00=x; a*0x=y; a**=z", {}),
    (b"; a*0=1; a*0=2", {"a": "1"}),
    (b"; p*99999999*=x; p*0=y", {"p": "y"}),
    (b'; a="=?utf-8?B?6rCA?="', {"a": "가"}),
    (b'; a*0="=?utf-8?B?6rCA?="', {"a": "가"}),
    ('; a="가"'.encode(), {"a": "가"}),
    (b"; a*=utf-8''%E", {"a": "%E"}),
]


class ReadTests(SynchronousTestCase):
    """RFC 2045, section 5.1; RFC 2183, section 2."""

    def test_values(self) -> None:
        for value, word, parameters in VALUES:
            self.assertEqual(parse_parameters(value), (word, tuple(parameters)), value)
            long = b" " * 500 + value
            self.assertEqual(parse_parameters(long), (word, tuple(parameters)), value)

    def test_media_types(self) -> None:
        for value, kind, subtype, count in [
            (b"text/html; a=b", b"text", b"html", 1),
            (b"APPLICATION/vnd.ms-excel", b"application", b"vnd.ms-excel", 0),
            (b"multipart / mixed; boundary=x", b"text", b"plain", 0),
            (b"", b"text", b"plain", 0),
            (b"text; a=b", b"text", b"plain", 0),
            (b"text/plain/x; a=b", b"text", b"plain", 0),
            (b"\xff/\xff", b"text", b"plain", 0),
            (b"binary; name=x.gz", b"application", b"octet-stream", 1),
            (b"a/" + b"b" * 127, b"a", b"b" * 127, 0),
            (b"a/" + b"b" * 128, b"text", b"plain", 0),
        ]:
            *names, parameters = parse_media_type(value)
            self.assertEqual((names, len(parameters)), ([kind, subtype], count), value)

    def test_one_parameter(self) -> None:
        for value, raw in [
            (b"; boundary=x; boundary=y", b"x"), (b"; a=b", b""),
            (b"; boundary*=us-ascii''x%20y", b"x y"), (b"; boundaryx=1", b""),
            (b"; boundary*0=x; boundary*1=y", b"xy"),
        ]:
            _, parameters = parse_parameters(value)
            self.assertEqual(raw_parameter(parameters, b"boundary"), raw, value)


class DecodeTests(SynchronousTestCase):
    """RFC 2231, sections 3 and 4."""

    def test_parameters_as_text(self) -> None:
        for value, expected in DECODED:
            _, parameters = parse_parameters(value)
            self.assertEqual(decode_parameters(parameters), expected, value)


class LimitTests(SynchronousTestCase):
    """Bombs as for Dovecot CVE-2026-27859."""

    def test_number_of_parameters(self) -> None:
        for count in MAX_PARAMETERS, MAX_PARAMETERS + 1:
            value = b"x/y" + b"".join(b"; a%d=b" % number for number in range(count))
            self.assertEqual(len(parse_parameters(value)[1]), MAX_PARAMETERS)

    def test_a_hundred_thousand_pieces_of_one_parameter(self) -> None:
        value = b"".join(b"; p*%d*=a" % number for number in range(100_000))
        text = decode_parameters(parse_parameters(value)[1])
        self.assertEqual(text, {"p": "a" * MAX_PARAMETERS})

    def test_much_of_anything(self) -> None:
        size = 512 * 1024
        for piece in (
            b";", b"; ", b"=", b";a", b";a=", b';a="', b'"', b"\\", b"(", b"()", b" (",
            b";a=(", b";a*0*=x", b"'", b";a*=%", b"/", b" ", b"a/", b";=", b"x",
        ):
            for start in b"", b"x/y; a=", b'x/y; a="', b"x/y (", b"x/y; a*=''":
                _, parameters = parse_parameters(start + piece * (size // len(piece)))
                decode_parameters(parameters)

    @given(st.lists(st.sampled_from(
        [b";", b"a", b"=", b'"', b"\\", b"*", b"0", b"1", b"'", b"%", b" ", b"(", b")",
         b"utf-8''", b"%EA", b"\xff", b"/"]
    )).map(b"".join))
    @settings(max_examples=500, deadline=None)
    def test_any_octets(self, value: bytes) -> None:
        word, parameters = parse_parameters(value)
        parse_media_type(value)
        for name, text in decode_parameters(parameters).items():
            (name + text).encode()


class SampleTests(SynchronousTestCase):
    """File names in real messages, against the standard library."""

    skip = MISSING

    #: Not well-formed: a name without quotes, and an encoded name in base64.
    DISPUTED = ("unquoted_name", "base64_encoded_name", "missing-subtype")

    def test_file_names_are_what_the_standard_library_reads(self) -> None:
        compared = 0
        for name, octets in sample_messages().items():
            theirs = list(email.message_from_bytes(octets, policy=modern).walk())
            ours = list(parse(octets).walk())[1:]
            well_formed = not any(part.defects for part in theirs)
            if len(ours) != len(theirs) or not well_formed:
                continue
            if any(word in name for word in self.DISPUTED):
                continue
            for part, other in zip(ours, theirs, strict=True):
                assert part.fields is not None
                value = part.fields.first(b"content-disposition") or b""
                _, parameters = parse_parameters(value)
                found = decode_parameters(parameters).get("filename")
                if found is None:
                    found = decode_parameters(part.parameters).get("name")
                self.assertEqual(found, other.get_filename(), name)
                compared += found is not None
        self.assertGreater(compared, 50)
