"""The client's view of its mailbox."""

from __future__ import annotations

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap.numset import NumberSet
from mailhub.imap.view import View
from mailhub.mail.flags import NO_FLAGS, SEEN, Flags
from mailhub.mail.mailbox import Changes, Entries, Outline

SEEN_ONLY: Flags = frozenset((SEEN,))


def entries(*messages: tuple[int, Flags]) -> Entries:
    return Entries(
        array("I", [uid for uid, _ in messages]),
        array("Q", [1] * len(messages)),
        [flags for _, flags in messages],
    )


def changes(
    *messages: tuple[int, Flags], modseq: int = 2, vanished: tuple[int, ...] = ()
) -> Changes:
    return Changes(modseq, entries(*messages), list(vanished))


def view_of(*uids: int) -> View:
    every = changes(*((uid, NO_FLAGS) for uid in uids), modseq=1)
    return View.of_all(every, read_only=False)


class Numbers(SynchronousTestCase):
    """Sequence numbers and UIDs (RFC 3501, section 2.3.1)."""

    def test_sequence_numbers_are_places_in_the_view(self) -> None:
        view = view_of(3, 5, 9)
        places = view.places(NumberSet.parse(b"2:*"), by_uid=False)
        self.assertEqual(list(view.uids_at(places)), [5, 9])
        self.assertEqual(list(view.numbers_at(places)), [2, 3])

    def test_uids_that_do_not_exist_are_left_out(self) -> None:
        view = view_of(3, 5, 9)
        places = view.places(NumberSet.parse(b"1:4,9,77"), by_uid=True)
        self.assertEqual(list(view.uids_at(places)), [3, 9])
        self.assertEqual(list(view.numbers_at(places)), [1, 3])

    def test_numbers_beyond_the_last_name_no_message(self) -> None:
        view = view_of(3, 5)
        self.assertEqual(len(view.places(NumberSet.parse(b"3:10"), by_uid=False)), 0)

    def test_nothing_is_named_in_an_empty_mailbox(self) -> None:
        view = view_of()
        for by_uid in (False, True):
            places = view.places(NumberSet.parse(b"1:*"), by_uid=by_uid)
            self.assertEqual(len(places), 0)
        self.assertEqual(view.last_uid, 0)
        self.assertIsNone(view.first_unseen)

    def test_search_results_become_sequence_numbers(self) -> None:
        self.assertEqual(view_of(3, 5, 9).numbers_of([3, 9, 10]), [1, 3])

    def test_the_first_unseen_message_is_known(self) -> None:
        view = View.of_all(changes((3, SEEN_ONLY), (4, NO_FLAGS)), read_only=False)
        self.assertEqual(view.first_unseen, 4)


