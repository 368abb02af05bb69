"""Tests for :mod:`mailhub.store.feed` and :mod:`mailhub.store.watching`."""

from __future__ import annotations

import os
import socket
import stat
import time

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.errors import LocalFault
from mailhub.store import feed, watching
from mailhub.store.feed import Announcer, announce, listen, receive
from mailhub.store.watching import POLL_SECONDS, Poll, Watchers

from ..contracts.fixture import ALICE
from .sqlite_fixture import SQLiteFixture, python, write_file


class FeedTests(SynchronousTestCase):
    """Datagrams between processes, here within one."""

    def setUp(self):
        self.path = self.mktemp()
        self.run_directory = f"{self.path}/run"
        os.makedirs(self.run_directory, mode=0o700)

    def listen(self):
        listener, name = listen(self.run_directory)
        self.addCleanup(listener.close)
        return listener, name

    def announcer(self, own=""):
        announcer = Announcer(self.run_directory, own)
        self.addCleanup(announcer.close)
        return announcer

    def test_all_who_listen_hear_it_but_the_one_left_out(self):
        (one, own), (two, _), (three, _) = [self.listen() for _ in range(3)]
        self.announcer(own).announce({(1, 2), (3, 2**40)})
        self.assertEqual(
            [receive(listener) for listener in (one, two, three)],
            [set(), {(1, 2), (3, 2**40)}, {(1, 2), (3, 2**40)}],
        )

    def test_the_command_line_announces_with_one_call(self):
        listener, _ = self.listen()
        announce(self.path, [(7, 8)])
        self.assertEqual(receive(listener), {(7, 8)})

    def test_who_comes_later_hears_what_comes_later(self):
        announcer = self.announcer()
        announcer.announce([(1, 1)])
        listener, _ = self.listen()
        announcer.announce([(2, 2)])
        self.assertEqual(receive(listener), {(2, 2)})

    def test_names_are_looked_up_only_when_they_may_have_changed(self):
        listener, name = self.listen()
        past = time.time_ns() - 10**12
        os.utime(self.run_directory, ns=(past, past))
        announcer = self.announcer()
        announcer.announce([(1, 1)])
        looked = []
        real = os.listdir
        self.patch(os, "listdir", lambda path: looked.append(path) or real(path))
        announcer.announce([(2, 2)])
        self.assertEqual(receive(listener), {(1, 1), (2, 2)})
        self.assertEqual(looked, [])
        self.listen()
        announcer.announce([(3, 3)])
        self.assertEqual(looked, [self.run_directory])

    def test_the_socket_of_a_dead_process_is_removed(self):
        listener, name = self.listen()
        listener.close()
        living, _ = self.listen()
        self.announcer().announce([(1, 1)])
        self.assertNotIn(name, os.listdir(self.run_directory))
        self.assertEqual(receive(living), {(1, 1)})

    def test_a_full_socket_stops_nobody(self):
        full, _ = self.listen()
        announcer = self.announcer()
        for number in range(3000):
            announcer.announce([(number, number)])
        living, _ = self.listen()
        announcer.announce([(1, 1)])
        self.assertEqual(receive(living), {(1, 1)})
        self.assertIn((0, 0), receive(full))

    def test_more_mailboxes_than_a_datagram_names_take_more_of_them(self):
        listener, _ = self.listen()
        announcer = self.announcer()
        received = []
        self.patch(feed, "unpack", lambda data: received.append(data) or [])
        for number, datagrams in (
            (feed.MAX_PAIRS, 1), (feed.MAX_PAIRS + 1, 2), (3 * feed.MAX_PAIRS, 3)
        ):
            received.clear()
            pairs = [(1, mailbox) for mailbox in range(number)]
            announcer.announce(pairs)
            receive(listener)
            self.assertEqual((number, len(received)), (number, datagrams))
            self.assertEqual(b"".join(received), feed.pack(pairs))

    def test_what_is_no_datagram_of_ours_names_nothing(self):
        listener, name = self.listen()
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sender.close)
        for data in (b"", b"x", b"x" * 15, b"x" * 17, b"y" * 100_000):
            with feed.address_of(self.run_directory, name) as address:
                sender.sendto(data, address)
        self.assertEqual(receive(listener), set())

    def test_a_long_path_is_no_obstacle(self):
        self.run_directory = f"{self.path}/{'x' * 200}"
        os.makedirs(self.run_directory)
        listener, name = self.listen()
        self.announcer().announce([(1, 1)])
        self.assertEqual(receive(listener), {(1, 1)})
        self.assertIn(name, os.listdir(self.run_directory))

    def test_nobody_else_may_write_to_the_socket(self):
        _, name = self.listen()
        mode = os.stat(f"{self.run_directory}/{name}").st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_announcing_without_a_directory_is_harmless(self):
        announce(f"{self.path}/nowhere", [(1, 1)])

    def test_a_file_with_such_a_name_is_harmless(self):
        write_file(f"{self.run_directory}/feed-1-x.sock", b"")
        listener, _ = self.listen()
        self.announcer().announce([(1, 1)])
        self.assertEqual(receive(listener), {(1, 1)})


