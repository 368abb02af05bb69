"""mailq, postqueue, postsuper and qshape."""

from __future__ import annotations

import json
import time

from mailhub.cli.outcome import Exit
from mailhub.cli.queue_text import EMPTY, listing

from ...assembly.drops import TEXT, Drops
from ...contracts.fixture import message
from ...contracts.queueing import NOW
from ..queueing import REPLY, QueueTests

#: What a monitor looks for: the marks, the reasons, the last line.
NARROW = """\
-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
8285527A527!     262 {date}  alice@bench.test
                                                          (deferred transport)
                                         carol@example.com
                                         bob@example.net

-- 0 Kbytes in 1 Request."""
WIDE = """\
----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
4jWmp13NLbzMYtp*       255 {date} MAILER-DAEMON
                                               bob@example.net

X3jWmp13NLbzMYt    2000255 {date} alice@bench.test
                                                                        (x  y)
                                               bob@example.net

-- 1953 Kbytes in 2 Requests."""


def described(name, size, sender, *recipients, state="deferred"):
    """A message as a server tells of it."""
    return {
        "id": name, "size": size, "sender": sender, "arrived": NOW,
        "recipients": [
            {"address": address, "reply": reply, "hold": "", "state": state}
            for address, reply in recipients
        ],
    }  # fmt: skip


class LayoutTests(QueueTests):
    """The listing that programs have parsed since the nineties."""

    def shown(self, *messages):
        return "\n".join(listing(messages))

    def test_it_is_laid_out_as_ever(self):
        date = time.strftime("%a %b %e %H:%M:%S", time.localtime(NOW))
        found = self.shown(
            described(
                "8285527A527", 262, "alice@bench.test",
                ("carol@example.com", "deferred transport"),
                ("bob@example.net", "deferred transport"), state="hold",
            )
        )  # fmt: skip
        self.assertEqual(found, NARROW.format(date=date))
        found = self.shown(
            described("4jWmp13NLbzMYtp", 255, "", ("bob@example.net", ""),
                      state="active"),
            described("X3jWmp13NLbzMYt", 2_000_255, "alice@bench.test",
                      ("bob@example.net", "x  y")),
        )  # fmt: skip
        self.assertEqual(found, WIDE.format(date=date))

    def test_nothing_is_said_to_be_nothing(self):
        self.assertEqual(self.shown(), EMPTY)

    def test_each_name_of_it_shows_the_same(self):
        self.assertEqual(self.classic("mailq"), 0, self.told)
        listed = self.out
        self.assertIn(f"({REPLY})", listed)
        self.assertIn("HELD1!", listed)
        for name, *arguments in (("postqueue", "-p"), ("mailq", "-Ac")):
            self.assertEqual(self.classic(name, *arguments), 0, self.told)
            self.assertEqual(self.out, listed)


class FolderTests(Drops, QueueTests):
    """What users have left is waiting, too, until the server has taken it."""

    def setUp(self):
        ready = super().setUp()
        self.prepared()
        with open(self.path("mailhub.toml"), "a") as file:
            file.write(f'[local]\ndrop = "{self.drop}"\n')
        return ready

    def shown(self, *command):
        self.assertEqual(self.classic(*command), 0, self.told)
        return self.out

    def test_it_is_listed_behind_the_queue_or_alone(self):
        path = self.leave()
        self.leave(b"no message")
        self.leave(mode=0o600)
        for command in (("mailq",), ("sendmail", "-bp"), ("postqueue", "-p")):
            whole = self.shown(*command)
            self.assertIn("HELD1!", whole)
            self.assertIn(f"{path.name} ", whole)
            self.assertIn(" in 5 Requests.", whole)
        alone = self.shown("mailq", "-Ac")
        head, row, recipient, _, total = alone.splitlines()
        self.assertTrue(head.startswith("----Queue ID-----"))
        self.assertEqual(row.split()[:2], [path.name, str(len(TEXT))])
        self.assertEqual(row.split()[-1], "nobody@mail.example.org")
        self.assertEqual(recipient.split(), ["jo@example.org"])
        self.assertEqual(total, "-- 0 Kbytes in 1 Request.")
        self.assertEqual(len(self.names()), 3)
        last = json.loads(self.shown("postqueue", "-j").splitlines()[-1])
        self.assertEqual(last["queue_name"], "maildrop")
        self.assertEqual(last["queue_id"], path.name)

    def test_without_any_it_is_empty_whatever_is_in_the_queue(self):
        self.assertEqual(self.shown("mailq", "-Ac"), f"{EMPTY}\n")
        self.assertNotEqual(self.shown("mailq"), f"{EMPTY}\n")

    def test_what_is_selected_is_in_the_queue(self):
        self.leave()
        found = self.shown("mailq", "-qRexample.com")
        self.assertIn("NEW1", found)
        self.assertIn(" in 1 Request.", found)
        for option, count in (("-qIOLD1", 1), ("-qSs@example.org", 3)):
            found = self.shown("sendmail", "-bp", option)
            self.assertIn(f" in {count} Request", found)

    def test_another_server_s_folder_has_nothing_of_ours(self):
        whole = self.shown("sendmail", "-bp")
        for folder in (self.path("nowhere"), self.folder):
            self.assertEqual(self.shown("sendmail", f"-oQ{folder}", "-bp"), whole)
        self.environ["MAILHUB_SERVER__DATA"] = self.path("elsewhere")
        ours = self.path("mailhub-data")
        self.assertEqual(self.shown("sendmail", "-bp", f"-oQ{ours}"), whole)


