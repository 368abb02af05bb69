"""Tests for :mod:`mailhub.logbook`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from mailhub.logbook import Complaints, Logbook


class LogbookTests(SynchronousTestCase):
    """The same events as a Logger's, but for their source."""

    def events(self, kind: type[Logger]) -> list[dict]:
        """What an object whose class has such a logger says."""
        said: list[dict] = []

        class Speaker:
            log = kind(observer=said.append)

            def speak(self) -> None:
                self.log.info("{a}", a=1)
                self.log.warn("{b}", b=2)

        Speaker().speak()
        Speaker.log.info("of the class")
        for event in said:
            del event["log_time"], event["log_logger"], event["log_source"]
        return said

    def test_its_events_are_those_of_a_logger(self) -> None:
        self.assertEqual(self.events(Logbook), self.events(Logger))
        self.assertEqual(self.events(Logbook)[0]["log_level"], LogLevel.info)

    def test_subclasses_have_names_of_their_own(self) -> None:
        said: list[dict] = []

        class Base:
            log = Logbook(observer=said.append)

        class Derived(Base):
            pass

        for each in (Base(), Derived(), Base()):
            each.log.info("x")
        names = [event["log_namespace"].rpartition(".")[2] for event in said]
        self.assertEqual(names, ["Base", "Derived", "Base"])

    def test_it_is_made_once_for_a_class(self) -> None:
        class Speaker:
            log = Logbook()

        self.assertIs(Speaker().log, Speaker().log)


class ComplaintTests(SynchronousTestCase):
    """A disk that stays full fills no log."""

    def test_a_fault_is_logged_once_in_a_while(self) -> None:
        clock = Clock()
        complaints = Complaints(clock.seconds)
        said = [complaints.is_due()]
        for seconds in (0.0, 0.5, 0.49, 0.01, 0.01, 1.0):
            clock.advance(seconds)
            said.append(complaints.is_due())
        self.assertEqual(said, [True, False, False, False, True, False, True])
