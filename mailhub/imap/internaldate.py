"""INTERNALDATE as it is sent (RFC 3501, section 9, date-time); always in UTC."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from .syntax import MONTHS

_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_MINUTES = [b"%02d:%02d:" % divmod(minute, 60) for minute in range(1440)]
_SECONDS = [b'%02d +0000"' % second for second in range(60)]


class _DayTexts(dict[int, bytes]):
    """``"17-Jul-1996`` by days since the epoch; made once for each day."""

    MOST = 4096

    def __missing__(self, day: int) -> bytes:
        if len(self) >= self.MOST:
            self.clear()
        on = datetime.date.fromordinal(day + _EPOCH_DAY)
        text = b'"%02d-%b-%04d ' % (on.day, MONTHS[on.month - 1], on.year)
        self[day] = text
        return text


_DAYS = _DayTexts()


def format_dates(moments: Iterable[int]) -> list[bytes]:
    """Seconds since the epoch as quoted date-times.

    :raises ValueError: beyond the years 1 to 9999.
    """
    days, minutes, seconds = _DAYS, _MINUTES, _SECONDS
    return [
        days[moment // 86_400] + minutes[moment // 60 % 1440] + seconds[moment % 60]
        for moment in moments
    ]
