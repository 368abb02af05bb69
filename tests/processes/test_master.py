"""What the master does about its workers, which are no processes here."""

from __future__ import annotations

import errno
import json
import os
import signal
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.kinds import Endpoint
from mailhub.config.settings import PORTS, Config, Listen, Server
from mailhub.processes import master
from mailhub.processes.channel import Channel
from mailhub.processes.master import FROZEN, HEARTBEAT, LATE, PATIENCE, STUCK, Master

NOWHERE = {name: () for name in (*PORTS, "admin")}


class FakeProcess:
    """A worker that does what the test says.

    :ivar signals: what was sent to it.
    :ivar channel: the master's end of its channel.
    """

    def __init__(self, protocol: Any, descriptors: dict[int, Any]) -> None:
        self.descriptors = descriptors
        self.signals: list[int] = []
        self.transport = StringTransport()
        self.channel: Channel
        self._protocol = protocol

    def signalProcess(self, number: int) -> None:
        """Dies of SIGKILL only."""
        self.signals.append(number)
        if number == signal.SIGKILL:
            self.die()

    def die(self, status: int = 9) -> None:
        """End, by SIGKILL or by itself."""
        reason = ProcessTerminated(signal=9) if status else ProcessDone(0)
        self._protocol.processEnded(Failure(reason))

    def say(self, what: str, **details: object) -> None:
        """Tell the master."""
        self.channel.lineReceived(json.dumps({"tell": what, **details}).encode())

    def heard(self) -> list[dict[str, Any]]:
        """What it was told and asked since the last time."""
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]

    def answer(self) -> None:
        """Answer all that it was asked."""
        for message in self.heard():
            if "ask" in message:
                reply = {"number": message["number"], "answer": {"faults": []}}
                self.channel.lineReceived(json.dumps(reply).encode())

    def serve(self) -> None:
        """Start, as far as it goes."""
        self.say("here")
        self.say("ready")


class FakeReactor(Clock):
    """Starts such processes."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.is_full = False

    def spawnProcess(
        self, protocol: Any, *_: object, childFDs: dict[int, Any]
    ) -> FakeProcess:
        """A process, where there is room."""
        if self.is_full:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.processes.append(FakeProcess(protocol, childFDs))
        return self.processes[-1]

    def adoptStreamConnection(self, _: int, __: int, factory: Any) -> None:
        """The newest process's channel."""
        newest = self.processes[-1]
        newest.channel = factory.buildProtocol(None)
        newest.channel.makeConnection(newest.transport)


class MasterTests(SynchronousTestCase):
    """A master of two."""

    workers = 2

    def setUp(self) -> None:
        self.patch(os, "cpu_count", lambda: 4)
        self.reactor = FakeReactor()
        listen = Listen(**{**NOWHERE, "imap": (Endpoint("127.0.0.1", 0),)})
        server = Server(host_name="mail.example.org", workers=self.workers)
        self.config = Config(server=server, listen=listen)
        self.master = Master(self.config, self.reactor, (), {})
        self.master.privilegedStartService()
        self.addCleanup(self.close)
        self.master.startService()

    def close(self) -> None:
        for row in self.master._rows:
            for bound in row:
                bound.socket.close()
        os.close(self.master._counts)

    @property
    def processes(self) -> list[FakeProcess]:
        return self.reactor.processes

    def begin(self) -> None:
        """Let all begin."""
        for process in list(self.processes):
            process.serve()
        self.assertTrue(self.master.started.called)

    def wait(self, beats: int, *living: FakeProcess) -> None:
        """Let heartbeats pass, which *living* answer."""
        for _ in range(beats):
            self.reactor.advance(HEARTBEAT)
            for process in living:
                process.answer()


class StartTests(MasterTests):
    """Who begins when."""

    def test_the_first_begins_alone_as_it_makes_what_is_missing(self) -> None:
        first, second = self.processes
        second.say("here")
        first.say("here")
        self.assertEqual([each["tell"] for each in first.heard()], ["begin"])
        self.assertEqual(second.heard(), [])
        first.say("ready")
        self.assertEqual([each["tell"] for each in second.heard()], ["begin"])
        self.assertFalse(self.master.started.called)
        second.say("ready")
        self.successResultOf(self.master.started)

    def test_one_that_cannot_start_says_why_all_end(self) -> None:
        first, _ = self.processes
        first.say("here")
        first.say("failed", reason="no such certificate", is_config=True)
        first.die(0)
        failure = self.failureResultOf(self.master.started)
        self.assertEqual(str(failure.value), "no such certificate")
        self.assertTrue(failure.value.is_config)

    def test_one_that_dies_before_it_serves_ends_all(self) -> None:
        self.processes[0].die()
        failure = self.failureResultOf(self.master.started)
        self.assertEqual(str(failure.value), "a worker died: signal 9")


