"""The observer: what it writes when; and the files it writes to."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from twisted.application.service import Application
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailhub.config.faults import ConfigError
from mailhub.config.settings import Config, Log
from mailhub.observing import logfile
from mailhub.observing.logfile import FileSink, Sink
from mailhub.observing.logs import TOGETHER, LineObserver, install, is_journal
from mailhub.observing.rendering import TextLines


class FakeReactor(Clock):
    """A virtual clock that counts as a reactor."""

    running = True

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        self.callLater(0, call, *arguments)


class FakeSink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


class ObserverTests(SynchronousTestCase):
    """When lines are written."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.sink = FakeSink()
        self.start("info")

    def start(self, least: str) -> None:
        self.observer = LineObserver(TextLines(), self.sink, self.reactor, least)
        self.log = Logger("a.b", observer=self.observer)

    def messages(self) -> list[list[str]]:
        """What was said, by writes."""
        return [
            [line.partition("] ")[2] for line in data.decode().splitlines()]
            for data in self.sink.written
        ]

    def test_lines_of_one_turn_are_written_together(self) -> None:
        self.log.info("one")
        self.log.info("two")
        self.assertEqual(self.messages(), [])
        self.reactor.advance(0)
        self.assertEqual(self.messages(), [["one", "two"]])
        self.log.info("three")
        self.reactor.advance(0)
        self.assertEqual(self.messages()[1:], [["three"]])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_trouble_is_written_at_once_with_what_led_to_it(self) -> None:
        for level in ("warn", "error", "critical"):
            self.sink.written.clear()
            self.log.info("before")
            getattr(self.log, level)("trouble")
            self.assertEqual(self.messages(), [["before", "trouble"]])
        self.reactor.advance(0)
        self.assertEqual(len(self.messages()), 1)

    def test_much_does_not_wait_for_the_turn_s_end(self) -> None:
        empty = len(TextLines()({"log_format": "", "log_namespace": "a.b"}))
        self.log.info("{x}", x="x" * (TOGETHER - empty - 1))
        self.assertEqual(self.messages(), [])
        self.reactor.advance(0)
        self.sink.written.clear()
        self.log.info("{x}", x="x" * (TOGETHER - empty))
        self.assertEqual(len(self.messages()), 1)

    def test_without_a_running_reactor_nothing_waits(self) -> None:
        self.reactor.running = False
        self.log.info("start")
        self.assertEqual(self.messages(), [["start"]])

    def test_another_thread_writes_for_itself(self) -> None:
        thread = threading.Thread(target=self.log.info, args=("elsewhere",))
        thread.start()
        thread.join()
        self.assertEqual(self.messages(), [["elsewhere"]])

    def test_what_is_not_serious_enough_is_left_out(self) -> None:
        for least, said in (
            ("debug", ["debug", "info", "warn", "error", "critical"]),
            ("info", ["info", "warn", "error", "critical"]),
            ("error", ["error", "critical"]),
        ):
            self.sink.written.clear()
            self.start(least)
            for level in ("debug", "info", "warn", "error", "critical"):
                getattr(self.log, level)(level)
            self.observer.flush()
            self.assertEqual(sum(self.messages(), []), said)

    def test_halves_of_surrogates_are_written_somehow(self) -> None:
        self.observer._render = lambda event: "\udc80\n"
        self.log.error("x")
        self.assertEqual(self.sink.written, [b"\\udc80\n"])

    def test_it_provides_the_interface(self) -> None:
        verifyObject(ILogObserver, self.observer)