class CommandTests(QueueTests):
    """What postqueue and postsuper do."""

    def post(self, name, *arguments, stdin=""):
        """Run a command that should succeed."""
        self.assertEqual(self.classic(name, *arguments, stdin=stdin), 0, self.told)
        return self.told.replace("postsuper: ", "").splitlines()

    def test_json_has_a_line_for_each_message(self):
        self.post("postqueue", "-j")
        found = [json.loads(line) for line in self.out.splitlines()]
        queues = {each["queue_id"]: each["queue_name"] for each in found}
        self.assertEqual(
            queues,
            {"NEW1": "incoming", "OLD1": "deferred", "HELD1": "hold",
             "SENT1": "active"},
        )  # fmt: skip
        [old] = [each for each in found if each["queue_id"] == "OLD1"]
        self.assertEqual(
            old,
            {
                "queue_name": "deferred", "queue_id": "OLD1",
                "arrival_time": int(NOW - 7200), "message_size": len(message("OLD1")),
                "forced_expire": False, "sender": "s@example.org",
                "recipients": [
                    {"address": "c@example.net", "delay_reason": REPLY}
                ],
            },
        )  # fmt: skip

    def test_what_waits_is_tried_now(self):
        for arguments in (["-f"], ["-i", "OLD1"], ["-s", "example.net"]):
            self.post("postqueue", *arguments)
            self.assertEqual(self.states()["OLD1"], ["incoming"])
            self.assertEqual(self.states()["HELD1"], ["hold"])

    def test_messages_are_removed_by_name(self):
        told = self.post("postsuper", "-d", "OLD1")
        self.assertEqual(told, ["OLD1: removed", "Deleted: 1 message"])
        told = self.post("postsuper", "-d", "GONE")
        self.assertEqual(told, ["Deleted: 0 messages"])
        told = self.post("postsuper", "-d", "-", stdin="NEW1\nHELD1\n")
        self.assertEqual(told[-1], "Deleted: 2 messages")
        self.assertEqual(self.ids(), ["SENT1"])

    def test_all_are_removed_or_those_of_a_queue(self):
        self.post("postsuper", "-d", "ALL", "deferred")
        self.assertEqual(self.ids(), ["NEW1", "HELD1", "SENT1"])
        self.post("postsuper", "-d", "ALL")
        self.assertEqual(self.ids(), [])
        self.post("mailq")
        self.assertEqual(self.out, f"{EMPTY}\n")

    def test_they_are_held_released_and_requeued(self):
        told = self.post("postsuper", "-h", "OLD1")
        self.assertEqual(told, ["OLD1: placed on hold", "Placed on hold: 1 message"])
        self.assertEqual(self.states()["OLD1"], ["hold"])
        self.assertEqual(
            self.post("postsuper", "-H", "ALL"), ["Released from hold: 2 messages"]
        )
        self.assertEqual(
            self.post("postsuper", "-r", "OLD1"),
            ["OLD1: requeued", "Requeued: 1 message"],
        )
        self.assertEqual(self.states()["OLD1"], ["incoming"])

    def test_what_makes_no_sense_is_refused(self):
        for name, *arguments in (
            ("postqueue",), ("postqueue", "-p", "-f"), ("postqueue", "-i"),
            ("postqueue", "-p", "x"), ("postsuper", "-d", "ALL", "elsewhere"),
            ("postsuper", "-Z"), ("qshape", "-b", "x"),
        ):
            self.assertEqual(self.classic(name, *arguments), Exit.USAGE, arguments)
            self.assertIn(f"{name}: ", self.told)
        self.assertEqual(self.classic("postqueue", "-i", "GONE"), Exit.UNAVAILABLE)
        self.assertEqual(len(self.ids()), 4)


class ShapeTests(QueueTests):
    """qshape."""

    def rows(self, *arguments):
        """Name and figures of each line."""
        self.assertEqual(self.classic("qshape", *arguments), 0, self.told)
        return [line.split() for line in self.out.splitlines()]

    def test_who_has_how_much_of_what_age(self):
        head, total, *_ = self.rows("incoming", "deferred")
        self.assertEqual(
            head,
            ["T", "5", "10", "20", "40", "80", "160", "320", "640", "1280", "1280+"],
        )
        self.assertEqual(total[:2], ["TOTAL", "3"])
        names = [row[:2] for row in self.rows("deferred")]
        self.assertEqual(names, [["T", "5"], ["TOTAL", "1"], ["example.net", "1"]])

    def test_by_sender_and_with_other_ages(self):
        rows = self.rows("-s", "-b", "3", "-t", "60", "-l", "deferred", "active")
        self.assertEqual(rows[0], ["T", "60", "120", "120+"])
        self.assertEqual(
            sorted(row[:2] for row in rows[2:]),
            [["MAILER-DAEMON", "1"], ["example.org", "1"]],
        )

    def test_parents_of_many_have_a_line(self):
        rows = self.rows("-p", "-m", "1", "active", "incoming")
        self.assertNotIn(".example", [row[0] for row in rows])
