"""Two sessions on one mailbox: whatever they do, both know the truth."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.flags import FlagChange

from .fixture import MESSAGE, Server, run

_RESPONSE = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)\))?")
_UID = re.compile(rb"UID (\d+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")

_LITERAL = re.compile(rb"\{(\d+)\}\r\n")

FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "todo")


def without_literals(data):
    """*data* with each literal's octets left out."""
    while (marker := _LITERAL.search(data)) is not None:
        data = data[: marker.start()] + data[marker.end() + int(marker[1]) :]
    return data


class Believer:
    """A mail program that knows only what the server has told it.

    ``messages`` are ``[uid, flags]``; ``None`` stands for what was not told yet.
    """

    def __init__(self, server):
        self.client = server.logged_in()
        self.idles = False
        self.messages = []
        self.believe(self.client.ok(b"SELECT INBOX"))
        self.learn()

    def believe(self, untagged, *, expunges=True):
        for line in without_literals(untagged).split(b"\r\n"):
            found = _RESPONSE.match(line)
            if found is None:
                continue
            number, word = int(found[1]), found[2]
            if word == b"EXPUNGE":
                assert expunges, untagged
                del self.messages[number - 1]
            elif word == b"EXISTS":
                assert number >= len(self.messages), untagged
                missing = number - len(self.messages)
                self.messages += [[None, None] for _ in range(missing)]
            else:
                self.believe_fetch(self.messages[number - 1], found[3] or b"")

    def believe_fetch(self, message, items):
        uid, flags = _UID.search(items), _FLAGS.search(items)
        if uid is not None:
            assert message[0] in (None, int(uid[1])), (message, items)
            message[0] = int(uid[1])
        if flags is not None:
            message[1] = set(flags[1].decode().split()) - {"\\Recent"}

    def command(self, text, *, expunges=True):
        self.stop_idling()
        self.believe(self.client.ok(text), expunges=expunges)

    def learn(self):
        """Ask for what was only announced, and for nothing that was told."""
        self.stop_idling()
        for number, message in enumerate(self.messages, 1):
            if None in message:
                self.command(b"FETCH %d (UID FLAGS)" % number, expunges=False)

    def stop_idling(self):
        if self.idles:
            self.idles = False
            self.believe(self.client.received())
            self.client.send(b"DONE\r\n")
            untagged, _, status = self.client.received().rpartition(b"idle ")
            assert status == b"OK IDLE completed\r\n"
            self.believe(untagged)

    # What it does: each takes a number to choose by.

    def pick(self, number):
        self.stop_idling()
        return number % len(self.messages) + 1 if self.messages else 0

    def store(self, number, *, silent=False):
        place, flag = self.pick(number), FLAGS[number % len(FLAGS)]
        if not place:
            return
        change = list(FlagChange)[number % 3]
        message = self.messages[place - 1]
        text = f"STORE {place} {change.value}{'.SILENT' * silent} ({flag})"
        if silent and message[1] is not None:
            message[1] = set(change.apply(frozenset(message[1]), frozenset((flag,))))
        self.command(text.encode(), expunges=False)

    def store_silently(self, number):
        self.store(number, silent=True)

    def store_by_uid(self, number):
        self.command(b"UID STORE %d +FLAGS (\\Deleted)" % (number % 20 + 1))

    def expunge(self, number):
        self.command(b"EXPUNGE")

    def append(self, number):
        self.stop_idling()
        self.believe(self.client.append()[0])

    def move(self, number):
        if place := self.pick(number):
            self.command(b"MOVE %d Trash" % place)

    def copy(self, number):
        if place := self.pick(number):
            self.command(b"COPY %d INBOX" % place)

    def read(self, number):
        if place := self.pick(number):
            self.command(b"FETCH %d BODY[]" % place, expunges=False)

    def search(self, number):
        self.command(b"SEARCH UNDELETED", expunges=False)

    def noop(self, number):
        self.command(b"NOOP")

    def idle(self, number):
        self.stop_idling()
        self.client.send(b"idle IDLE\r\n")
        self.idles = True

    def reopen(self, number):
        self.stop_idling()
        self.messages = []
        self.command((b"UNSELECT", b"CLOSE")[number % 2])
        self.command(b"SELECT INBOX")

    ACTIONS = (
        store, store_silently, store_by_uid, expunge, append, move, copy, read,
        noop, idle, reopen,
    )  # fmt: skip


class TwoSessions(SynchronousTestCase):
    """RFC 3501, section 7: untagged responses are all a client needs."""

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 1),
                st.integers(0, len(Believer.ACTIONS) - 1),
                st.integers(0, 60),
            ),
            max_size=30,
        )
    )
    def test_whatever_they_do_both_believe_the_truth_after_noop(self, steps):
        server = Server()
        for _ in range(4):
            server.deliver()
        believers = [Believer(server), Believer(server)]
        for who, action, number in steps:
            Believer.ACTIONS[action](believers[who], number)
        for believer in believers:
            believer.noop(0)
            believer.learn()
        entries = run(server.open().changes(0)).entries
        truth = [
            [uid, set(flags)]
            for uid, flags in zip(entries.uids, entries.flags, strict=True)
        ]
        for believer in believers:
            self.assertEqual(believer.messages, truth)

    def test_a_search_during_an_expunge_elsewhere_keeps_its_numbers(self):
        server = Server()
        for subject in (b"one", b"two", b"three"):
            server.deliver(MESSAGE.replace(b"hello", subject))
        first, second = Believer(server), Believer(server)
        first.store_by_uid(0)
        first.expunge(0)
        untagged = second.client.ok(b"SEARCH SUBJECT three")
        self.assertTrue(untagged.startswith(b"* SEARCH 3\r\n"), untagged)