class SinkTests(SynchronousTestCase):
    """Files and pipes."""

    def pipe(self) -> tuple[Sink, int]:
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        sink = Sink(writer)
        self.addCleanup(os.close, writer)
        return sink, reader

    def file(self, seconds: Any = None) -> FileSink:
        self.path = self.mktemp()
        sink = FileSink(self.path, seconds or Clock().seconds)
        self.addCleanup(os.close, sink.descriptor)
        return sink

    def read(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def test_a_pipe_gets_whole_lines_at_a_time(self) -> None:
        sink, _ = self.pipe()
        sizes: list[int] = []
        real = os.write

        def write(descriptor: int, data: bytes) -> int:
            sizes.append(len(data))
            self.assertTrue(data.endswith(b"\n"))
            return real(descriptor, data)

        self.patch(os, "write", write)
        sink.write((b"x" * 999 + b"\n") * 10)
        self.assertEqual(sizes, [4000, 4000, 2000])
        sink.write(b"y" * 5000 + b"\nz\n")
        self.assertEqual(sizes[3:], [5001, 2])

    def test_lines_wait_for_a_reader_within_bounds(self) -> None:
        sink, reader = self.pipe()
        os.set_blocking(sink.descriptor, False)
        self.patch(logfile, "BACKLOG", 100_000)
        line = b"x" * 999 + b"\n"
        for _ in range(160):
            sink.write(line)
        self.assertEqual(sink.lost, 0)
        for _ in range(100):
            sink.write(line)
        self.assertGreater(sink.lost, 90)
        received = b""
        while len(received) < len(line) * (260 - sink.lost):
            received += os.read(reader, 1 << 20)
            sink.write(b"")
        sink.write(b"last\n")
        received += os.read(reader, 1 << 20)
        self.assertEqual(received, line * (260 - sink.lost) + b"last\n")

    def test_a_disk_that_is_full_costs_lines_and_nothing_else(self) -> None:
        sink = self.file()

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        self.patch(os, "write", full)
        sink.write(b"one\ntwo\n")
        self.assertEqual(sink.lost, 2)

    def test_a_file_is_appended_to_and_is_not_for_everybody(self) -> None:
        sink = self.file()
        sink.write(b"one\n")
        other = FileSink(self.path)
        other.write(b"two\n")
        os.close(other.descriptor)
        self.assertEqual(self.read(self.path), b"one\ntwo\n")
        self.assertEqual(os.stat(self.path).st_mode & 0o007, 0)

    def test_a_file_that_was_moved_away_is_begun_anew(self) -> None:
        clock = Clock()
        sink = self.file(clock.seconds)
        sink.write(b"one\n")
        os.rename(self.path, f"{self.path}.1")
        clock.advance(0.9)
        sink.write(b"two\n")
        clock.advance(0.1)
        sink.write(b"three\n")
        self.assertEqual(self.read(f"{self.path}.1"), b"one\ntwo\n")
        self.assertEqual(self.read(self.path), b"three\n")

    def test_a_file_that_another_took_the_place_of_is_begun_anew(self) -> None:
        clock = Clock()
        sink = self.file(clock.seconds)
        os.rename(self.path, f"{self.path}.1")
        with open(self.path, "wb") as file:
            file.write(b"new\n")
        clock.advance(1)
        sink.write(b"one\n")
        self.assertEqual(self.read(self.path), b"new\none\n")

    def test_a_file_that_cannot_be_begun_anew_goes_on(self) -> None:
        sink = self.file()
        moved = f"{self.path}.1"
        os.rename(self.path, moved)
        os.mkdir(self.path)
        sink.reopen()
        sink.write(b"one\n")
        self.assertEqual(self.read(moved), b"one\n")

    def test_the_journal_is_known_by_its_stream(self) -> None:
        sink, _ = self.pipe()
        here = os.fstat(sink.descriptor)
        for value, answer in (
            (f"{here.st_dev}:{here.st_ino}", True),
            (f"{here.st_dev}:{here.st_ino + 1}", False),
            ("", False),
        ):
            self.patch(os, "environ", {"JOURNAL_STREAM": value})
            self.assertEqual(is_journal(sink.descriptor), answer)


class InstallTests(SynchronousTestCase):
    """How twistd comes to use it."""

    def setUp(self) -> None:
        self.application = Application("mailhub")
        self.reactor = FakeReactor()
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

    def install(self, log: Log = Log(), **twistd: Any) -> LineObserver | None:  # noqa: B008
        observer = install(self.application, Config(log=log), self.reactor, twistd)
        self.assertIs(self.application.getComponent(ILogObserver), observer)
        if observer is not None:
            self.addCleanup(os.close, observer.sink.descriptor)
        return observer

    def test_the_options_of_twistd_are_stronger(self) -> None:
        for option in ({"logger": object()}, {"syslog": True}):
            self.assertIsNone(self.install(**option))

    def test_a_file_is_the_option_s_or_the_configured_one(self) -> None:
        first, second = f"{self.folder}/first", f"{self.folder}/second"
        self.install(Log(file=second), logfile=first, nodaemon=True)
        self.assertTrue(os.path.exists(first))
        self.assertFalse(os.path.exists(second))
        self.install(Log(file=second), nodaemon=True)
        self.assertTrue(os.path.exists(second))

    def test_sigusr1_begins_a_new_file(self) -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        path = f"{self.folder}/log"
        self.install(Log(file=path))
        os.rename(path, f"{path}.1")
        os.kill(os.getpid(), signal.SIGUSR1)
        self.reactor.advance(0)
        self.assertTrue(os.path.exists(path))

    def test_a_file_that_cannot_be_opened_is_a_fault_of_the_configuration(self) -> None:
        log = Log(file=f"{self.folder}/missing/log")
        error = self.assertRaises(ConfigError, self.install, log)
        self.assertIn("[log] file", str(error))
