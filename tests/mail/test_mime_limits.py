"""Tests of the tree of parts: limits, and hostile structures."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail import mime
from mailhub.mail.mime import MAX_DEPTH, MAX_PARTS, parse

from .messages import bodies, crlf, multipart, types


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
        text = "\n" + "x-" * 10_000
        for level in range(4):
            text = (f"Content-Type: multipart/mixed; boundary=b{level}\n\n"
                    f"--b{level}\n{text}\n")
        self.assertEqual(
            types(parse(crlf(text))),
            ["multipart/mixed"] * 3 + ["application/octet-stream"],
        )
        # Where there is no hyphen, searching costs next to nothing.
        text = text.replace("x-", "xx")
        self.assertEqual(
            types(parse(crlf(text))), ["multipart/mixed"] * 4 + ["text/plain"]
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
