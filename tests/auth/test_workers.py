from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.auth.workers import HASH_QUEUE, HASH_THREADS, HashWorkers
from mailhub.errors import Busy

from .fakes import HeldPool, ThreadlessReactor


class BoundedWork(SynchronousTestCase):
    """Attack: a flood of wrong logins must not pile up work."""

    def setUp(self) -> None:
        self.pool = HeldPool()
        self.workers = HashWorkers(ThreadlessReactor(), pool=self.pool)

    def start(self, function: Any, *args: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.workers.run(function, *args))

    def test_results_and_exceptions_come_back(self) -> None:
        doubled = self.start(lambda x: 2 * x, 21)
        failing = self.start(int, "x")
        self.assertNoResult(doubled)
        self.pool.work()
        self.assertEqual(self.successResultOf(doubled), 42)
        self.pool.work()
        self.failureResultOf(failing, ValueError)

    def test_one_more_than_fits_is_busy(self) -> None:
        room = HASH_THREADS + HASH_QUEUE
        waiting = [self.start(str) for _ in range(room)]
        self.failureResultOf(self.start(str), Busy)
        self.assertEqual(len(self.pool.waiting), room)
        self.pool.work()
        self.assertEqual(self.successResultOf(waiting[0]), "")
        self.assertNoResult(self.start(str))

    def test_who_has_gone_is_not_worked_for(self) -> None:
        worked: list[int] = []
        gone = self.start(worked.append, 1)
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.pool.work()
        self.assertEqual(worked, [])

    def test_going_away_does_not_make_room_before_the_work_is_off_the_queue(
        self,
    ) -> None:
        for _ in range(HASH_THREADS + HASH_QUEUE):
            gone = self.start(str)
            gone.cancel()
            self.failureResultOf(gone, CancelledError)
        self.failureResultOf(self.start(str), Busy)
        self.pool.work()
        self.assertNoResult(self.start(str))


class RealThreads(TestCase):
    """The pool that a server gets."""

    async def test_work_is_done_in_another_thread(self) -> None:
        from twisted.internet import reactor

        workers = HashWorkers(reactor)
        self.assertNotEqual(await workers.run(threading.get_ident),
                            threading.get_ident())
        workers.stop()
