"""Threads for password hashes: few, with a bounded queue before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from ..errors import Busy

#: Hashes computed at the same time: two keep a small machine usable while
#: somebody guesses passwords, and serve 100 logins a second.
HASH_THREADS = 2
#: Hashes that may wait, 0.6 s of work; beyond, logins are told to try later
#: (attack: a flood of wrong logins piles up memory and time).
HASH_QUEUE = 64

P = ParamSpec("P")
T = TypeVar("T")


class Workers(Protocol):
    """Where slow functions run."""

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of *function*; raises what it raises.

        :raises Busy: too much is waiting already.
        """


class BlockingWorkers:
    """Runs everything at once, in the caller's thread: for lone checkers."""

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return function(*args, **kwargs)


class HashWorkers:
    """A private thread pool, started at its first use.

    :param reactor: delivers the results; its shutdown stops the threads.
    :param threads: functions that run at the same time.
    :param queue: functions that may wait for a thread.
    :param pool: an own ``ThreadPool``, already started, instead.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        threads: int = HASH_THREADS,
        queue: int = HASH_QUEUE,
        pool: Any = None,
    ) -> None:
        self._reactor = reactor
        self._threads = threads
        self._room = threads + queue
        self._jobs = 0
        self._pool = pool
        self._stopping: Any = None

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of *function*, run in a thread of its turn.

        Cancelling (the peer has gone) takes it out of the queue.

        :raises Busy: as many as the limits allow are at it or wait.
        """
        if self._jobs >= self._room:
            raise Busy(f"{self._jobs} password checks are waiting")
        job = _Job(lambda: function(*args, **kwargs))
        self._jobs += 1
        self._started_pool().callInThreadWithCallback(
            lambda success, result: self._reactor.callFromThread(
                self._finish, job, success, result
            ),
            job,
        )
        return cast(T, await job.done)

    def _started_pool(self) -> Any:
        if self._pool is None:
            pool = ThreadPool(0, self._threads, "password hashes")
            pool.start()
            self._stopping = self._reactor.addSystemEventTrigger(
                "during", "shutdown", pool.stop
            )
            self._pool = pool
        return self._pool

    def stop(self) -> None:
        """End the threads before the reactor does; waits for running work."""
        if self._stopping is not None:
            self._reactor.removeSystemEventTrigger(self._stopping)
            self._pool.stop()
            self._stopping = self._pool = None

    def _finish(self, job: _Job, success: bool, result: object) -> None:
        self._jobs -= 1
        if job.abandoned:
            return
        if success:
            job.done.callback(result)
        else:
            job.done.errback(cast(Failure, result))


class _Job:
    """One function on its way through the queue."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self.abandoned = False
        self.done: Deferred[object] = Deferred(self._abandon)

    def _abandon(self, done: Deferred[object]) -> None:
        self.abandoned = True

    def __call__(self) -> object:
        return None if self.abandoned else self._function()
