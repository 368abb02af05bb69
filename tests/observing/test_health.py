"""Whether a server is ready, and what it says if it is not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailhub.errors import StorageFull
from mailhub.interfaces import IMeasuredStore
from mailhub.observing import health
from mailhub.observing.health import examine, together


@implementer(IMeasuredStore)
@dataclass
class FakeStore:
    """A store that works, hangs, or does not work."""

    outcome: Any = None
    path: str = "/"
    measures: Any = None

    def log_octets(self) -> int:
        return 0

    async def probe(self) -> None:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        await (self.outcome or succeed(None))


@dataclass
class FakeMail:
    """As much of a server as is examined."""

    store: Any = field(default_factory=FakeStore)
    is_draining: bool = False
    is_listening: bool = True


class Volume:
    """What statvfs(3) says."""

    f_frsize = 4096
    f_files = 1_000_000

    def __init__(self, octets: int, files: int = 1_000_000) -> None:
        self.f_bavail = octets // self.f_frsize
        self.f_favail = files


class ExamineTests(SynchronousTestCase):
    """The checks of one process."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.mail = FakeMail()
        self.volume = Volume(1 << 40)
        self.patch(os, "statvfs", lambda path: self.volume)

    def faults(self) -> dict[str, str]:
        checks = self.successResultOf(
            Deferred.fromCoroutine(examine(self.mail, self.clock))
        )
        self.assertEqual(set(checks), {"drain", "listeners", "disk", "store"})
        return {name: fault for name, fault in checks.items() if fault}

    def test_all_is_well(self) -> None:
        self.assertEqual(self.faults(), {})

    def test_a_server_that_stops_is_not_ready(self) -> None:
        self.mail.is_draining = True
        self.assertEqual(self.faults(), {"drain": "the server is stopping"})

    def test_a_server_that_does_not_listen_is_not_ready(self) -> None:
        self.mail.is_listening = False
        self.assertEqual(list(self.faults()), ["listeners"])

    def test_a_store_that_takes_nothing(self) -> None:
        self.mail.store.outcome = StorageFull("/secret/path is full")
        self.assertEqual(
            self.faults(), {"store": "nothing can be stored: StorageFull"}
        )

    def test_a_store_that_hangs(self) -> None:
        self.mail.store.outcome = Deferred()
        done = Deferred.fromCoroutine(examine(self.mail, self.clock))
        self.clock.advance(health.PATIENCE - 0.1)
        self.assertNoResult(done)
        self.clock.advance(0.1)
        checks = self.successResultOf(done)
        self.assertEqual(checks["store"], "nothing was stored within 5 s")

    def test_the_reserve_of_octets(self) -> None:
        self.volume = Volume(health.RESERVE_OCTETS)
        self.assertEqual(self.faults(), {})
        self.volume = Volume(health.RESERVE_OCTETS - 4096)
        self.assertEqual(list(self.faults()), ["disk"])

    def test_the_reserve_of_files(self) -> None:
        self.volume = Volume(1 << 40, health.RESERVE_FILES)
        self.assertEqual(self.faults(), {})
        self.volume = Volume(1 << 40, health.RESERVE_FILES - 1)
        self.assertEqual(list(self.faults()), ["disk"])

    def test_a_file_system_without_a_number_of_files(self) -> None:
        self.volume = Volume(1 << 40, 0)
        self.volume.f_files = 0
        self.assertEqual(self.faults(), {})

    def test_a_volume_that_is_gone(self) -> None:
        def gone(path: str) -> None:
            raise OSError(5, "Input/output error")

        self.patch(os, "statvfs", gone)
        self.assertIn("Input/output error", self.faults()["disk"])

    def test_a_store_that_keeps_nothing_has_nothing_to_check(self) -> None:
        self.mail.store = object()
        self.assertEqual(self.faults(), {})


class TogetherTests(SynchronousTestCase):
    """The checks of a server of several processes."""

    def test_one_process_that_is_not_ready_is_named(self) -> None:
        heard = {"0": {"store": ""}, "1": {"store": "broken"}}
        self.assertEqual(
            together(heard, 2), {"store": "worker 1: broken", "workers": ""}
        )

    def test_a_single_process_has_no_name(self) -> None:
        self.assertEqual(
            together({"0": {"store": "broken"}}, 1), {"store": "broken", "workers": ""}
        )

    def test_a_process_that_does_not_answer_is_missed(self) -> None:
        self.assertEqual(
            together({"0": {}}, 2), {"workers": "1 of 2 do not answer"}
        )
