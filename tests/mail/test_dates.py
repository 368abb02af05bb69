"""Tests of dates in header fields."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.dates import MAX_DATE, format_date, parse_date, parse_day
from mailhub.mail.headers import Fields, header_end

from .samples import MISSING, sample_messages

#: (value, moment in ISO 8601)
DATES = [
    (b"Mon, 01 Jun 2026 03:04:05 +0000", "2026-06-01T03:04:05+00:00"),
    (b" 1 Jun 2026 03:04 +0900", "2026-06-01T03:04:00+09:00"),
    (b"Thu,\t13\t Feb 1969 23:32 -0330 (Newfoundland Time)",
     "1969-02-13T23:32:00-03:30"),
    (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00"),
    (b"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06+00:00"),
    (b"21 Nov 49 09:55:06 Z", "2049-11-21T09:55:06+00:00"),
    (b"1 Jan 100 00:00:00 GMT", "2000-01-01T00:00:00+00:00"),
    (b"Tue, 1 Jul 2003 10:52:37 PDT", "2003-07-01T10:52:37-07:00"),
    (b"Tue, 1 Jul 2003 10:52:37 KST", "2003-07-01T10:52:37+09:00"),
    (b"tue, 1 JULY 2003 10:52:37 est", "2003-07-01T10:52:37-05:00"),
    (b"Tue, 1 Jul 2003 10:52:37 -0000", "2003-07-01T10:52:37+00:00"),
    (b"Tue, 1 Jul 2003 10:52:37", "2003-07-01T10:52:37+00:00"),
    (b"Tue, 1 Jul 2003 10:52:37 XYZ", "2003-07-01T10:52:37+00:00"),
    (b"Tue, 1 Jul 2003 10:52:37 +9999", "2003-07-01T10:52:37+00:00"),
    (b"Tue, 1 Jul 2003 10:52:60 +0000", "2003-07-01T10:52:59+00:00"),
    (b"Tue, 1 Jul 2003", "2003-07-01T00:00:00+00:00"),
    (b"Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37+00:00"),
    (b"Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37+00:00"),
    (b"Sun Nov  6 08:49:37 PST 1994", "1994-11-06T08:49:37-08:00"),
    (b"Mon, 4 Jun 2026 03.03.00 +0100", "2026-06-04T03:03:00+01:00"),
]

NO_DATES = [
    b"", b" ", b"never", b"31 Feb 2026 00:00:00 +0000", b"1 Foo 2026 00:00:00 +0000",
    b"0 Jan 2026 00:00:00 +0000", b"1 Jan 0000 00:00:00 +0000", b"1 Jan",
    b"1 Jan 20260 00:00:00", b"2026-06-01T03:04:05Z", b"\xff", b"(", b"Mon, ",
    b"1 Jan 1 00:00:00", b" " * MAX_DATE + b"1 Jan 2026",
]


class ReadTests(SynchronousTestCase):
    """RFC 5322, sections 3.3 and 4.3."""

    def test_dates(self) -> None:
        for value, moment in DATES:
            expected = datetime.fromisoformat(moment)
            found = parse_date(value)
            assert found is not None, value
            self.assertEqual((found, found.utcoffset()),
                             (expected, expected.utcoffset()), value)

    def test_what_is_no_date(self) -> None:
        for value in NO_DATES:
            self.assertIsNone(parse_date(value), value)
            self.assertIsNone(parse_day(value), value)

    def test_a_wrong_time_leaves_the_day(self) -> None:
        for value in b"1 Jan 2026 24:00:00", b"1 Jan 2026 12:60", b"1 Jan 2026 1:00:61":
            self.assertIsNone(parse_date(value))
            self.assertEqual(parse_day(value), 20454)

    def test_the_day_is_the_one_written(self) -> None:
        """RFC 3501, section 6.4.4: SENTON disregards time and zone."""
        for value, day in [
            (b"Thu, 1 Jan 1970 23:59:59 -1200", 0), (b"2 Jan 1970 00:00:00 +1400", 1),
            (b"31 Dec 1969 12:00:00 +0000", -1), (b"29 Feb 2024 00:00", 19782),
        ]:
            self.assertEqual(parse_day(value), day)

    def test_every_prefix_is_read_or_refused(self) -> None:
        for value, _ in DATES:
            for end in range(len(value)):
                parse_date(value[:end])

    @given(st.lists(st.sampled_from(
        [b"Mon", b"1", b"31", b"Feb", b"2026", b"0", b":", b" ", b",", b"+0900", b"(",
         b")", b"-", b".", b"99", b"\xff"]
    )).map(b"".join))
    @settings(max_examples=500, deadline=None)
    def test_any_octets(self, value: bytes) -> None:
        parse_date(value)
        parse_day(value)


class WriteTests(SynchronousTestCase):
    """RFC 5322, section 3.3."""

    def test_dates_in_utc(self) -> None:
        self.assertEqual(format_date(0), b"Thu, 01 Jan 1970 00:00:00 +0000")
        self.assertEqual(format_date(1780283045), b"Mon, 01 Jun 2026 03:04:05 +0000")
        self.assertEqual(format_date(-1), b"Wed, 31 Dec 1969 23:59:59 +0000")

    @given(st.integers(min_value=-(2**31), max_value=253402300799))
    @settings(max_examples=200, deadline=None)
    def test_what_is_written_is_read_again(self, seconds: int) -> None:
        written = format_date(seconds)
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
        self.assertEqual(written.decode(), email.utils.format_datetime(moment))
        self.assertEqual(parse_date(written), moment)
        self.assertEqual(parse_day(written), seconds // 86400)


class SampleTests(SynchronousTestCase):
    """Dates of real messages, against the standard library."""

    skip = MISSING

    def test_dates_are_what_the_standard_library_reads(self) -> None:
        compared = 0
        for octets in sample_messages().values():
            value = Fields(octets[: header_end(octets)]).first(b"date")
            found = None if value is None else parse_date(value)
            if found is None or value is None or b") " in value:
                # The library does not see a zone behind a comment.
                continue
            expected = email.utils.parsedate_tz(value.decode("latin-1"))
            if expected is not None and found.year > 1970:
                moment = email.utils.mktime_tz(expected)
                self.assertEqual(found.timestamp(), moment, value)
                compared += 1
        self.assertGreater(compared, 500)
