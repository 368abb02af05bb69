"""Let peers of all kinds be slow, while others are served::

    python -m tests.faults.slow
    python -m tests.faults.slow --short
    python -m tests.faults.slow --without lanes
    python -m tests.faults.slow --without deadlines

500 clients send an octet in ten seconds, by SMTP, IMAP and POP3: half a command, or
half a message; whoever is sent away comes back.  Mail waits for 200 destinations whose
servers stop in the middle: 40 each do not take connections, do not greet, do not answer
EHLO, do not read a message, and do not answer it.  A part of them has worked before.

Meanwhile other clients deliver to users here, and send to servers that work, as fast as
they are answered.  They have to get nine tenths of what they get without the others,
and 99 in 100 messages may take twice as long at most; how it is without the others is
measured before and after, which the short form does not do: there all mail has to
arrive while the slow are there.

Each who is slow has to be sent away when its time is over.  Where a server has not
answered a message that it has to its end, nobody can know whether it took it: it is
sent once more later, and so may come twice, but not oftener.
"""

from __future__ import annotations

import argparse
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .crawlers import Crawlers, habits_of
from .goodwill import Goodwill, Window, pace
from .ledger import Ledger
from .names import FaultyNames
from .program import Results, perform
from .server import Server
from .sink import Sink
from .stalling import Stall, StallingServers
from .subject import HOST, PASSWORD, USERS
from .wire import SMTPWire

#: What is left to others of the throughput, and how much longer messages may take.
LEAST_PART, MOST_LONGER = 0.9, 2.0
#: Seconds that a deadline may be late: connections are looked at once a second.
LATE = 4.0
#: Destinations that work.
WORKING = 20
#: Octets of a message that a server which does not read it has no room for.
LARGE = 300_000
#: Of these for each destination at most.
LARGE_ONES = 4
#: Of a message to a server that stops: for which one, and its number.
MARK = b"X-Stall: "
#: Those that may have worked before.
PROVEN = (Stall.CONTENT, Stall.END)
_NAME = re.compile(r"([a-z]+)-(\d+)\.example\Z")
_DEFERRED = re.compile(r"'jo@([a-z]+-\d+)\.example' delayed")


@dataclass(frozen=True)
class Scale:
    """How much of everything.

    :ivar crawlers: slow clients, and seconds between octets of theirs.
    :ivar each: destinations of each kind; *messages*: for each of them.
    :ivar proven: of how many of each kind that could, some has arrived before.
    :ivar sends: attempts at the same time; *waiting*: messages that wait in memory.
    :ivar clients: of each ordinary kind.
    :ivar window: seconds in which is measured, for each kind of ordinary clients,
        each time after some of *settling*.
    :ivar wait: seconds of each step with another server; *record*: of a line;
        *retry*: between attempts.
    """

    crawlers: int
    pace: float
    each: int
    messages: int
    proven: int
    sends: int
    waiting: int
    clients: int
    settling: float
    window: float
    wait: int
    record: int
    retry: int


LONG = Scale(500, 10.0, 40, 12, 10, 200, 1000, 4, 2.0, 15.0, 50, 30, 60)
SHORT = Scale(100, 1.0, 8, 10, 1, 56, 100, 2, 0.5, 1.0, 5, 5, 60)
_SETTINGS = """
login_idle = 600
record = {record}

[queue]
first_retry = {retry}
longest_retry = {retry}
sends = {sends}
waiting = {waiting}

[outbound]
port = {port}
allow_private = true
families = "ipv4"
connect = {wait}
reply = {wait}
data = {wait}
stall = {wait}
end = {wait}
idle = 1

[dns]
servers = ["127.0.0.1:{dns}"]
"""


def address_of(stall: Stall, number: int) -> str:
    """Of a server that stops."""
    return f"127.2.{list(Stall).index(stall)}.{number + 1}"


def _where(name: str) -> str:
    found = _NAME.search(name)
    if found is None or found[1] == "good":
        return HOST
    return address_of(Stall(found[1]), int(found[2]))


