"""Lengths of single values: the last that is read whole, and one octet more."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.address import MAX_PATH, Address, MalformedAddress, parse_path
from mailhub.mail.dates import MAX_DATE, parse_day
from mailhub.mail.mime import MAX_BOUNDARY, parse

from .messages import multipart, types


class LengthTests(SynchronousTestCase):
    """What is longer is refused, or not looked at."""

    def test_a_path(self) -> None:
        route = b"@" + b"a." * 40 + b"b,"
        start = b"<" + route * 12
        for extra in 0, 1:
            rest = b":u@d>"
            padding = b"@" + b"c" * (MAX_PATH - len(start) - len(rest) - 1 + extra)
            path = start + padding + rest
            self.assertEqual(len(path), MAX_PATH + extra)
            if extra:
                with self.assertRaises(MalformedAddress):
                    parse_path(path, smtputf8=False)
            else:
                found = parse_path(path + b" SIZE=1", smtputf8=False)
                self.assertEqual(found, (Address("u", "d"), b" SIZE=1"))

    def test_a_date(self) -> None:
        value = b"1 Jan 2026"
        for extra, whole in (0, True), (1, False):
            padded = b" " * (MAX_DATE - len(value) + extra) + value
            self.assertEqual(parse_day(padded) == parse_day(value), whole)

    def test_a_boundary(self) -> None:
        for extra, expected in (
            (0, ["multipart/mixed", "text/plain"]), (1, ["text/plain"])
        ):
            boundary = "a" * (MAX_BOUNDARY + extra)
            octets = multipart(f"--{boundary}\n\n1\n", f"; boundary={boundary}")
            self.assertEqual(types(parse(octets)), expected)
