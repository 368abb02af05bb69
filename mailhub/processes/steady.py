"""A clock for the reactor that nobody can set.

Twisted's timers go by the machine's clock: where that is set back by an hour, whatever
waits for a second waits for an hour and a second, and nobody's time is ever over; where
it is set ahead, everybody's is at once.

So from the start of a process on, the ``seconds()`` of its reactor are those since the
epoch as the machine's clock had them *then*, and go on evenly whatever becomes of that
clock.  The rule that follows, for all code that is given a reactor or a clock:

* ``clock.seconds()`` is for lengths of time within one process: deadlines, pauses,
  and how old something in its memory is.
* What is stored, logged, said in a protocol, compared with the times of files or
  certificates, or shared with other processes is a date.  It comes from
  :func:`time.time`, or from an argument of its own (``now``, ``wall_clock``).
"""

from __future__ import annotations

import time
from typing import Any


def keep_steady(reactor: Any) -> None:
    """Let the timers of *reactor* go by a clock that only goes forward.

    Those that are set already stay what they were.  To be called once, by whoever is
    about to run the reactor: it is never for a library to decide.

    :param reactor: a ``ReactorBase``.
    """
    epoch, steady = time.time() - time.monotonic(), time.monotonic
    reactor.seconds = lambda: epoch + steady()