class Telling(SynchronousTestCase):
    """What unasked responses say (RFC 3501, section 7)."""

    def test_expunges_come_highest_number_first(self) -> None:
        view = view_of(3, 5, 9)
        told = view.tell(changes(vanished=(3, 9)), expunges=True)
        self.assertEqual(told, b"* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n")
        self.assertEqual(list(view.uids), [5])

    def test_expunges_wait_while_numbers_must_not_shift(self) -> None:
        view = view_of(3, 5, 9)
        self.assertEqual(view.tell(changes(vanished=(5,)), expunges=False), b"")
        self.assertEqual(len(view), 3)
        self.assertEqual(view.tell_vanished(), b"* 2 EXPUNGE\r\n")
        self.assertEqual(view.tell_vanished(), b"")

    def test_a_message_that_came_and_went_unseen_is_never_mentioned(self) -> None:
        view = view_of(3)
        self.assertEqual(view.tell(changes(vanished=(4,)), expunges=True), b"")

    def test_new_messages_are_told_after_expunges(self) -> None:
        view = view_of(3, 5)
        told = view.tell(
            changes((7, NO_FLAGS), vanished=(3,)), expunges=True, recent_from=7
        )
        self.assertEqual(told, b"* 1 EXPUNGE\r\n* 2 EXISTS\r\n* 1 RECENT\r\n")

    def test_new_messages_count_on_top_of_those_whose_end_was_not_told(self) -> None:
        view = view_of(3, 5)
        told = view.tell(changes((7, NO_FLAGS), vanished=(3,)), expunges=False)
        self.assertEqual(told, b"* 3 EXISTS\r\n* 0 RECENT\r\n")
        self.assertEqual(view.tell_vanished(), b"* 1 EXPUNGE\r\n")
        self.assertEqual(list(view.uids), [5, 7])

    def test_flags_set_elsewhere_are_told_by_their_new_number(self) -> None:
        view = view_of(3, 5)
        told = view.tell(changes((5, SEEN_ONLY), vanished=(3,)), expunges=True)
        self.assertEqual(
            told, b"* 1 EXPUNGE\r\n* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n"
        )

    def test_flags_that_the_client_knows_are_not_told_again(self) -> None:
        view = view_of(3)
        view.tell(changes((3, SEEN_ONLY)), expunges=True)
        self.assertEqual(view.tell(changes((3, SEEN_ONLY)), expunges=True), b"")

    def test_flags_of_a_vanished_message_are_not_told(self) -> None:
        view = view_of(3, 5)
        view.tell(changes(vanished=(5,)), expunges=False)
        told = view.tell(changes((5, SEEN_ONLY)), expunges=True)
        self.assertEqual(told, b"* 2 EXPUNGE\r\n")

    def test_an_unknown_keyword_is_announced_before_it_is_used(self) -> None:
        view = view_of(3)
        told = view.tell(changes((3, frozenset(("todo",)))), expunges=True)
        self.assertEqual(
            told,
            b"* FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen todo)\r\n"
            b"* 1 FETCH (UID 3 FLAGS (todo))\r\n",
        )

    def test_many_scattered_expunges_leave_the_right_messages(self) -> None:
        view = view_of(*range(1, 101))
        told = view.tell(changes(vanished=tuple(range(2, 101, 2))), expunges=True)
        self.assertEqual(told.count(b"EXPUNGE"), 50)
        self.assertEqual(list(view.uids), list(range(1, 100, 2)))
        self.assertEqual(view.flags_at(range(50)), [NO_FLAGS] * 50)


class Recent(SynchronousTestCase):
    """``\\Recent`` belongs to one session (RFC 3501, section 2.3.2)."""

    def test_messages_from_the_claimed_uid_on_are_recent(self) -> None:
        view = view_of(3, 5, 9)
        view.claim_recent(5)
        self.assertEqual(list(view.recent), [5, 9])
        self.assertEqual(
            view.flags_at(range(3)),
            [NO_FLAGS, frozenset(("\\Recent",)), frozenset(("\\Recent",))],
        )
        self.assertEqual(view.flags_at([0, 2])[1], frozenset(("\\Recent",)))

    def test_a_later_claim_adds_only_later_messages(self) -> None:
        view = view_of(3)
        view.claim_recent(3)
        view.tell(changes((4, NO_FLAGS), (5, NO_FLAGS)), expunges=True, recent_from=5)
        self.assertEqual(list(view.recent), [3, 5])

    def test_an_expunged_message_is_no_longer_recent(self) -> None:
        view = view_of(3, 5)
        view.claim_recent(1)
        view.tell(changes(vanished=(3,)), expunges=True)
        self.assertEqual(list(view.recent), [5])

    def test_recent_is_shown_with_the_other_flags(self) -> None:
        view = view_of(3)
        view.claim_recent(3)
        told = view.tell(changes((3, SEEN_ONLY)), expunges=True)
        self.assertEqual(told, b"* 1 FETCH (UID 3 FLAGS (\\Recent \\Seen))\r\n")


class Storing(SynchronousTestCase):
    """Flags that the session's own commands change."""

    def test_they_are_those_that_the_client_sees(self) -> None:
        view = View.of_all(changes((3, SEEN_ONLY), (4, NO_FLAGS)), read_only=False)
        self.assertEqual(view.unseen_at(range(2)), [1])
        view.take_flags(entries((3, SEEN_ONLY), (4, SEEN_ONLY)))
        self.assertEqual(view.unseen_at(range(2)), [])
        told = view.fetched_flags([1], with_uid=True)
        self.assertEqual(told, b"* 2 FETCH (UID 4 FLAGS (\\Seen))\r\n")


