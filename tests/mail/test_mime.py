"""Tests of the tree of parts: spans, sections, senseless structures."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail import mime
from mailhub.mail.mime import Part, dump, load, parse

from .messages import (
    PLAIN,
    RFC_EXAMPLE,
    bodies,
    crlf,
    multipart,
    pieces,
    types,
)
from .samples import MISSING, sample_messages


def check_soundness(
    test: SynchronousTestCase, octets: bytes, prefix: bytes = b""
) -> None:
    """Each part of the tree lies in its parent, and a dump keeps it all."""
    tree = parse(octets, prefix)
    test.assertEqual((tree.start, tree.stop), (0, len(prefix + octets)))
    test.assertEqual(load(dump(tree)), tree)
    for part in tree.walk():
        test.assertTrue(part.start <= part.body_start <= part.stop)
        last = part.body_start
        for inside in part.parts:
            test.assertTrue(last <= inside.start and inside.stop <= part.stop)
            last = inside.stop


@contextmanager
def mapped(octets: bytes) -> Iterator[mmap]:
    """*octets* in a mapped file."""
    with tempfile.TemporaryFile() as file:
        file.write(octets)
        file.flush()
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            yield content


class SectionTests(SynchronousTestCase):
    """RFC 3501, section 6.4.5: part numbers."""

    def text(self, octets: bytes, path: tuple[int, ...]) -> bytes | None:
        part = parse(octets).find(path)
        return None if part is None else octets[part.body_start : part.stop]

    def test_the_example_of_the_rfc(self) -> None:
        for octets in RFC_EXAMPLE, RFC_EXAMPLE.replace(b"\r\n", b"\n"):
            for path, text in {
                (1,): b"one",
                (2,): b"dHdv",
                (3, 1): b"three.one",
                (3, 2): b"three.two",
                (4, 1): b"four.one",
                (4, 2, 1): b"four.two.one",
                (4, 2, 2, 1): b"four.two.two.one",
                (4, 2, 2, 2): b"four.two.two.two",
            }.items():
                self.assertEqual(self.text(octets, path), text, path)
            self.assertEqual(self.text(octets, ()), octets)
            for path in (0,), (5,), (1, 1), (3, 3), (4, 1, 1), (4, 2, 3), (3, 1, 1):
                self.assertIsNone(self.text(octets, path), path)

    def test_header_and_text_of_messages_inside(self) -> None:
        tree = parse(RFC_EXAMPLE)
        for path, subject in ((), b"outer"), ((3,), b"three"), ((4, 2), b"four.two"):
            part = tree.find(path)
            assert part is not None and part.message is not None
            header = RFC_EXAMPLE[part.message.start : part.message.body_start]
            self.assertTrue(header.startswith(b"Subject: " + subject + b"\r\n"))
            self.assertTrue(header.endswith(b"\r\n\r\n"))
            self.assertEqual(
                (part.body_start, part.stop), (part.message.start, part.message.stop)
            )
        for path in (1,), (4,), (4, 2, 2):
            part = tree.find(path)
            assert part is not None
            self.assertIsNone(part.message)

    def test_mime_headers(self) -> None:
        tree = parse(RFC_EXAMPLE)
        for path, header in {
            (1,): b"Content-Type: text/plain; charset=utf-8\r\n\r\n",
            (3, 1): b"\r\n",
            (4, 1): b"Content-Type: image/gif\r\nContent-ID: <gif>\r\n\r\n",
            (4, 2): b"Content-Type: message/rfc822\r\n\r\n",
        }.items():
            part = tree.find(path)
            assert part is not None
            self.assertEqual(RFC_EXAMPLE[part.start : part.body_start], header)

    def test_a_message_that_is_no_multipart_is_its_own_part_1(self) -> None:
        tree = parse(PLAIN)
        part = tree.find((1,))
        assert part is not None
        self.assertIs(part, tree.message)
        self.assertEqual(PLAIN[part.body_start : part.stop], b"line 1\r\nline 2\r\n")
        for path in (2,), (0,), (1, 1), (1, 2):
            self.assertIsNone(tree.find(path))

    def test_a_message_that_is_a_message(self) -> None:
        octets = b"Content-Type: message/rfc822\r\n\r\n" + PLAIN
        tree = parse(octets)
        self.assertEqual(self.text(octets, (1,)), PLAIN)
        self.assertEqual(self.text(octets, (1, 1)), b"line 1\r\nline 2\r\n")
        self.assertIsNone(tree.find((1, 2)))
        self.assertIsNone(tree.find((1, 1, 1)))

    def test_details_of_parts(self) -> None:
        tree = parse(RFC_EXAMPLE)
        first, second = tree.find((1,)), tree.find((2,))
        assert first is not None and second is not None
        self.assertEqual(
            (first.type, first.subtype, first.charset, first.encoding, first.lines),
            (b"text", b"plain", "utf-8", b"7bit", 0),
        )
        self.assertEqual(
            (second.type, second.charset, second.encoding, second.lines),
            (b"application", "", b"base64", 0),
        )
        self.assertEqual(first.parameters, ((b"charset", b"utf-8"),))
        fourth = tree.find((4, 1))
        assert fourth is not None and fourth.fields is not None
        self.assertEqual(fourth.fields.first(b"content-id"), b"<gif>")

    def test_lines_are_counted_in_texts_and_messages(self) -> None:
        tree = parse(RFC_EXAMPLE)
        for path in (3,), (4, 2), (4, 2, 1), (4, 2, 2, 2), ():
            part = tree.find(path)
            assert part is not None
            expected = RFC_EXAMPLE.count(b"\n", part.body_start, part.stop)
            self.assertEqual(part.lines, expected if path else 0)


class PrefixTests(SynchronousTestCase):
    """Trace lines that the server puts on top count for the offsets."""

    def test_spans_are_those_of_the_whole_message(self) -> None:
        prefix = b"Return-Path: <>\r\nReceived: here;\r\n\tnow\r\n"
        for octets in RFC_EXAMPLE, PLAIN, b"\r\nbody", b"", b"no header", b"A: b":
            self.assertEqual(parse(octets, prefix), parse(prefix + octets))

    def test_its_fields_are_fields_of_the_message(self) -> None:
        message = parse(b"Subject: x\r\n\r\n", b"Date: y\r\n").message
        assert message is not None and message.fields is not None
        self.assertEqual(dict(message.fields), {b"date": b"y", b"subject": b"x"})


class DelimiterTests(SynchronousTestCase):
    """RFC 2046, section 5.1.1: where parts begin and end."""

    def parts(self, octets: bytes) -> list[bytes]:
        for content in octets, octets.replace(b"\r\n", b"\n"):
            message = parse(content).message
            assert message is not None
            self.assertEqual(message.type, b"multipart")
            found = bodies(content, message.parts)
        return found

    def test_the_line_end_before_a_delimiter_belongs_to_it(self) -> None:
        self.assertEqual(
            self.parts(multipart("--b\n\n1\n\n--b\n\n2\n--b--\n")), [b"1\n", b"2"]
        )

    def test_preamble_and_epilogue_are_no_parts(self) -> None:
        self.assertEqual(
            self.parts(multipart("pre\n--b\n\n1\n--b--\npost\n --b\n")), [b"1"]
        )

    def test_parts_behind_the_last_delimiter_do_not_vanish(self) -> None:
        """Some senders gave a multipart and the one around it one boundary."""
        inner = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b--\n"
        self.assertEqual(
            self.parts(multipart(f"--b\n{inner}\nbetween\n--b\n\n2\n--b--\n")),
            [b"", b"1", b"2"],
        )

    def test_an_unfinished_multipart_ends_with_the_message(self) -> None:
        self.assertEqual(self.parts(multipart("--b\n\n1\n--b\n\n2\n")), [b"1", b"2\n"])
        self.assertEqual(self.parts(multipart("--b\n\n1\n--b")), [b"1", b""])
        self.assertEqual(self.parts(multipart("--b\n")), [b""])

    def test_blanks_behind_a_delimiter_are_allowed(self) -> None:
        self.assertEqual(
            self.parts(multipart("--b \t\n\n1\n--b  \n\n2\n--b-- \n")), [b"1", b"2"]
        )

    def test_empty_parts(self) -> None:
        self.assertEqual(
            self.parts(multipart("--b\n--b\n\n--b\n\n\n--b--")), [b"", b"", b""]
        )

    def test_a_part_without_empty_line_has_only_a_header(self) -> None:
        octets = multipart("--b\nContent-Type: text/html\n--b--\n")
        message = parse(octets).message
        assert message is not None
        [part] = message.parts
        self.assertEqual(part.subtype, b"html")
        self.assertEqual(
            (part.body_start, octets[part.start : part.stop]),
            (part.stop, b"Content-Type: text/html"),
        )

    def test_a_part_that_begins_with_text_has_no_header(self) -> None:
        self.assertEqual(
            self.parts(multipart("--b\nHello there\n\nagain\n--b--\n")),
            [b"Hello there\n\nagain"],
        )

    def test_only_a_whole_line_is_a_delimiter(self) -> None:
        body = "--b\n\n1\n--bc\n --b\nx--b\n--b-\n--b x\n-- b\n--b--x\n--b--\n"
        self.assertEqual(
            self.parts(multipart(body)),
            [b"1\n--bc\n --b\nx--b\n--b-\n--b x\n-- b\n--b--x"],
        )

    def test_boundaries_may_have_any_characters(self) -> None:
        for boundary in "a b", "=_(.*+?)[x]", 'q"q', "--", "a" * 250, "한글":
            quoted = boundary.replace('"', '\\"')
            octets = multipart(
                f"--{boundary}\n\n1\n--{boundary}--\n", f'; boundary="{quoted}"'
            )
            self.assertEqual(self.parts(octets), [b"1"])

    def test_delimiters_are_found_wherever_steps_of_searching_end(self) -> None:
        for size in range(4060, 4110):
            octets = multipart("--b\n\n" + "-" * size + "\n--b\n\n2\n--b--\n")
            whole = parse(octets)
            self.assertEqual(len(whole.parts[0].parts), 2)
            self.assertEqual(parse(memoryview(octets)), whole)


class SenselessStructureTests(SynchronousTestCase):
    """Types that cannot be what they say are something simpler."""

    def test_a_multipart_without_parts_is_text(self) -> None:
        for octets in (
            multipart("text\n"), multipart("--b\n", ""), multipart("--b--\n"),
            multipart("text\n", '; boundary=""'), multipart(""),
        ):
            tree = parse(octets)
            self.assertEqual(types(tree), ["text/plain"])
            part = tree.find((1,))
            assert part is not None
            self.assertEqual(part.stop, len(octets))
            self.assertEqual(part.parameters, ())

    def test_a_boundary_that_is_too_long(self) -> None:
        boundary = "a" * (mime.MAX_BOUNDARY + 1)
        tree = parse(multipart(f"--{boundary}\n\n1\n", f"; boundary={boundary}"))
        self.assertEqual(types(tree), ["text/plain"])

    def test_an_invalid_type_is_text(self) -> None:
        for value in "", "text", "text/", "/plain", "a b/c", "text/plain/x", "x" * 200:
            tree = parse(crlf(f"Content-Type: {value}\n\nbody"))
            self.assertEqual(types(tree), ["text/plain"])

    def test_an_encoded_message_is_not_looked_into(self) -> None:
        for encoding in "base64", "quoted-printable", "x-own":
            tree = parse(crlf("Content-Type: message/rfc822\n"
                              f"Content-Transfer-Encoding: {encoding}\n\nA: b\n\nc"))
            self.assertEqual(types(tree), ["application/octet-stream"])

    def test_parts_of_a_digest_are_messages(self) -> None:
        """RFC 2046, section 5.1.5."""
        tree = parse(crlf(
            "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: 1\n\none\n"
            "--b\nContent-Type: text/plain\n\ntwo\n--b--\n"
        ))
        self.assertEqual(
            types(tree),
            ["multipart/digest", "message/rfc822", "text/plain", "text/plain"],
        )


class BufferTests(SynchronousTestCase):
    """Messages need not be in memory, nor be bytes."""

    def test_views_and_mapped_files_give_the_same_tree(self) -> None:
        large = multipart("--b\n\n" + "x-" * 100_000 + "\n" * 300 + "--b\n\n2\n--b--")
        for octets in RFC_EXAMPLE, PLAIN, large, large[:150_000]:
            tree = parse(octets)
            self.assertEqual(parse(memoryview(b"x" + octets)[1:]), tree)
            with mapped(octets) as content:
                self.assertEqual(parse(content), tree)


class AnyInputTests(SynchronousTestCase):
    """Whatever comes in, a sound tree comes out."""

    @given(pieces, st.sampled_from([b"", b"X: y\r\n"]))
    @settings(max_examples=1000, deadline=None)
    def test_parts_lie_in_order_inside_their_parents(
        self, octets: bytes, prefix: bytes
    ) -> None:
        check_soundness(self, octets, prefix)

    @given(pieces)
    @settings(max_examples=200, deadline=None)
    def test_line_ends_change_spans_only(self, octets: bytes) -> None:
        octets = octets.replace(b"\r", b"")
        self.assertEqual(
            types(parse(octets)), types(parse(octets.replace(b"\n", b"\r\n")))
        )

    def test_every_prefix_of_a_message(self) -> None:
        for end in range(len(RFC_EXAMPLE)):
            check_soundness(self, RFC_EXAMPLE[:end])


def outline(part: Part, start: int | None = None) -> object:
    """Type, spans, and the same of the parts inside."""
    kind = f"{part.type.decode()}/{part.subtype.decode()}"
    spans = part.start if start is None else start, part.body_start, part.stop
    return kind, spans, [outline(inside) for inside in part.parts]


def expected_outline(entry: dict[str, Any]) -> object:
    """The outline of an entry of a part summary."""
    body = entry.get("body", entry)
    inside = [body["message"]] if "message" in body else body.get("children", ())
    return (
        body["mimeType"].lower(),
        (body["beginOffset"], body["headersEndOffset"], body["endOffset"]),
        [expected_outline(child) for child in inside],
    )


class SampleTests(SynchronousTestCase):
    """Real messages, odd and broken ones too."""

    skip = MISSING

    def test_spans_are_those_that_another_program_found(self) -> None:
        """Part summaries that MimeKit's authors publish with their messages."""
        checked = 0
        for name, octets in sample_messages().items():
            summary = name.replace(".mbox.txt", ".unix-offsets.json")
            if summary == name or summary not in sample_messages():
                continue
            octets = octets.replace(b"\r\n", b"\n")
            for expected in json.loads(sample_messages()[summary]):
                start, stop = expected["beginOffset"], expected["endOffset"]
                padding = b"\n".rjust(start)
                found = parse(octets[start:stop], padding).parts[0]
                self.assertEqual(outline(found, start), expected_outline(expected))
                checked += 1
        self.assertGreater(checked, 30)

    def test_every_message_has_a_sound_tree(self) -> None:
        for octets in sample_messages().values():
            check_soundness(self, octets)
            self.assertEqual(parse(memoryview(octets)), parse(octets))


class DumpTests(SynchronousTestCase):
    """Trees are stored compactly."""

    def test_a_plain_message_needs_a_few_octets(self) -> None:
        self.assertEqual(dump(parse(PLAIN)), b"0 14 30 2 0 text plain  7bit")

    def test_only_dumps_are_loaded(self) -> None:
        for octets in b"", b"x", b"0 1 2 3 0 text plain  7bit\n" * 2, b"0 " * 9:
            with self.assertRaises(ValueError):
                load(octets)
