"""Tests for :mod:`mailhub.cli.classic.sendmail_options` and its reader of options."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.cli.classic.sendmail_options import Call, parse
from mailhub.cli.outcome import Failure
from mailhub.mail.envelope import Notify

#: Command lines, and what differs from a plain call.
CALLS = (
    ("", {}),
    ("a@example.com b", {"recipients": ["a@example.com", "b"]}),
    ("-t -oi", {"reads_recipients": True, "dot_ends": False}),
    ("-ti", {"reads_recipients": True, "dot_ends": False}),
    # As cron calls it.
    ("-FCronDaemon -i -odi -oem -oi -t -f root",
     {"name": "CronDaemon", "dot_ends": False, "reads_recipients": True,
      "sender": "root"}),
    ("-f a@example.com -- -b", {"sender": "a@example.com", "recipients": ["-b"]}),
    ("-fa@example.com -r b@example.com c",
     {"sender": "b@example.com", "recipients": ["c"]}),
    # As PHP calls it.
    ("-t -i", {"reads_recipients": True, "dot_ends": False}),
    ("-N success,delay -R hdrs -V x1 a",
     {"notify": Notify.SUCCESS | Notify.DELAY, "ret": "HDRS", "envid": "x1",
      "recipients": ["a"]}),
    ("-N never a", {"notify": Notify.NEVER, "recipients": ["a"]}),
    ("-B 7bit a", {"body": "7BIT", "recipients": ["a"]}),
    ("-bs", {"mode": "smtp"}),
    ("-bp", {"mode": "list"}),
    ("-bm a", {"recipients": ["a"]}),
    ("-bd -q30m", {"mode": "start"}),
    ("-q30m", {"mode": "nothing"}),
    ("-q", {"mode": "flush"}),
    ("-qIABC", {"mode": "flush", "only": ("I", "ABC")}),
    ("-qRexample.com", {"mode": "flush", "only": ("R", "example.com")}),
    ("-oQ/var/spool/x -bp", {"mode": "list", "folder": "/var/spool/x"}),
    ("-O QueueDirectory=/x -bp", {"mode": "list", "folder": "/x"}),
    ("-O DeliveryMode=b -Ac -om -os -v -n -G -U -h 5 -L tag -p SMTP -X log a",
     {"recipients": ["a"], "submission": True}),
    ("-bp -qSa@example.com", {"mode": "list", "only": ("S", "a@example.com")}),
    ("-bp -Ac", {"mode": "list", "submission": True}),
    ("-qf", {"mode": "flush"}), ("-qGbig", {"mode": "flush"}),
    ("-qp1h", {"mode": "nothing"}), ("-bp -q", {"mode": "list"}),
)  # fmt: skip
FAULTS = ("-f", "-Z", "-bX", "-b", "-N sometimes a", "-N success,never a", "-R half a",
          "-q!Rexample.com", "-qx", "-qI")


class OptionTests(SynchronousTestCase):
    """What the manuals of Sendmail and Postfix say of sendmail's options."""

    def test_calls_are_understood(self):
        for line, differences in CALLS:
            self.assertEqual(parse(line.split()), Call(**differences), line)

    def test_what_makes_no_sense_is_a_fault_of_usage(self):
        for line in FAULTS:
            failure = self.assertRaises(Failure, parse, line.split())
            self.assertEqual(failure.code, 64, line)
