"""Tests of the tree of parts: spans, sections, limits, hostile structures."""

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
from mailhub.mail.mime import MAX_DEPTH, MAX_PARTS, Part, dump, load, parse

from .samples import MISSING, sample_messages


def crlf(text: str) -> bytes:
    """*text* with the line ends of the wire."""
    return text.replace("\n", "\r\n").encode()


#: The structure that RFC 3501, section 6.4.5, explains section numbers with.
RFC_EXAMPLE = crlf("""\
Subject: outer
Content-Type: multipart/mixed; boundary=outer

preamble
--outer
Content-Type: text/plain; charset=utf-8

one
--outer
Content-Type: application/octet-stream
Content-Transfer-Encoding: BASE64

dHdv
--outer
Content-Type: message/rfc822

Subject: three
Content-Type: multipart/mixed; boundary=three

--three

three.one
--three
Content-Type: application/octet-stream

three.two
--three--
--outer
Content-Type: multipart/mixed; boundary=four

--four
Content-Type: image/gif
Content-ID: <gif>

four.one
--four
Content-Type: message/rfc822

Subject: four.two
Content-Type: multipart/mixed; boundary=fourtwo

--fourtwo
Content-Type: text/plain

four.two.one
--fourtwo
Content-Type: multipart/alternative; boundary=fourtwotwo

--fourtwotwo
Content-Type: text/plain

four.two.two.one
--fourtwotwo
Content-Type: text/richtext

four.two.two.two
--fourtwotwo--
--fourtwo--
--four--
--outer--
epilogue
""")

PLAIN = crlf("Subject: x\n\nline 1\nline 2\n")


def types(tree: Part) -> list[str]:
    """The types of the parts, the outermost message's first."""
    return [
        f"{part.type.decode()}/{part.subtype.decode()}" for part in tree.walk()
    ][1:]


def bodies(octets: bytes, parts: tuple[Part, ...]) -> list[bytes]:
    """What stands in each of *parts*."""
    return [octets[part.body_start : part.stop] for part in parts]


def multipart(body: str, parameters: str = "; boundary=b") -> bytes:
    """A multipart message with CRLF line ends."""
    return crlf(f"Content-Type: multipart/mixed{parameters}\n\n{body}")


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


class LimitTests(SynchronousTestCase):
    """Each limit at the last value that is allowed, and one beyond."""

    def test_depth_of_multiparts(self) -> None:
        for depth, innermost in (
            (MAX_DEPTH, "text/plain"), (MAX_DEPTH + 1, "application/octet-stream")
        ):
            text = "\n\ninnermost"
            for level in range(depth - 1):
                text = (f"Content-Type: multipart/mixed; boundary=b{level}b\n\n"
                        f"--b{level}b\n{text}\n--b{level}b--\n")
            found = types(parse(crlf(text)))
            self.assertEqual(len(found), MAX_DEPTH)
            self.assertEqual(found[-1], innermost)

    def test_depth_of_messages(self) -> None:
        for depth, innermost in (
            (MAX_DEPTH, "text/plain"), (MAX_DEPTH + 1, "application/octet-stream")
        ):
            text = "Content-Type: message/rfc822\n\n" * (depth - 1) + "\n\ntext\n"
            found = types(parse(crlf(text)))
            self.assertEqual(len(found), MAX_DEPTH)
            self.assertEqual(found[-1], innermost)

    def test_number_of_parts(self) -> None:
        for count in MAX_PARTS, MAX_PARTS + 1:
            octets = multipart("--b\n\nx\n" * count)
            message = parse(octets).message
            assert message is not None
            self.assertEqual(len(message.parts), MAX_PARTS)
            rest = octets[message.parts[-1].body_start : message.parts[-1].stop]
            self.assertEqual(rest.count(b"--b"), count - MAX_PARTS)

    def test_number_of_parts_in_all_multiparts(self) -> None:
        inner = "Content-Type: multipart/mixed; boundary=i\n\n" + "--i\n\nx\n" * 100
        octets = multipart(f"--o\n{inner}" * 200, "; boundary=o")
        found = types(parse(octets))
        self.assertEqual(len(found) - 1, MAX_PARTS)
        # 200 + 98 * 100, and the rest is not looked into.
        self.assertEqual(found.count("multipart/mixed"), 1 + 98)
        self.assertEqual(found.count("application/octet-stream"), 102)

    def test_headers_of_parts(self) -> None:
        field = "X: " + "x" * 1021
        count = mime.MAX_PART_HEADERS // 1028 + 1
        octets = multipart(f"--b\n{field}\n\n\n" * count)
        found = types(parse(octets))
        self.assertEqual(found.count("text/plain"), count - 1)
        self.assertEqual(found.count("application/octet-stream"), 1)

    def test_octets_searched_for_delimiters(self) -> None:
        self.patch(mime, "MIN_SEARCHED", 0)
        self.patch(mime, "SEARCHES_OF_MESSAGE", 3)
        text = "\n" + "x" * 2000
        for level in range(4):
            text = (f"Content-Type: multipart/mixed; boundary=b{level}\n\n"
                    f"--b{level}\n{text}\n")
        self.assertEqual(
            types(parse(crlf(text))),
            ["multipart/mixed"] * 3 + ["application/octet-stream"],
        )

    def test_lines_that_only_begin_like_delimiters(self) -> None:
        self.patch(mime, "MIN_SEARCHED", 1024 * 100)
        for misses, parts in (97, 2), (110, 1):
            octets = multipart("--b\n\n" + "--bx\n" * misses + "--b\n\n")
            self.assertEqual(len(parse(octets).parts[0].parts), parts)