class Trial:
    """All that is needed.

    :ivar copies: how often each message came to its end at a server that stops.
    """

    def __init__(self, folder: Path, without: str | None, scale: Scale) -> None:
        self.scale = scale
        self.ledger = Ledger()
        self.copies: Counter[bytes] = Counter()
        self.wanted: set[bytes] = set()
        self._deferred: set[str] = set()
        self._read = 0
        self.names = FaultyNames(_where)
        self.server = Server(folder, without)
        self.sink = Sink(lambda message: self.goodwill.heard(message))
        self.goodwill = Goodwill(
            self.server, self.ledger, scale.clients,
            [f"jo@good-{number}.example" for number in range(WORKING)],
        )  # fmt: skip
        self.stalling = StallingServers(
            scale.each, self.sink.port, address_of, self._keep
        )
        self.crawlers = Crawlers(habits_of(self.server), scale.crawlers, scale.pace)
        settings = _SETTINGS.format(
            record=scale.record, retry=scale.retry, wait=scale.wait,
            sends=scale.sends, waiting=scale.waiting,
            port=self.sink.port, dns=self.names.port,
        )
        self.server.configure(settings)

    def _keep(self, message: bytes) -> None:
        start = message.find(MARK) + len(MARK)
        self.copies[message[start : message.find(b"\r\n", start)]] += 1

    def start(self) -> None:
        """The server, and what it knows of those that will stop."""
        self.server.set_up()
        self.server.start()
        self.stalling.stalls = False
        known = range(self.scale.proven)
        self._send((stall, which, 0) for stall in PROVEN for which in known)
        self.until(lambda: self.all_arrived, self.scale.wait)
        self.stalling.stalls = True

    def attack(self) -> None:
        """All who are slow come."""
        scale = self.scale
        self.crawlers.start()
        self._send(
            (stall, which, number + 1)
            for number in range(scale.messages)
            for stall in Stall
            for which in range(scale.each)
            if stall is not Stall.CONTENT or number < LARGE_ONES
        )

    def _send(self, messages: Iterable[tuple[Stall, int, int]]) -> None:
        with closing(SMTPWire(self.server.ports.submission)) as wire:
            wire.log_in(USERS[1], PASSWORD, False)
            for stall, which, number in messages:
                name = f"{stall.value}-{which}"
                token = f"{name}-{number}".encode()
                size = LARGE if stall is Stall.CONTENT else 200
                text = (b"x" * 70 + b"\r\n") * (size // 70)
                data = MARK + token + b"\r\nSubject: stall\r\n\r\n" + text
                wire.mail(USERS[1], [f"jo@{name}.example"], data)
                self.wanted.add(token)

    @property
    def all_arrived(self) -> bool:
        return self.wanted <= self.copies.keys()

    @property
    def deferred(self) -> set[str]:
        """Destinations that were tried in vain."""
        with open(self.server.folder / "log") as log:
            log.seek(self._read)
            self._deferred.update(_DEFERRED.findall(log.read()))
            self._read = max(log.tell() - 1000, 0)
        return self._deferred

    def until(self, is_met: Callable[[], bool], seconds: float) -> bool:
        """Wait for it, but no longer.  -> whether it is so"""
        end = time.monotonic() + seconds
        while not is_met() and time.monotonic() < end:
            time.sleep(0.1)
        return is_met()

    def close(self) -> None:
        """End all of it."""
        self.server.kill()
        self.names.close()
        self.stalling.close()
        self.sink.close()


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """Without them, with them, and after them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    results = Results()
    trial = Trial(folder / "server", options.without, SHORT if options.short else LONG)
    try:
        trial.start()
        _perform(results, trial, options.short, tell)
        results.expect("the server is alive", trial.server.is_alive)
    finally:
        trial.close()
    return results


def _perform(
    results: Results, trial: Trial, is_short: bool, tell: Callable[[str], object]
) -> None:
    scale, goodwill = trial.scale, trial.goodwill
    goodwill.start()
    # It has to be known which destinations work.
    goodwill.send()
    time.sleep(scale.settling)
    usual = [] if is_short else [_windows(trial)]
    trial.attack()
    time.sleep(scale.settling)
    holding, present = trial.stalling.holding, trial.crawlers.present
    slow = _windows(trial)
    held_still = min(holding, trial.stalling.holding)
    tell(f"stopped: {trial.stalling.stalled}, at the end of it {held_still} open")
    results.expect(
        f"slow at the same time: {present} clients, {held_still} other servers",
        present >= scale.crawlers * 0.95 and held_still >= scale.sends // 4,
    )
    are_given_up = _judge_deadlines(results, trial)
    trial.crawlers.stop()
    trial.stalling.recover()
    if is_short:
        trial.until(lambda: not trial.stalling.holding, scale.wait + LATE)
        trial.server.command("queue", "flush").check_returncode()
    patience = 2 * scale.retry + LATE if are_given_up else 0.0
    back = trial.until(lambda: trial.all_arrived, patience)
    if not is_short:
        usual.append(_windows(trial))
    goodwill.stop()
    _judge_good(results, trial, usual, slow)
    copies = trial.copies
    twice = {token for token, number in copies.items() if number > 1}
    results.expect(
        f"of {len(trial.wanted)} messages for those who stopped lost"
        f" {len(trial.wanted - copies.keys())}, twice {len(twice)}, oftener"
        f" {sum(number > 2 for number in copies.values())}",
        back
        and all(token.startswith(b"end-") for token in twice)
        and all(number <= 2 for number in copies.values()),
    )


def _windows(trial: Trial) -> tuple[Window, Window]:
    """Let both kinds work.  -> when they did"""
    windows = []
    for begin in (trial.goodwill.deliver, trial.goodwill.send):
        begin()
        time.sleep(trial.scale.settling)
        began, worked = time.monotonic(), trial.server.processor_seconds()
        time.sleep(trial.scale.window)
        worked = trial.server.processor_seconds() - worked
        windows.append(Window(began, time.monotonic(), worked))
    return windows[0], windows[1]


def _judge_deadlines(results: Results, trial: Trial) -> bool:
    """Whoever is slow is sent away in time.  -> whether all other servers were"""
    scale, stalling = trial.scale, trial.stalling
    number = scale.each * len(Stall)
    trial.until(lambda: len(trial.deferred) >= number, 3 * (scale.wait + LATE))
    tried = len(trial.deferred)
    results.expect(
        f"given up for now: {tried} of {number} destinations", tried >= number
    )
    longest = {stall: max(held, default=0.0) for stall, held in stalling.held.items()}
    longest.pop(Stall.CONNECT)
    text = ", ".join(f"{each.value} {seconds:.1f}" for each, seconds in longest.items())
    results.expect(
        f"seconds until a server that stops is left, of {scale.wait}: {text}",
        all(0 < each <= scale.wait + LATE for each in longest.values()),
    )
    lives, habits = trial.crawlers.lives, trial.crawlers.habits
    trial.until(lambda: len(lives) == len(habits), scale.record + LATE)
    longest_life = max(lives.values(), default=0.0)
    results.expect(
        f"seconds that a slow client may stay, of {scale.record}: {longest_life:.1f};"
        f" sent away {sum(trial.crawlers.ended.values())}",
        len(lives) == len(habits) and longest_life <= scale.record + LATE,
    )
    return tried >= number


def _judge_good(
    results: Results,
    trial: Trial,
    usual: Sequence[tuple[Window, Window]],
    slow: tuple[Window, Window],
) -> None:
    """What the others got."""
    goodwill = trial.goodwill
    results.faults += goodwill.refusals[:5]
    results.expect(
        f"refused to others: {len(goodwill.refusals)}", not goodwill.refusals
    )
    kinds = ("delivered here", goodwill.delivered), ("sent on", goodwill.sent)
    for kind, (name, done) in enumerate(kinds):
        now = pace(done, [slow[kind]])
        if not usual:
            results.expect(f"{name} meanwhile: {now}", now.rate > 0)
            continue
        before = pace(done, [each[kind] for each in usual])
        part, longer = now.rate / before.rate, now.p99 / before.p99
        results.expect(
            f"{name}: {now}; without them {before}: {part:.2f} of it, p99"
            f" {longer:.2f} times as long",
            part >= LEAST_PART and longer <= MOST_LONGER,
        )
    lost = set(goodwill.unheard)
    results.expect(f"sent on and never arrived: {len(lost)}", not lost)


def main() -> int:
    """The command line."""
    return perform("slow", __doc__, run, without=("lanes", "deadlines"))


if __name__ == "__main__":
    sys.exit(main())
