"""What programs that watch mail servers read of the queue: they parse its listings.

The patterns are those that such programs use: logwatch(8), check_mailq of the
monitoring plugins, and shell scripts with awk(1).
"""

from __future__ import annotations

import json
import re
import subprocess
import time

from mailhub.cli.queue_text import EMPTY, json_line, listing

from .cli.queueing import REPLY, QueueTests

NOW = 1_700_000_000.0
#: The first line of a message in postqueue -p: mailq(1), "Queue ID", mark, size,
#: arrival time, sender.
MESSAGE = re.compile(
    r"^(?P<id>[0-9A-Za-z]{6,})(?P<mark>[*!]?)\s+(?P<size>\d+)\s+"
    r"(?P<date>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)\s+"
    r"(?P<sender>\S+)$"
)
REASON = re.compile(r"^\s*\((?P<reason>.*)\)$")
RECIPIENT = re.compile(r"^\s{20,}(?P<address>\S+@\S+)$")
TOTAL = re.compile(r"^-- (?P<octets>\d+) Kbytes in (?P<count>\d+) Requests?\.$")


def described(name, size, sender, arrived, *recipients, state="deferred"):
    return {
        "id": name, "size": size, "sender": sender, "arrived": arrived,
        "recipients": [
            {"address": address, "reply": reply, "hold": "", "state": state}
            for address, reply in recipients
        ],
    }  # fmt: skip


WAITING = (
    described("0A1B2C3D4E5F", 262, "alice@bench.example", NOW,
              ("carol@example.com", "451 4.7.1 (odd) reply"),
              ("bob@example.net", "451 4.7.1 (odd) reply"), state="hold"),
    described("0A1B2C3D4E60S1S2", 52_428_800, "", NOW - 3 * 86_400,
              ("x@far.example", "")),
    described("0A1B2C3D4E61", 4_096, "a+tag=x@example.org", NOW - 86_400 * 20,
              ("\u00fc@b\u00fccher.example", "timed out"), state="active"),
)  # fmt: skip


def parsed(lines):
    """What a program makes of the listing."""
    found = []
    for line in lines:
        if row := MESSAGE.match(line):
            found.append({**row.groupdict(), "recipients": {}})
            reason = ""
        elif row := REASON.match(line):
            reason = row["reason"]
        elif row := RECIPIENT.match(line):
            found[-1]["recipients"][row["address"]] = reason
    return found


class ListingTests(QueueTests):
    """``mailq``, ``postqueue -p``, ``sendmail -bp``: mailq(1)."""

    def test_every_message_is_found_with_all_that_is_told_of_it(self):
        lines = list(listing(WAITING))
        found = parsed(lines)
        self.assertEqual(len(found), len(WAITING))
        for row, told in zip(found, WAITING, strict=True):
            self.assertEqual(row["id"], told["id"])
            self.assertEqual(int(row["size"]), told["size"])
            self.assertEqual(row["sender"], told["sender"] or "MAILER-DAEMON")
            # The listing has no year: programs take the last such day.
            date = time.localtime(told["arrived"])
            spelled = time.strptime(f"{date.tm_year} {row['date']}", "%Y %a %b %d %X")
            self.assertEqual(time.mktime(spelled), told["arrived"])
            self.assertEqual(
                row["recipients"],
                {each["address"]: each["reply"] for each in told["recipients"]},
            )
        self.assertEqual([row["mark"] for row in found], ["!", "", "*"])

    def test_the_last_line_counts_them(self):
        for messages in (WAITING[:1], WAITING):
            found = TOTAL.match(list(listing(messages))[-1])
            octets = sum(message["size"] for message in messages)
            self.assertEqual(int(found["octets"]), octets // 1024)
            self.assertEqual(int(found["count"]), len(messages))

    def test_a_reply_of_another_server_is_no_line_of_its_own(self):
        hostile = "450 x\r\n0A1B2C3D4E99    1 Mon Jan  1 00:00:00 root\n\x1b[2J\x85"
        to = "c@d.example", hostile
        told = described("0A1B2C3D4E5F", 1, "a@b.example", NOW, to)
        lines = list(listing([told]))
        self.assertEqual(len(parsed("\n".join(lines).splitlines())), 1)
        self.assertEqual(json.loads(json_line(told))["queue_id"], "0A1B2C3D4E5F")
        self.assertNotIn("\n", json_line(told))

    def test_monitors_count_the_store_s_queue(self):
        self.assertEqual(self.classic("mailq"), 0, self.told)
        lines = self.out.splitlines()
        # grep -c '^[0-9A-F]'; tail -1 | awk '{print $5}'
        counted = sum(bool(re.match(r"[0-9A-Z]{4,}[*!]? ", line)) for line in lines)
        self.assertEqual(counted, 4)
        self.assertEqual(lines[-1].split()[4], "4")
        self.assertIn(f"({REPLY})", self.out)
        self.assertEqual(self.classic("postsuper", "-d", "ALL"), 0)
        self.assertEqual(self.classic("mailq"), 0)
        # check_mailq looks for exactly that.
        self.assertRegex(self.out, r"\AMail queue is empty\n\Z")
        self.assertEqual(EMPTY, "Mail queue is empty")

    def test_the_manual_s_pipeline_names_messages_of_one_recipient(self):
        """postsuper(1), under -d: the historical form."""
        pipeline = (
            "tail -n +2 | grep -v '^ *(' | awk 'BEGIN { RS = \"\" }"
            ' { if ($8 == "c@example.net" && $9 == "") print $1 }\' | tr -d "*!"'
        )
        self.assertEqual(self.classic("mailq"), 0)
        found = subprocess.run(
            ["/bin/sh", "-c", pipeline], input=self.out, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        self.assertEqual(found.stdout, "OLD1\n")
        self.assertEqual(self.classic("postsuper", "-d", "-", stdin=found.stdout), 0)
        self.assertEqual(self.ids(), ["NEW1", "HELD1", "SENT1"])


class JSONTests(QueueTests):
    """``postqueue -j``: an object on a line, postqueue(1), "JSON OBJECT FORMAT"."""

    FIELDS = {
        "queue_name": str, "queue_id": str, "arrival_time": int, "message_size": int,
        "forced_expire": bool, "sender": str, "recipients": list,
    }  # fmt: skip

    def test_every_line_has_every_field_in_its_type(self):
        for told in WAITING:
            line = json_line(told)
            self.assertTrue(line.isascii())
            found = json.loads(line)
            self.assertEqual({k: type(v) for k, v in found.items()}, self.FIELDS)
            self.assertIn(
                found["queue_name"],
                ("maildrop", "incoming", "active", "deferred", "hold"),
            )
            for recipient, given in zip(
                found["recipients"], told["recipients"], strict=True
            ):
                self.assertEqual(recipient["address"], given["address"])
                self.assertEqual(recipient.get("delay_reason", ""), given["reply"])

    def test_an_empty_queue_has_no_lines(self):
        self.assertEqual(self.classic("postsuper", "-d", "ALL"), 0)
        self.assertEqual(self.classic("postqueue", "-j"), 0)
        self.assertEqual(self.out, "")