class Outlined(SynchronousTestCase):
    """A view that knows its messages, and learns their flags when they matter."""

    def setUp(self) -> None:
        keywords = frozenset(("todo",))
        outline = Outline(1, ((1, 300), (1000, 1000)), 7, keywords)
        self.view = View(outline, read_only=False)

    def learn(self, *others: tuple[int, Flags]) -> None:
        for first, last in self.view.missing(range(len(self.view))):
            among = [pair for pair in others if first <= pair[0] <= last]
            self.view.learn(first, last, SEEN_ONLY, among)

    def test_all_but_the_flags_is_known(self) -> None:
        self.assertEqual(len(self.view), 301)
        self.assertEqual(self.view.last_uid, 1000)
        self.assertEqual(list(self.view.uids_at([0, 300])), [1, 1000])
        self.assertEqual(self.view.first_unseen, 7)
        self.assertEqual(self.view.keywords, frozenset(("todo",)))

    def test_only_what_is_asked_for_has_to_be_learned(self) -> None:
        self.assertEqual(self.view.missing(range(1)), [(0, 63)])
        some = [0, 64, 299, 300]
        self.assertEqual(self.view.missing(some), [(0, 127), (256, 319), (960, 1023)])
        self.assertEqual(self.view.missing(()), [])
        self.view.learn(0, 63, NO_FLAGS, ())
        self.assertEqual(self.view.missing(range(1)), [])
        self.assertEqual(self.view.missing(range(300)), [(64, 319)])

    def test_what_was_learned_is_shown(self) -> None:
        self.learn((2, NO_FLAGS), (1000, NO_FLAGS))
        self.assertEqual(self.view.missing(range(301)), [])
        self.assertEqual(
            self.view.flags_at(range(301)),
            [SEEN_ONLY, NO_FLAGS, *[SEEN_ONLY] * 298, NO_FLAGS],
        )
        some = [NO_FLAGS, SEEN_ONLY, NO_FLAGS]
        self.assertEqual(self.view.flags_at([1, 2, 300]), some)

    def test_news_of_a_message_never_looked_at_are_told_as_they_come(self) -> None:
        told = self.view.tell(changes((300, SEEN_ONLY)), expunges=True)
        self.assertEqual(told, b"* 300 FETCH (UID 300 FLAGS (\\Seen))\r\n")
        self.assertEqual(self.view.missing([299]), [(256, 319)])

    def test_new_messages_in_a_known_block_have_their_own_flags(self) -> None:
        self.learn()
        self.view.tell(changes((1001, NO_FLAGS)), expunges=True)
        self.assertEqual(self.view.flags_at([300, 301]), [SEEN_ONLY, NO_FLAGS])


class AgainstAModel(SynchronousTestCase):
    """Whatever happens, the client that believes us knows the truth."""

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(st.booleans(), st.sets(st.integers(1, 30)), st.integers(0, 3)),
            max_size=8,
        )
    )
    def test_a_client_that_follows_the_responses_keeps_the_right_uids(
        self, rounds: list[tuple[bool, set[int], int]]
    ) -> None:
        truth = list(range(1, 6))
        client = list(truth)
        view = view_of(*truth)
        uidnext = 6
        for expunges, gone, arrivals in [*rounds, (True, set(), 0)]:
            vanished = tuple(sorted(gone & set(truth)))
            new = range(uidnext, uidnext + arrivals)
            uidnext += arrivals
            truth = [uid for uid in truth if uid not in gone] + list(new)
            told = view.tell(
                changes(*((uid, NO_FLAGS) for uid in new), vanished=vanished),
                expunges=expunges,
            )
            for line in told.splitlines():
                number, word = line.split()[1:3]
                if word == b"EXPUNGE":
                    del client[int(number) - 1]
                elif word == b"EXISTS":
                    missing = int(number) - len(client)
                    client += truth[len(truth) - missing :]
        self.assertEqual(client, truth)
        self.assertEqual(list(view.uids), truth)
