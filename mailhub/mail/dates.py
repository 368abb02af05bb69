"""Dates of header fields (RFC 5322, sections 3.3 and 4.3)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from time import gmtime

#: Octets of a field that are looked at; a date with its comments needs fewer.
MAX_DATE = 256

_MONTHS = (
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun",
    b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
)
_MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_EPOCH_DAY = date(1970, 1, 1).toordinal()

#: Hours east of Greenwich (RFC 5322, section 4.3, and others seen in mail).
#: Military zones tell nothing: RFC 822 had their signs the wrong way round.
_ZONES = {
    b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5, b"mst": -7, b"mdt": -6,
    b"pst": -8, b"pdt": -7, b"kst": 9, b"jst": 9, b"cet": 1, b"cest": 2,
    b"met": 1, b"mest": 2, b"bst": 1, b"msk": 3,
}

_COMMENT = re.compile(rb"\([^()]*+\)")
_ZONE = rb"([+-][0-9]{4}|[A-Za-z]{1,5})"
_USUAL = re.compile(
    rb"\s*+(?:[A-Za-z]++[.,]*+\s*+,?\s*+)?"
    rb"(?P<day>[0-9]{1,2})[\s-]++(?P<month>[A-Za-z]{3})[A-Za-z]*+[.,]?[\s-]++"
    rb"(?P<year>[0-9]{2,4})(?![0-9]),?"
    rb"(?:\s++(?P<time>[0-9]{1,2}\s*+[:.]\s*+[0-9]{2}(?:\s*+[:.]\s*+[0-9]{2})?)"
    rb"(?:[.,][0-9]++)?\s*+(?P<zone>" + _ZONE + rb")?)?"
)
#: ``Mon Jun  1 12:00:00 2026``, as C's asctime() has it; some add the zone.
_ASCTIME = re.compile(
    rb"\s*+[A-Za-z]++,?\s++(?P<month>[A-Za-z]{3})[A-Za-z]*+\s++(?P<day>[0-9]{1,2}),?"
    rb"\s++(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)\s++"
    rb"(?:(?P<zone>" + _ZONE + rb")\s++)?(?P<year>[0-9]{4})(?![0-9])"
)


def parse_date(value: bytes) -> datetime | None:
    """The moment that a Date field names, or ``None``.

    A zone that is missing or unknown counts as UTC.
    """
    found = _match(value)
    day = None if found is None else _day(found)
    if found is None or day is None:
        return None
    clock = [int(number) for number in re.findall(rb"[0-9]+", found["time"] or b"0")]
    hour, minute, second = (*clock, 0, 0)[:3]
    if hour > 23 or minute > 59 or second > 60:
        return None
    zone = timezone(timedelta(minutes=_zone_minutes(found["zone"] or b"")))
    # A leap second is no time to Python.
    return datetime(
        day.year, day.month, day.day, hour, minute, min(second, 59), tzinfo=zone
    )


def parse_day(value: bytes) -> int | None:
    """The calendar day that a Date field names, in days since 1970-01-01.

    As it is written: time and zone do not count (RFC 3501, SENTON).
    """
    found = _match(value)
    day = None if found is None else _day(found)
    return None if day is None else day.toordinal() - _EPOCH_DAY


def format_date(seconds: int) -> bytes:
    """*seconds* since the epoch as a date-time of RFC 5322, in UTC."""
    days, rest = divmod(seconds, 86400)
    minutes, second = divmod(rest, 60)
    return b"%b%02d:%02d:%02d +0000" % (
        _format_day(days), minutes // 60, minutes % 60, second
    )


def format_utc(seconds: int) -> str:
    """*seconds* since the epoch as a date-time of RFC 3339, in UTC."""
    year, month, day, hour, minute, second, *_ = gmtime(seconds)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


@lru_cache(maxsize=64)
def _format_day(days: int) -> bytes:
    day = gmtime(days * 86400)
    return b"%b, %02d %b %04d " % (
        _DAYS[day.tm_wday], day.tm_mday, _MONTHS[day.tm_mon - 1], day.tm_year
    )


def _match(value: bytes) -> re.Match[bytes] | None:
    value = value[:MAX_DATE]
    if b"(" in value:
        value = _COMMENT.sub(b" ", value)
    return _USUAL.match(value) or _ASCTIME.match(value)


def _day(found: re.Match[bytes]) -> date | None:
    month = _MONTH_NUMBERS.get(found["month"].lower())
    year = int(found["year"])
    if len(found["year"]) < 4:
        # RFC 5322, section 4.3: two digits, or three by mistake.
        year += 2000 if year < 50 else 1900
    try:
        return date(year, month or 0, int(found["day"]))
    except ValueError:
        return None


def _zone_minutes(zone: bytes) -> int:
    if zone[:1] in (b"+", b"-"):
        hours, minutes = int(zone[1:3]), int(zone[3:])
        if hours > 23 or minutes > 59:
            return 0
        total = hours * 60 + minutes
        return -total if zone.startswith(b"-") else total
    return _ZONES.get(zone.lower(), 0) * 60
