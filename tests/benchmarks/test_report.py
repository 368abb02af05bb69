"""From records to a report: medians, ratios, goals, tables."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import put_together
from benchmarks.goals import GOALS, Goal, Kind, outcome
from benchmarks.records import Line, Record, append, read
from benchmarks.report import cell, number, ratio, report, table

CASE = "plain, 10 at once, 20 on each"
AT = "2026-01-01 00:00:00"


def line(peer: str, value: float, cost: float | None = None, **more) -> Line:
    """A line of a delivery's figure."""
    record = Record("w1", more.pop("case", CASE), value, "msg/s", cost, **more)
    return Line(peer, 0, AT, record)


class RecordTests(SynchronousTestCase):
    """The file of JSON lines."""

    def test_what_is_written_is_read_again(self):
        path = Path(self.mktemp())
        lines = [
            line("mailhub", 5.0, 0.1, note="n", more={"count": 3}),
            Line("pymap", 1, AT, error="it fell over", workload="w3"),
        ]
        for each in lines:
            append(path, each)
        self.assertEqual(list(read([path])), lines)
        self.assertEqual([each.work for each in lines], ["w1", "w3"])

    def test_lines_of_somebody_else_are_refused(self):
        path = Path(self.mktemp())
        path.write_text(json.dumps({"record": None, "who": "knows"}))
        self.assertRaises(ValueError, list, read([path]))


class FigureTests(SynchronousTestCase):
    """Repetitions become a median with its bounds."""

    def test_the_median_stands_between_least_and_most(self):
        lines = [line("mailhub", value, value / 10) for value in (30, 10, 20)]
        figure = put_together(lines)["w1", CASE]["mailhub"]
        self.assertEqual((figure.median, figure.least, figure.most), (20, 10, 30))
        self.assertEqual((figure.cost, figure.count), (2, 3))
        self.assertEqual(cell(figure), "20.0 (10.0-30.0) [2.00]")

    def test_a_turn_that_failed_is_no_figure(self):
        failed = Line("mailhub", 0, AT, error="no", workload="w1")
        self.assertEqual(put_together([failed]), {})

    def test_a_busy_client_is_told(self):
        figures = put_together([line("mailhub", 10, client_share=0.25)])
        self.assertEqual(cell(figures["w1", CASE]["mailhub"]), "10.0\\*")
        figures = put_together([line("mailhub", 10, client_share=0.15)])
        self.assertEqual(cell(figures["w1", CASE]["mailhub"]), "10.0")

    def test_notes_are_told_once(self):
        lines = [line("pymap", 10, note="200 messages") for _ in range(2)]
        text = cell(put_together(lines)["w1", CASE]["pymap"])
        self.assertEqual(text, "10.0 (10.0-10.0) (200 messages)")

    def test_figures_are_divided_only_if_the_same_was_done(self):
        lines = [line("mailhub", 100), line("mailhub-2", 240), line("dovecot", 20)]
        self.assertEqual(ratio(dict(put_together(lines)["w1", CASE])), "12.0")
        lines[2] = line("dovecot", 20, note="fewer")
        self.assertEqual(ratio(dict(put_together(lines)["w1", CASE])), "-")


class GoalTests(SynchronousTestCase):
    """A goal is met, not met, or was not measured."""

    def result(self, goal: Goal, *lines: Line):
        return outcome(goal, put_together(lines))

    def test_a_rate_is_ours_divided_by_theirs(self):
        goal = Goal("w1", CASE, Kind.RATE, 12, theirs="postfix-dovecot")
        result = self.result(goal, line("mailhub-2", 120), line("postfix-dovecot", 10))
        self.assertEqual((result.reached, result.is_met), (12, True))
        result = self.result(goal, line("mailhub-2", 119), line("postfix-dovecot", 10))
        self.assertIs(result.is_met, False)

    def test_a_cost_is_theirs_divided_by_ours(self):
        goal = Goal("w1", CASE, Kind.COST, 12, theirs="postfix-dovecot")
        ours, theirs = line("mailhub-2", 1, 0.5), line("postfix-dovecot", 1, 6.0)
        self.assertIs(self.result(goal, ours, theirs).is_met, True)
        self.assertIsNone(self.result(goal, line("mailhub-2", 1), theirs).is_met)

    def test_an_upper_bound_needs_nobody_else(self):
        goal = Goal("w1", CASE, Kind.MOST, 8)
        self.assertIs(self.result(goal, line("mailhub-2", 8)).is_met, True)
        self.assertIs(self.result(goal, line("mailhub-2", 8.1)).is_met, False)
        self.assertIsNone(self.result(goal, line("mailhub", 8)).is_met)

    def test_growth_is_what_a_rate_falls_and_a_time_rises(self):
        goal = Goal("w1", CASE, Kind.GROWTH, 2, ours="mailhub", before="before")
        lines = line("mailhub", 50), line("mailhub", 100, case="before")
        self.assertEqual(self.result(goal, *lines).reached, 2)
        lines = [
            Line("mailhub", 0, AT, Record("w1", case, value, "ms"))
            for case, value in ((CASE, 3.0), ("before", 1.0))
        ]
        self.assertIs(self.result(goal, *lines).is_met, False)

    def test_all_goals_are_of_cases_that_differ(self):
        keys = [(goal.workload, goal.case, goal.kind) for goal in GOALS]
        self.assertEqual(len(keys), len(set(keys)))


class ReportTests(SynchronousTestCase):
    """The text that people read."""

    def test_numbers_have_three_digits(self):
        for value, text in (
            (12345.6, "12,346"),
            (123.4, "123"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (float("nan"), "-"),
        ):
            self.assertEqual(number(value), text)

    def test_tables_line_up(self):
        lines = table(["a", "bb"], [["long cell", ""], ["x", "y"]])
        self.assertEqual(
            lines,
            [
                "=========  ==",
                "a          bb",
                "=========  ==",
                "long cell  ..",
                "x          y",
                "=========  ==",
                "",
            ],
        )

    def test_it_tells_figures_goals_and_failures(self):
        lines = [
            line("mailhub-2", 6000, 0.15),
            line("postfix-dovecot", 400, 2.0),
            Line("exim-dovecot", 2, AT, error="no greeting", workload="w1"),
        ]
        text = report(lines, ["two cores"])
        self.assertIn("* two cores\n", text)
        self.assertIn("* exim-dovecot, w1, turn 3: no greeting", text)
        [row] = [row for row in text.splitlines() if row.startswith(f"{CASE} ")][1:2]
        self.assertIn("15.0", row)
        self.assertTrue(row.endswith("met"), row)
        self.assertIn("not measured", text)
