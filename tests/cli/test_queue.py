"""``mailhub queue``, while no server runs."""

from __future__ import annotations

from mailhub.cli.outcome import Exit

from ..contracts.fixture import message
from .queueing import REPLY, QueueTests

EVERY = {
    "NEW1": ["incoming", "incoming"], "OLD1": ["deferred"], "HELD1": ["hold"],
    "SENT1": ["active"],
}  # fmt: skip


class ListTests(QueueTests):
    """What waits, and why."""

    def test_all_is_listed_with_its_state(self):
        self.assertEqual(self.states(), EVERY)
        text = self.works("queue", "list")
        for part in ("NEW1 ", "HELD1!", "SENT1*", f"({REPLY})", "(a check says so)"):
            self.assertIn(part, text)
        self.assertTrue(text.endswith("Kbytes in 4 Requests.\n"), text)

    def test_conditions_narrow_it_down(self):
        for arguments, expected in (
            (["--held"], ["HELD1"]),
            (["--deferred"], ["OLD1"]),
            (["--destination", "Example.COM"], ["NEW1"]),
            (["--recipient", "c@example.net"], ["OLD1"]),
            (["--sender", ""], ["SENT1"]),
            (["OLD1", "HELD1", "GONE"], ["OLD1", "HELD1"]),
            (["NEW1", "--held"], []),
        ):
            self.assertEqual(self.ids(*arguments), expected, arguments)

    def test_one_message_is_shown_with_what_was_said(self):
        shown = self.json("queue", "show", "OLD1")
        [recipient] = shown["recipients"]
        self.assertEqual(
            [recipient[key] for key in ("address", "attempts", "status", "reply")],
            ["c@example.net", 1, "4.7.1", REPLY],
        )
        self.assertIn(REPLY, self.works("queue", "show", "OLD1"))
        self.fails(Exit.UNAVAILABLE, "queue", "show", "GONE")

    def test_its_octets_are_shown(self):
        self.works("queue", "show", "OLD1", "--body")
        self.assertEqual(self.octets, message("OLD1"))
        self.works("queue", "show", "OLD1", "--header")
        header = message("OLD1").partition(b"\r\n\r\n")[0] + b"\r\n"
        self.assertEqual(self.octets, header)

    def test_ages_are_counted_by_destination(self):
        self.assertIn("example.net", self.works("queue", "stats"))
        rows = self.json("queue", "stats")["destinations"]
        totals = {row["destination"]: sum(row["counts"]) for row in rows}
        self.assertEqual(
            totals, {"example.net": 3, "example.com": 1, "sent.example": 1}
        )


class ChangeTests(QueueTests):
    """What people do to it."""

    def test_messages_are_held_and_released(self):
        self.works("queue", "hold", "NEW1", "--reason", "I look at it")
        self.assertEqual(self.states()["NEW1"], ["hold", "hold"])
        self.assertIn("(I look at it)", self.works("queue", "list"))
        self.works("queue", "release", "--all")
        self.assertEqual(
            self.states(), EVERY | {"HELD1": ["incoming"]}
        )

    def test_what_was_tried_is_tried_again(self):
        for arguments in (["flush"], ["retry", "OLD1"]):
            self.works("queue", *arguments)
            self.assertEqual(self.states(), EVERY | {"OLD1": ["incoming"]})

    def test_messages_are_deleted(self):
        data = self.json("queue", "delete", "OLD1", "HELD1")
        self.assertEqual(data, {"changed": 2, "messages": ["OLD1", "HELD1"]})
        self.assertEqual(self.ids(), ["NEW1", "SENT1"])
        self.works("queue", "delete", "--destination", "example.com")
        self.assertEqual(self.states()["NEW1"], ["incoming"])

    def test_they_become_others(self):
        self.works(
            "queue", "edit", "NEW1", "--new-sender", "x@example.org",
            "--priority", "5", "--days", "9",
        )  # fmt: skip
        self.works(
            "queue", "edit", "--recipient", "a@example.net",
            "--new-recipient", "z@example.net", "--new-destination", "other.example",
        )  # fmt: skip
        shown = self.json("queue", "show", "NEW1")
        self.assertEqual((shown["sender"], shown["priority"]), ("x@example.org", 5))
        self.assertEqual(
            [(each["address"], each["destination"]) for each in shown["recipients"]],
            [("z@example.net", "other.example"), ("b@example.com", "example.com")],
        )

    def place(self, queue_id):
        [recipient] = self.json("queue", "show", queue_id)["recipients"]
        return recipient["address"], recipient["destination"]

    def test_another_recipient_goes_where_mail_for_it_goes(self):
        self.add_user("jo@example.org")
        self.works("alias", "add", "away@example.org", "x@far.example")
        self.works("alias", "add", "all@example.org", "x@far.example", "jo@example.org")
        for address, place in (
            ("Z@Other.example", ("Z@other.example", "other.example")),
            ("jo@example.org", ("jo@example.org", "local:example.org")),
            ("away@example.org", ("x@far.example", "far.example")),
        ):
            self.works("queue", "edit", "OLD1", "--new-recipient", address)
            self.assertEqual(self.place("OLD1"), place)
        for address in ("all@example.org", "nobody@example.org"):
            told = self.fails(
                Exit.DATA_WRONG, "queue", "edit", "OLD1", "--new-recipient", address
            )
            self.assertIn("does not lead to one place", told)
        self.assertEqual(self.place("OLD1"), place)

    def test_a_place_may_be_a_domain_a_literal_or_a_way(self):
        for given, kept in (
            ("Far.example", "far.example"), ("[192.0.2.1]", "[192.0.2.1]"),
            ("b\u00fccher.example", "xn--bcher-kva.example"),
            ("smtp:mx.far.example:2525", "smtp:mx.far.example:2525"),
        ):
            self.works("queue", "edit", "OLD1", "--new-destination", given)
            self.assertEqual(self.place("OLD1")[1], kept)

    def test_what_no_message_can_have_is_refused(self):
        for option, text in (
            ("--new-recipient", "a b@x.example"), ("--new-recipient", ""),
            ("--new-recipient", "z@x.example\nX: y"), ("--new-sender", "a b"),
            ("--new-sender", "z@x.example\r\n"), ("--new-destination", "bad dest"),
            ("--new-destination", ""), ("--new-destination", "smtp:"),
        ):
            self.fails(Exit.DATA_WRONG, "queue", "edit", "OLD1", f"{option}={text}")
        self.assertEqual(self.place("OLD1"), ("c@example.net", "example.net"))

    def test_nothing_happens_to_all_unless_that_is_said(self):
        for action in ("retry", "hold", "release", "delete", "edit"):
            more = ["--priority", "1"] if action == "edit" else []
            self.fails(Exit.USAGE, "queue", action, *more)
        self.fails(Exit.USAGE, "queue", "edit", "NEW1")
        self.fails(Exit.UNAVAILABLE, "queue", "delete", "GONE")
        self.assertEqual(self.states(), EVERY)
