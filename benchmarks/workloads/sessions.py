"""w4: short IMAP sessions, as of programs that poll."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..crowd import Crowd
from ..imap_client import short_session
from ..peers.base import Peer
from ..records import Record
from ..smtp_client import Tally
from .turn import Turn, load

AT_ONCE = 50
#: Messages in each mailbox.
MESSAGES = 50
#: Sessions that do not count, so that every process knows who logged in before.
WARM_UP = 200
#: Sessions of a server that takes many milliseconds for each.
FEW = 500


def w4sessions(peer: Peer, turn: Turn) -> Iterator[Record]:
    """Login, SELECT, FETCH of a header, LOGOUT; 50 at once."""
    for user in peer.users:
        load(peer, user, MESSAGES, "plain")
    count = turn.plan.sessions if peer.holds_many else min(turn.plan.sessions, FEW)
    if peer.name == "dovecot-tuned":
        count = turn.plan.sessions
    _run(peer, min(count, WARM_UP), Tally())
    tally = Tally()
    meter, begin = peer.meter(), time.perf_counter()
    failures = _run(peer, count, tally)
    seconds, cost = time.perf_counter() - begin, meter.read()
    yield Record(
        "w4",
        "short IMAP sessions, 50 at once",
        tally.accepted / seconds,
        "sessions/s",
        cost.each_ms(tally.accepted),
        cost.client_share,
        more={"failures": failures, "refused": tally.refused, "count": count},
    )


def _run(peer: Peer, count: int, tally: Tally) -> int:
    """So many sessions of all users in turns: how many failed."""
    scripts = (
        short_session(*peer.login(peer.users[number % len(peer.users)]), tally)
        for number in range(count)
    )
    return Crowd(peer.address("imap"), scripts).run(AT_ONCE, 120.0)