class DeathTests(MasterTests):
    """Workers that die."""

    def setUp(self) -> None:
        # Nobody is asked here.
        self.patch(master, "HEARTBEAT", 1e6)
        super().setUp()

    def test_they_are_replaced_less_and_less_often_while_they_die_young(self) -> None:
        self.begin()
        for pause in (0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60):
            before = len(self.processes)
            self.processes[-1].die()
            if pause:
                self.reactor.advance(pause - 0.125)
                self.assertEqual(len(self.processes), before)
            self.reactor.advance(0.125)
            self.assertEqual(len(self.processes), before + 1)
            self.processes[-1].serve()
        self.assertEqual(self.master.workers, {"0": 0, "1": 10})

    def test_one_that_has_lived_for_long_is_replaced_at_once(self) -> None:
        self.begin()
        for _ in range(3):
            self.reactor.advance(61)
            self.processes[-1].die()
            self.reactor.advance(0)
            self.processes[-1].serve()
        self.assertEqual(len(self.processes), 5)

    def test_one_begins_while_the_first_cannot(self) -> None:
        self.begin()
        first, second = self.processes
        first.die()
        second.die()
        self.reactor.advance(0)
        *_, third = self.processes
        third.say("here")
        self.assertEqual([each["tell"] for each in third.heard()], ["begin"])

    def test_where_no_process_can_be_started_that_is_tried_again(self) -> None:
        self.begin()
        self.reactor.is_full = True
        self.processes[1].die()
        self.reactor.pump([0, 0.5, 1])
        self.assertEqual(len(self.processes), 2)
        self.reactor.is_full = False
        self.reactor.advance(2)
        self.assertEqual(len(self.processes), 3)

    def test_who_dies_does_not_take_the_place_among_those_who_count(self) -> None:
        self.begin()
        for _ in range(50):
            self.processes[-1].die()
            self.reactor.advance(60)
            self.processes[-1].serve()
        self.assertEqual(len(self.master._free_rows), 4)


class HeartTests(MasterTests):
    """Workers that freeze."""

    def test_one_that_answers_nothing_is_killed_and_replaced(self) -> None:
        self.begin()
        well, frozen = self.processes
        self.wait(FROZEN, well)
        self.assertEqual(frozen.signals, [])
        self.wait(1, well)
        self.assertEqual(frozen.signals, [signal.SIGKILL])
        self.assertEqual(well.signals, [])
        self.reactor.advance(0)
        self.assertEqual(len(self.processes), 3)

    def test_all_is_well_as_long_as_all_who_serve_answer(self) -> None:
        self.assertFalse(self.master.is_well)
        self.begin()
        first, second = self.processes
        self.wait(10, first, second)
        self.assertTrue(self.master.is_well)
        self.wait(LATE, first)
        self.assertFalse(self.master.is_well)
        second.answer()
        self.assertTrue(self.master.is_well)

    def test_one_that_keeps_dying_does_not_end_the_others(self) -> None:
        self.begin()
        first, second = self.processes
        second.die()
        self.assertTrue(self.master.is_well)
        first.die()
        self.assertFalse(self.master.is_well)

    def test_a_clock_that_jumps_kills_nobody(self) -> None:
        self.begin()
        self.reactor.advance(86_400)
        self.assertEqual([each.signals for each in self.processes], [[], []])

    def test_one_that_never_begins_is_killed(self) -> None:
        self.begin()
        first, second = self.processes
        second.die()
        self.reactor.advance(0)
        *_, stuck = self.processes
        self.wait(STUCK, first)
        self.assertEqual(stuck.signals, [])
        self.wait(1, first)
        self.assertEqual(stuck.signals, [signal.SIGKILL])

    def test_one_that_brings_a_store_up_to_date_may_take_long(self) -> None:
        self.begin()
        first, second = self.processes
        second.die()
        self.reactor.advance(0)
        *_, busy = self.processes
        busy.say("here")
        self.wait(1000, first)
        self.assertEqual(busy.signals, [])

    def test_who_answers_nothing_is_missing_from_the_answers(self) -> None:
        self.begin()
        answers = Deferred.fromCoroutine(self.master.ask_all("status"))
        self.processes[0].answer()
        self.reactor.advance(PATIENCE)
        self.assertEqual(list(self.successResultOf(answers)), ["0"])


