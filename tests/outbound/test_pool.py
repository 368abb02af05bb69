"""Sessions that wait for another message."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from mailhub.outbound.places import Place
from mailhub.outbound.pool import Pool, Reuse
from mailhub.smtp.client_capabilities import NONE, Capabilities

HERE, THERE = Place("192.0.2.1", 25, "mx.example"), Place("192.0.2.2", 25, "mx.example")


@dataclass(eq=False)
class Session:
    """What the pool has to know of one."""

    messages: int = 1
    since: float = 0.0
    able: Capabilities = NONE
    is_free: bool = True

    def quit(self) -> None:
        self.is_free = False


class PoolTests(SynchronousTestCase):
    """Who is used again, and who is not."""

    def setUp(self) -> None:
        self.now = 0.0
        reuse = Reuse(messages=5, age=100.0, most_idle=3)
        self.pool = Pool(reuse, lambda: self.now)

    def test_the_last_that_came_goes_first(self) -> None:
        one, two = Session(), Session()
        self.pool.give(HERE, one)
        self.pool.give(HERE, two)
        taken = [self.pool.take(HERE) for _ in range(3)]
        self.assertEqual(taken, [two, one, None])
        self.assertEqual(self.pool.idle, 0)

    def test_only_where_it_leads_to(self) -> None:
        self.pool.give(HERE, Session())
        self.assertIsNone(self.pool.take(THERE))

    def test_not_when_it_has_ended_meanwhile(self) -> None:
        session = Session()
        self.pool.give(HERE, session)
        session.quit()
        self.assertIsNone(self.pool.take(HERE))
        other = Session()
        self.pool.give(HERE, other)
        self.pool.forget(HERE, other)
        self.pool.forget(HERE, other)
        self.assertIsNone(self.pool.take(HERE))
        self.assertEqual(self.pool.idle, 0)

    def test_messages_and_age_are_limited(self) -> None:
        for session, is_kept in (
            (Session(messages=4), True), (Session(messages=5), False),
            (Session(since=-99.0), True), (Session(since=-100.0), False),
        ):  # fmt: skip
            self.pool.give(HERE, session)
            self.assertEqual(session.is_free, is_kept)
            self.assertIs(self.pool.take(HERE), session if is_kept else None)

    def test_the_server_may_say_how_many_it_takes(self) -> None:
        """RFC 9422."""
        session = Session(messages=2, able=Capabilities(most_messages=2))
        self.pool.give(HERE, session)
        self.assertFalse(session.is_free)

    def test_only_so_many_wait(self) -> None:
        sessions = [Session() for _ in range(4)]
        for session in sessions:
            self.pool.give(HERE, session)
        self.assertEqual([each.is_free for each in sessions], [True] * 3 + [False])
        self.assertEqual(self.pool.idle, 3)
