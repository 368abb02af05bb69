"""How much is measured: everything, or enough to see that nothing is broken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of all workloads.

    :ivar repetitions: turns of every server.
    :ivar seconds: that downloads, and sending, take, whatever the server's speed: the
        number of messages, or of downloads, is made to fit.
    :ivar connections: at once, when sending.
    :ivar each: messages on each of these connections.
    :ivar sets: of messages, when sending.
    :ivar mailbox: messages in a large mailbox.
    :ivar sessions: short ones, at once 50.
    :ivar idle: connections that only wait, for mailhub.
    :ivar idle_peers: the same for servers with a process for each.
    :ivar rest: seconds that they wait.
    :ivar settling: seconds for a server to come to rest before memory is counted.
    :ivar notices: messages that are waited for in IDLE.
    :ivar handshakes: of TLS.
    :ivar stored: sizes of a store that should not matter.
    :ivar delivered: messages that are sent to a store of each size.
    :ivar limit: seconds that each limit of the machine is tried for.
    """

    repetitions: int = 3
    seconds: float = 1.5
    connections: tuple[int, ...] = (1, 10, 50)
    each: tuple[int, ...] = (1, 20)
    sets: tuple[str, ...] = ("plain", "mix")
    mailbox: int = 10_000
    sessions: int = 3_000
    idle: int = 10_000
    idle_peers: int = 1_000
    rest: float = 60.0
    settling: float = 5.0
    notices: int = 40
    handshakes: int = 2_000
    stored: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    delivered: int = 5_000
    limit: float = 1.0


FULL = Plan()
QUICK = Plan(
    repetitions=1,
    seconds=0.5,
    connections=(10,),
    each=(20,),
    mailbox=1_000,
    sessions=500,
    idle=500,
    idle_peers=100,
    rest=3.0,
    settling=2.0,
    notices=5,
    handshakes=200,
    stored=(1_000, 10_000),
    delivered=500,
    limit=0.2,
)