class HostileStructureTests(SynchronousTestCase):
    """Bombs that killed other servers; some would take hours if not linear."""

    def test_ten_thousand_nested_multiparts_end_in_one_opaque_part(self) -> None:
        """As for sendmail CVE-2006-1173 and Dovecot CVE-2020-12100."""
        text = "".join(
            f"Content-Type: multipart/mixed; boundary={level}\n\n--{level}\n"
            for level in range(10_000)
        )
        found = types(parse(crlf(text)))
        self.assertEqual(found[-1], "application/octet-stream")
        self.assertLessEqual(len(found), MAX_DEPTH)

    def test_a_thousand_nested_messages_end_in_one_opaque_part(self) -> None:
        found = types(parse(b"Content-Type: message/rfc822\n\n" * 1000))
        self.assertEqual(found[-1], "application/octet-stream")
        self.assertEqual(len(found), MAX_DEPTH)

    def test_a_boundary_equal_to_the_parents_makes_a_finite_tree(self) -> None:
        """As for Stalwart CVE-2026-26312."""
        inner = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b--\n"
        tree = parse(multipart(f"--b\n{inner}--b\n\n2\n--b--\n"))
        self.assertEqual(types(tree), ["multipart/mixed"] + ["text/plain"] * 3)

    def test_a_boundary_that_starts_with_the_parents_is_another_one(self) -> None:
        inner = "Content-Type: multipart/mixed; boundary=bb\n\n--bb\n\n1\n--bb--\n"
        octets = multipart(f"--b\n{inner}--b\n\n2\n--b--\n")
        tree = parse(octets)
        self.assertEqual(
            types(tree),
            ["multipart/mixed", "multipart/mixed", "text/plain", "text/plain"],
        )
        self.assertEqual(bodies(octets, tree.parts[0].parts[0].parts), [b"1"])

    def test_an_end_before_the_beginning(self) -> None:
        tree = parse(multipart("--b--\n--b\n\n1\n"))
        self.assertEqual(types(tree), ["multipart/mixed", "text/plain"])

    def test_a_hundred_thousand_empty_parts(self) -> None:
        self.assertEqual(len(types(parse(multipart("--b\n" * 100_000)))), 10_001)

    def test_a_million_header_lines(self) -> None:
        self.assertEqual(types(parse(b"X: y\n" * 1_000_000)), ["text/plain"])
        self.assertEqual(types(parse(multipart("--b\n" + "X: y\n" * 1_000_000))),
                         ["multipart/mixed", "application/octet-stream"])

    def test_ten_mebibytes_of_near_delimiters(self) -> None:
        size = 10 * 1024 * 1024
        for line in "--b-\n", "--bx\n", "--b--x\n", "--\n", "-\n", "\n", "--b  x\n":
            body = line * (size // len(line))
            for octets in multipart(body), multipart("--b\n\n" + body):
                parse(octets)
                parse(memoryview(octets))


pieces = st.lists(
    st.sampled_from([
        b"--", b"--a", b"--b", b"--a--", b"--b--", b"\r\n", b"\n", b"\r", b" ", b"x",
        b"Content-Type: multipart/mixed; boundary=a", b"\n\n", b"\r\n\r\n", b":",
        b"Content-Type: multipart/digest; boundary=b", b"Content-Type: text/plain",
        b"Content-Type: message/rfc822", b"boundary=", b"\0", b"\xff", b"--ab",
        b"Content-Transfer-Encoding: base64",
    ]),
    max_size=40,
).map(b"".join)


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
