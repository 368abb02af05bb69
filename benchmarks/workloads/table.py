"""All workloads by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..peers.base import USERS
from ..plan import Plan
from .delivery import w1
from .growth import wn
from .idle import users_for, w4idle
from .latency import w4latency
from .mailbox import w3, w3append
from .pop3 import w5
from .relaying import w2
from .resting import w7
from .sessions import w4sessions
from .tls import w6
from .turn import Run


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload and what it needs.

    :ivar peers: the servers it is for, unless others are asked for.
    :ivar services: that a server has to offer for it.
    :ivar keeps_data: whether all repetitions use one store, each another user.
    :ivar users: how many it needs.
    :ivar most_turns: repetitions at most, where one takes minutes.
    """

    run: Run
    peers: tuple[str, ...]
    services: tuple[str, ...]
    keeps_data: bool = True
    users: Callable[[Plan], int] = lambda plan: USERS
    most_turns: int = 10


_BOTH = ("mailhub", "mailhub-2")
_MTAS = ("postfix-dovecot", "exim-dovecot", "chasquid-dovecot", "aiosmtpd")

WORKLOADS = {
    "w1": Workload(w1, (*_BOTH, *_MTAS), ("smtp",), keeps_data=False),
    "w2": Workload(w2, (*_BOTH, *_MTAS[:2]), ("smtp",), keeps_data=False),
    "w3": Workload(w3, ("mailhub", "dovecot", "pymap"), ("imap",)),
    "w3append": Workload(w3append, ("mailhub", "dovecot", "pymap"), ("imap",)),
    "w4sessions": Workload(
        w4sessions, (*_BOTH, "dovecot", "dovecot-tuned", "pymap"), ("imap",)
    ),
    "w4latency": Workload(
        w4latency, (*_BOTH, "postfix-dovecot"), ("smtp", "imap"), keeps_data=False
    ),
    "w4idle": Workload(
        w4idle,
        (*_BOTH, "postfix-dovecot"),
        ("smtp", "imap", "imaps"),
        keeps_data=False,
        users=lambda plan: users_for(max(plan.idle, plan.idle_peers)),
        most_turns=1,
    ),
    "w5": Workload(w5, ("mailhub", "dovecot"), ("pop3",)),
    "w6": Workload(w6, (*_BOTH, "dovecot", "dovecot-tuned"), ("imaps",)),
    "w7": Workload(w7, (*_BOTH, "postfix-dovecot", *_MTAS[1:], "dovecot", "pymap"), ()),
    "wn": Workload(wn, ("mailhub",), ("smtp", "imap"), keeps_data=False),
}
