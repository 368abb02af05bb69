"""Lines of the log, one event each, whatever is in it."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import Logger, LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailhub.logbook import Lines
from mailhub.observing import rendering
from mailhub.observing.formats import compiled, escape
from mailhub.observing.rendering import JSONLines, LogfmtLines, TextLines

#: Saturday, 21 November 2026, 02:01:34.25 UTC.
NOW = 1_795_226_494.25
FORGED = "jo\n2026-11-21T02:01:34+0000 [x#info] root logged in\r\x1b[2J\u2028\u202e"


def event(form: str | None, **fields: Any) -> dict[str, Any]:
    """An event as a Logger makes it."""
    said: list[dict[str, Any]] = []
    Logger("a.b", observer=said.append).info(form, **fields)
    said[0]["log_time"] = NOW
    return said[0]


def failed(text: str) -> dict[str, Any]:
    """An event with a traceback."""
    said: list[dict[str, Any]] = []
    try:
        raise ValueError(text)
    except ValueError:
        Logger("a.b", observer=said.append).failure("{peer} broke", peer="192.0.2.1")
    said[0]["log_time"] = NOW
    return said[0]


class Awkward:
    """Something that cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class FormatTests(SynchronousTestCase):
    """Compiled formats say what Twisted's own say."""

    def test_all_kinds_of_fields(self) -> None:
        fields = {"a": "x", "b": 2, "c": None, "d": {"k": [1]}, "f": lambda: "called"}
        for form in (
            "",
            "constant",
            "100% {a}",
            "{a}",
            "{a} {b} {c}",
            "{a!r} {b!s} {c!a}",
            "{{a}} {a}",
            "{b:05d}",
            "{d[k]}",
            "{a.__class__.__name__}",
            "{f()}",
            "{missing}",
            "{",
            "{a",
            "{0}",
            "{a} {a}",
        ):
            said = event(form, **fields)
            self.assertEqual(compiled(form).message(said), formatEvent(said), form)

    def test_a_value_that_cannot_be_shown_does_not_lose_the_event(self) -> None:
        message = compiled("{a}").message(event("{a}", a=Awkward()))
        self.assertIn("ZeroDivisionError", message)

    def test_no_format_is_no_message(self) -> None:
        self.assertEqual(compiled(None).message(event(None)), "")

    def test_what_is_not_printable_is_escaped(self) -> None:
        self.assertEqual(
            escape("a\nb\r\t\x1b\x7f\x85\u2028\u202e\udc80\u00e9\u4e2d"),
            r"a\nb\r\t\x1b\x7f\x85\u2028\u202e\udc80" + "\u00e9\u4e2d",
        )


class TextTests(SynchronousTestCase):
    """Lines for people."""

    def setUp(self) -> None:
        before = time.tzset
        self.addCleanup(before)
        self.render = TextLines()
        self.date = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(NOW))

    def test_a_line(self) -> None:
        self.assertEqual(
            self.render(event("{n} octets from {who!r}", n=3, who="jo")),
            f"{self.date} [a.b#info] 3 octets from 'jo'\n",
        )

    def test_the_time_goes_on(self) -> None:
        later = event("x")
        self.render(later)
        later["log_time"] += 1
        date = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(NOW + 1))
        self.assertTrue(self.render(later).startswith(date))

    def test_nothing_from_the_network_begins_a_line(self) -> None:
        for form in ("{user}", "{user!r}", "{user:s}", "{user} {user}"):
            line = self.render(event(form, user=FORGED))
            self.assertEqual(line.count("\n"), 1, form)
            self.assertTrue(line[:-1].isprintable(), form)
        line = self.render(event(FORGED))
        self.assertEqual(line.count("\n"), 1)

    def test_text_of_ours_may_have_lines(self) -> None:
        line = self.render(event("{text} {user}", text=Lines("a\n  b"), user=FORGED))
        first, second, rest = line.split("\n")
        self.assertTrue(first.endswith("[a.b#info] a"))
        self.assertTrue(second.startswith("\t  b jo\\n2026"))
        self.assertEqual(rest, "")

    def test_a_traceback_is_indented_and_cannot_forge_a_line_either(self) -> None:
        lines = self.render(failed(FORGED)).split("\n")
        self.assertTrue(lines[0].endswith("[a.b#critical] 192.0.2.1 broke"))
        self.assertEqual(lines.pop(), "")
        self.assertTrue(all(line.startswith("\t") for line in lines[1:]))
        self.assertTrue(all(line[1:].isprintable() for line in lines[1:]))
        self.assertIn("ValueError", "".join(lines))

    def test_the_journal_knows_the_time_and_wants_priorities(self) -> None:
        render = TextLines(journal=True)
        self.assertEqual(render(event("x")), "<6>[a.b#info] x\n")
        lines = render(failed("y")).splitlines()
        self.assertEqual(lines[0], "<2>[a.b#critical] 192.0.2.1 broke")
        self.assertTrue(all(line.startswith("<2>\t") for line in lines[1:]))

    def test_events_of_the_old_log(self) -> None:
        old = {"log_text": "hi", "log_format": "{log_text}", "log_system": "-",
               "log_time": NOW, "log_level": LogLevel.info,
               "log_namespace": "log_legacy"}  # fmt: skip
        self.assertEqual(self.render(old), f"{self.date} [-] hi\n")

    def test_an_event_with_nothing_is_still_a_line(self) -> None:
        for render in (self.render, JSONLines(), LogfmtLines()):
            self.assertEqual(render({}).count("\n"), 1)

    def test_formats_that_are_made_up_do_not_fill_memory(self) -> None:
        self.patch(rendering, "MAX_KINDS", 10)
        for number in range(25):
            self.render(event(f"x{number}"))
        self.assertLessEqual(len(self.render._kinds), 10)