class RestartTests(MasterTests):
    """Workers that are replaced one after the other."""

    def test_each_serves_until_its_successor_does(self) -> None:
        self.begin()
        first, second = self.processes
        done = self.master.restart()
        third = self.processes[2]
        self.assertEqual(third.descriptors[5], first.descriptors[5])
        self.assertEqual(first.signals, [])
        third.serve()
        self.assertEqual((first.signals, second.signals), ([signal.SIGTERM], []))
        fourth = self.processes[3]
        self.assertEqual(fourth.descriptors[5], second.descriptors[5])
        fourth.serve()
        self.assertEqual(second.signals, [signal.SIGTERM])
        self.successResultOf(done)
        first.die(0)
        second.die(0)
        self.assertEqual(len(self.processes), 4)
        self.assertEqual(self.master.workers, {"0": 1, "1": 1})

    def test_a_successor_that_cannot_start_leaves_all_as_it_was(self) -> None:
        self.begin()
        done = self.master.restart()
        for successor in (2, 3):
            self.processes[successor].say("here")
            self.processes[successor].say("failed", reason="x", is_config=False)
            self.processes[successor].die(0)
        self.successResultOf(done)
        self.reactor.advance(600)
        self.assertEqual(len(self.processes), 4)
        self.assertEqual(self.processes[0].signals, [])

    def test_one_that_dies_meanwhile_is_not_replaced_twice(self) -> None:
        self.begin()
        self.master.restart()
        self.processes[0].die()
        self.reactor.advance(60)
        self.assertEqual(len(self.processes), 3)
        self.processes[2].serve()
        self.assertTrue(self.master._places[0].is_served)

    def test_there_is_never_a_crowd(self) -> None:
        self.begin()
        for _ in range(5):
            self.master.restart()
        for process in self.processes:  # grows meanwhile
            process.serve()
        # Two serve; those who leave still have their sessions.
        leaving = [each for each in self.processes if each.signals]
        self.assertLessEqual(len(leaving), 4)
        leaving[0].die(0)
        self.assertGreater(len(self.processes), len(leaving) + 2)

    def test_who_takes_too_long_to_leave_is_killed(self) -> None:
        self.begin()
        first, _ = self.processes
        self.master.restart()
        self.processes[2].serve()
        self.reactor.advance(self.config.limits.drain + PATIENCE)
        self.assertEqual(first.signals[-1], signal.SIGKILL)


class NumberTests(MasterTests):
    """More workers, and fewer."""

    def use(self, number: int) -> None:
        server = replace(self.config.server, workers=number)
        self.master.use(replace(self.config, server=server))

    def test_one_more_listens_where_others_do(self) -> None:
        self.begin()
        first, _ = self.processes
        self.use(3)
        third = self.processes[2]
        self.assertEqual(third.descriptors[5], first.descriptors[5])
        third.serve()
        self.assertEqual(list(self.master.workers), ["0", "1", "2"])
        self.assertEqual(first.signals, [])

    def test_nobody_ends_before_somebody_listens_on_its_sockets(self) -> None:
        self.begin()
        first, second = self.processes
        self.use(1)
        third = self.processes[2]
        sockets = {first.descriptors[5], second.descriptors[5]}
        self.assertEqual({third.descriptors[5], third.descriptors[6]}, sockets)
        self.assertEqual((first.signals, second.signals), ([], []))
        third.serve()
        self.assertEqual(first.signals, [signal.SIGTERM])
        self.assertEqual(second.signals, [signal.SIGTERM])
        second.die(0)
        self.reactor.advance(60)
        self.assertEqual(len(self.processes), 3)
        self.assertEqual(list(self.master.workers), ["0"])

    def test_nobody_ends_where_nobody_takes_over(self) -> None:
        self.begin()
        self.use(1)
        self.processes[2].say("here")
        self.processes[2].say("failed", reason="x", is_config=False)
        self.processes[2].die(0)
        self.assertEqual(self.processes[1].signals, [])

    def test_the_same_number_changes_nothing(self) -> None:
        self.begin()
        self.use(2)
        self.assertEqual(len(self.processes), 2)


class StopTests(MasterTests):
    """The end."""

    def test_all_are_told_and_awaited(self) -> None:
        self.begin()
        self.master.restart()
        ended = self.master.stopService()
        self.assertEqual(len(self.processes), 3)
        for process in self.processes:
            self.assertEqual(process.signals, [signal.SIGTERM])
            self.assertNoResult(ended)
            process.die(0)
        self.successResultOf(ended)
        self.reactor.advance(600)
        self.assertEqual(len(self.processes), 3)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_who_does_not_end_is_killed(self) -> None:
        self.begin()
        ended = self.master.stopService()
        self.reactor.advance(self.config.limits.drain + PATIENCE)
        self.successResultOf(ended)