class WatchersTests(SynchronousTestCase):
    """Who is called for which mailbox."""

    def setUp(self):
        self.watchers = Watchers()
        self.calls = []

    def watch(self, pair, name):
        return self.watchers.watch(pair, lambda: self.calls.append(name))

    def test_only_those_who_watch_it_are_called(self):
        self.watch((1, 1), "a")
        self.watch((1, 1), "b")
        self.watch((1, 2), "c")
        self.watchers.fire([(1, 1), (9, 9)])
        self.assertEqual(self.calls, ["a", "b"])

    def test_who_ends_is_forgotten_also_twice(self):
        ends = [self.watch((1, 1), name) for name in "ab"]
        ends[0]()
        ends[0]()
        self.assertEqual(self.watchers.watched(), [(1, 1)])
        ends[1]()
        self.assertEqual(self.watchers.watched(), [])
        self.watch((1, 1), "c")
        ends[1]()
        self.watchers.fire([(1, 1)])
        self.assertEqual(self.calls, ["c"])


class PollTests(SynchronousTestCase):
    """What no datagram told is found by looking."""

    def setUp(self):
        self.watchers = Watchers()
        self.calls = []
        self.version = 1
        self.modseqs = {}
        self.asked = []
        self.clock = Clock()
        self.poll = Poll(
            self.watchers,
            version=lambda: self.version,
            modseqs=self.look,
            clock=self.clock,
        )

    def look(self, pairs):
        self.asked.append(pairs)
        return {pair: self.modseqs.get(pair, 0) for pair in pairs}

    def watch(self, *pairs):
        for pair in pairs:
            self.watchers.watch(pair, lambda pair=pair: self.calls.append(pair))

    def round(self):
        self.calls.clear()
        self.clock.advance(POLL_SECONDS)
        return self.calls

    def test_a_change_that_nobody_told_of_is_found(self):
        self.watch((1, 1), (1, 2))
        self.modseqs = {(1, 1): 5, (1, 2): 6}
        self.version += 1
        self.assertEqual(self.round(), [(1, 1), (1, 2)])
        self.version += 1
        self.assertEqual(self.round(), [])
        self.modseqs[1, 2] = 7
        self.version += 1
        self.assertEqual(self.round(), [(1, 2)])

    def test_a_mailbox_that_has_gone_is_a_change(self):
        self.watch((1, 1))
        self.modseqs = {(1, 1): 5}
        self.version += 1
        self.round()
        del self.modseqs[1, 1]
        self.version += 1
        self.assertEqual(self.round(), [(1, 1)])

    def test_a_store_that_has_not_changed_is_not_looked_at(self):
        self.watch((1, 1))
        self.assertEqual(self.round(), [])
        self.assertEqual(self.asked, [])

    def test_many_mailboxes_are_looked_at_in_turns(self):
        self.patch(watching, "_PIECE", 2)
        self.watch(*[(1, number) for number in range(5)])
        self.version += 1
        self.round()
        self.assertEqual([len(pairs) for pairs in self.asked], [2, 2, 1])
        self.assertEqual(len(self.calls), 5)

    def test_a_fault_does_not_end_it(self):
        self.watch((1, 1))
        for broken in ("_version", "_modseqs"):
            def fail(*_):
                raise LocalFault("disk")

            kept = getattr(self.poll, broken)
            self.patch(self.poll, broken, fail)
            self.version += 1
            self.assertEqual(self.round(), [])
            self.patch(self.poll, broken, kept)
        self.modseqs = {(1, 1): 1}
        self.version += 1
        self.assertEqual(self.round(), [(1, 1)])

    def test_it_can_be_stopped(self):
        self.poll.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.poll.stop()


class ProcessesTests(SQLiteFixture, TestCase):
    """A change made by another process is heard of here."""

    async def heard(self, change):
        """Wait until Alice's INBOX is said to have changed after *change*."""
        called = Deferred()
        inbox = await self.open()
        known = (await inbox.changes(0)).modseq
        end = inbox.watch(lambda: called.called or called.callback(None))
        await change()
        await called
        end()
        return (await inbox.changes(known)).entries.uids.tolist()

    async def test_a_delivery_in_another_process_calls_the_watcher_here(self):
        code = (
            "import sys\n"
            "from twisted.internet import reactor, task, defer\n"
            "from mailhub.mail.account import Delivery, Target\n"
            "from mailhub.net.spool import Spool\n"
            "from mailhub.store.content import BytesContent\n"
            "from mailhub.store.sqlite.store import SQLiteStore\n"
            "async def main(reactor):\n"
            "    store = SQLiteStore(sys.argv[1], reactor=reactor, spool=Spool)\n"
            "    await store.start()\n"
            "    account = await store.directory.find_account(sys.argv[2])\n"
            "    content = BytesContent(b'Subject: from afar\\r\\n\\r\\n')\n"
            "    targets = (Target(account.account_id),)\n"
            "    await store.deliver(Delivery(content, b'', targets, 1))\n"
            "    await store.stop()\n"
            "task.react(lambda r: defer.Deferred.fromCoroutine(main(r)))\n"
        )
        children = []

        async def deliver():
            children.append(python(code, self.path, ALICE))

        self.assertEqual(await self.heard(deliver), [1])
        children[0].communicate()
        self.assertEqual(children[0].returncode, 0)
        self.assertEqual(await self.subjects(), ["from afar"])

    async def test_a_second_store_in_the_process_is_heard_as_well(self):
        other, mine = await self.another(), self.store

        async def deliver():
            self.store = other
            await self.deliver()
            self.store = mine

        self.assertEqual(await self.heard(deliver), [1])

    async def test_nothing_but_the_pipe_of_all_is_left_after_the_end(self):
        await self.store.stop()
        left = sorted(os.listdir(f"{self.path}/run"))
        self.assertEqual(left, ["maildrops.lock", "turn"])