class JSONTests(SynchronousTestCase):
    """One object a line."""

    def read(self, said: dict[str, Any]) -> dict[str, Any]:
        line = JSONLines()(said)
        self.assertEqual(line.count("\n"), 1)
        self.assertTrue(line.isascii())
        return json.loads(line)

    def test_a_line(self) -> None:
        said = event("{id} from {sender}", id="A1", sender="jo", size=3, ok=True)
        self.assertEqual(
            self.read(said),
            {
                "ts": "2026-11-21T02:01:34.250000Z",
                "level": "info",
                "ns": "a.b",
                "event": "{id} from {sender}",
                "message": "A1 from jo",
                "id": "A1",
                "sender": "jo",
                "size": 3,
                "ok": True,
            },
        )

    def test_values_of_all_kinds(self) -> None:
        found = self.read(
            event(
                "x", n=None, f=0.5, nan=float("nan"), b=b"\xff\n", o=Awkward(), d={1: 2}
            )
        )
        self.assertEqual(found["n"], None)
        self.assertEqual(found["f"], 0.5)
        self.assertEqual(found["nan"], "nan")
        self.assertEqual(found["b"], "\\xff\n")
        self.assertEqual(found["d"], "{1: 2}")
        self.assertIn("Awkward", found["o"])

    def test_no_field_takes_the_place_of_another(self) -> None:
        said = event("{message} {ts}", message="m", ts="t", ns="n")
        found = self.read(said)
        self.assertEqual(found["ts_"], "t")
        self.assertEqual(found["ns_"], "n")
        self.assertEqual(found["ts"], "2026-11-21T02:01:34.250000Z")

    def test_a_field_that_is_called_like_a_secret_is_left_out(self) -> None:
        said = event("x", password="pw1", Access_Token="pw2", client_secret="pw3")
        for render in (JSONLines(), LogfmtLines()):
            self.assertNotIn("pw", render(said))

    def test_the_same_format_with_other_fields(self) -> None:
        render = JSONLines()
        self.assertEqual(json.loads(render(event("x", a=1)))["a"], 1)
        found = json.loads(render(event("x", b=2)))
        self.assertEqual(found["b"], 2)
        self.assertNotIn("a", found)

    def test_a_traceback_is_a_field(self) -> None:
        self.assertIn("ValueError: why", self.read(failed("why"))["traceback"])

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(exclude_categories=())), st.binary(max_size=50))
    def test_anything_is_one_line_of_json(self, text: str, octets: bytes) -> None:
        found = self.read(event("{text} {octets}", text=text, octets=octets))
        self.assertEqual(json.dumps(found["text"]), json.dumps(text))


class LogfmtTests(SynchronousTestCase):
    """Names and values."""

    def test_a_line(self) -> None:
        said = event("{id} from {sender}", id="A1", sender="j o", size=3, none="")
        self.assertEqual(
            LogfmtLines()(said),
            'ts=2026-11-21T02:01:34.250000Z level=info ns=a.b message="A1 from j o"'
            ' id=A1 sender="j o" size=3 none=""\n',
        )

    def test_what_could_be_taken_for_another_pair_is_quoted(self) -> None:
        said = event("x", user='a" level=critical x="', other="a=b", back="a\\b")
        self.assertTrue(
            LogfmtLines()(said).endswith(
                r'user="a\" level=critical x=\"" other="a=b" back="a\\b"' + "\n"
            )
        )

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(exclude_categories=())))
    def test_anything_is_one_line(self, text: str) -> None:
        line = LogfmtLines()(event("{text}", text=text))
        self.assertEqual(line.count("\n"), 1)
        self.assertTrue(line[:-1].isprintable())


class FailureTests(SynchronousTestCase):
    """What cannot be shown does not stop the log."""

    def test_a_failure_that_breaks(self) -> None:
        class Broken(Failure):
            def getTraceback(self, *a: Any, **k: Any) -> str:
                raise ZeroDivisionError

        said = failed("x")
        said["log_failure"] = Broken(ValueError())
        for render in (TextLines(), JSONLines(), LogfmtLines()):
            self.assertIn("a traceback that cannot be shown", render(said))
