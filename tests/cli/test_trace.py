"""``mailhub trace``, without a server."""

from __future__ import annotations

import os

from mailhub.admin.outcome import Exit

from .shell import CommandTests


class TraceTests(CommandTests):
    """Where mail would go, told before any is sent."""

    def setUp(self) -> None:
        super().setUp()
        self.add_user()
        targets = ("jo@example.org", "x@far.example")
        self.works("alias", "add", "team@example.org", *targets)

    def test_a_decision_is_explained(self) -> None:
        self.assertEqual(
            self.works("trace", "Team@example.org"),
            "team@example.org: alias team@example.org\n"
            "jo@example.org: account jo@example.org\n"
            "x@far.example: elsewhere\n"
            "\n"
            "team@example.org: taken here\n"
            "  jo@example.org, INBOX\n"
            "  x@far.example, by far.example\n",
        )

    def test_the_same_in_json(self) -> None:
        data = self.json("trace", "team@example.org")
        self.assertEqual(data["outcome"], "local")
        self.assertEqual(
            data["mailboxes"], [{"user": "jo@example.org", "mailbox": "INBOX"}]
        )
        self.assertEqual(data["leaves"][0]["destination"], "far.example")

    def test_the_sender_counts(self) -> None:
        out = self.works("trace", "team@example.org", "--from", "al@there.example")
        self.assertRegex(out, r"by far\.example, from SRS0=\w+=\w+=there\.example=al@")
        for null in ("", "<>"):
            out = self.works("trace", "team@example.org", "--from", null)
            self.assertNotIn("from", out)

    def test_forwards_count(self) -> None:
        from mailhub.store.sqlite.directory import Directory
        from mailhub.store.sqlite.schema import connect

        connection = connect(self.path("mailhub-data", "mailhub.sqlite"))
        Directory(connection).set_forward("jo@example.org", ["y@far.example"], True)
        connection.close()
        out = self.works("trace", "jo@example.org")
        self.assertIn("jo@example.org: forward of jo@example.org\n", out)
        self.assertIn("  y@far.example, by far.example\n", out)

    def test_refusals_are_told(self) -> None:
        out = self.works("trace", "v@other.example")
        self.assertTrue(
            out.endswith(
                "v@other.example: another server's\n"
                "  v@other.example, by other.example\n"
                "  strangers are told: 550 5.7.1 Relay access denied\n"
            ),
            out,
        )
        out = self.works("trace", "nobody@example.org")
        self.assertIn("  users are told: 550 5.1.1 User unknown\n", out)

    def test_the_configuration_counts(self) -> None:
        files = self.write("aliases", "desk: jo@example.org\nnull: /dev/null\n")
        self.write(
            "mailhub.toml",
            '[routing]\nrelay_domains = ["in.example"]\n'
            f'[files]\naliases = ["{files}"]\n',
        )
        out = self.works("trace", "x@in.example")
        self.assertIn("x@in.example: passed on for everybody\n", out)
        out = self.works("trace", "desk@example.org")
        self.assertIn(f"desk@example.org: {files}:1\n", out)
        self.assertIn("  thrown away\n", self.works("trace", "null@example.org"))

    def test_the_way_out_counts(self) -> None:
        [leaves] = self.json("trace", "v@other.example")["leaves"]
        self.assertEqual(leaves["way"], "mx")
        self.write(
            "mailhub.toml",
            '[outbound]\nsmarthost = "smtp:relay.example:25"\n'
            'routes = ["from:jo@example.org smtp:jo.example:26"]\n',
        )
        out = self.works("trace", "v@other.example")
        self.assertIn("by other.example through smtp:relay.example:25\n", out)
        out = self.works("trace", "v@other.example", "--from", "jo@example.org")
        self.assertIn("by other.example through smtp:jo.example:26\n", out)
        self.works("alias", "add", "desk@example.org", "function:tickets")
        out = self.works("trace", "desk@example.org")
        self.assertIn("  desk@example.org, by function:tickets\n", out)

    def test_what_is_no_address_is_told(self) -> None:
        self.fails(Exit.DATA_WRONG, "trace", "not an address")
        self.fails(Exit.DATA_WRONG, "trace", "jo@example.org", "--from", "x y")

    def test_nothing_is_made(self) -> None:
        data = self.path("elsewhere")
        self.fails(Exit.UNAVAILABLE, "trace", "jo@example.org", "--data", data)
        self.assertFalse(os.path.exists(data))
