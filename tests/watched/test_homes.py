"""Tests of :mod:`mailhub.watched.homes`."""

from __future__ import annotations

import os
import pwd
from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailhub.watched import homes
from mailhub.watched.homes import MAX_FORWARDS, USERS_SECONDS, Homes
from mailhub.watched.shelf import LOOK_SECONDS, run_here

from .places import Folder


class HomeTests(SynchronousTestCase):
    """``.forward``: who has one, and what is done of what it asks for."""

    pattern = "~/.forward"

    def setUp(self):
        self.folder = Folder(self.mktemp())
        self.users = {"jo": os.geteuid()}
        self.asked: list[str] = []
        self.patch(homes, "pwd", SimpleNamespace(getpwnam=self.getpwnam))
        self.clock = Clock()
        self.homes = Homes(self.clock, run_here, self.pattern)

    def getpwnam(self, name):
        self.asked.append(name)
        known = list(pwd.getpwnam("root"))
        known[2], known[5] = self.users[name], self.folder.path
        return pwd.struct_passwd(known)

    def targets(self, user="jo"):
        found = Deferred.fromCoroutine(self.homes.find(user))
        forward = self.successResultOf(found)
        return None if forward is None else forward.entry.targets

    def test_addresses_a_line_each(self):
        self.folder.write(".forward", "jim@example.net\n\\jo\n")
        self.assertEqual(self.targets(), ("jim@example.net", "\\jo"))

    def test_without_a_file_and_without_a_user_mail_stays(self):
        self.assertIsNone(self.targets())
        self.assertIsNone(self.targets("nobody-here"))

    def test_a_new_file_is_seen_and_is_another_version(self):
        self.assertIsNone(self.targets())
        version = self.homes.version()
        self.assertEqual(self.homes.version(), version)
        self.folder.write(".forward", "jim@example.net")
        self.clock.advance(LOOK_SECONDS)
        self.assertNotEqual(self.homes.version(), version)
        self.assertEqual(self.targets(), ("jim@example.net",))

    def test_a_new_user_is_seen_after_a_minute_and_is_another_version(self):
        self.assertIsNone(self.targets("jim"))
        version = self.homes.version()
        self.users["jim"] = os.geteuid()
        self.folder.write(".forward", "ann@example.net")
        self.clock.advance(USERS_SECONDS - 1)
        self.assertIsNone(self.targets("jim"))
        self.clock.advance(1)
        self.assertNotEqual(self.homes.version(), version)
        self.assertEqual(self.targets("jim"), ("ann@example.net",))

    def test_the_machine_is_asked_for_a_user_once_a_minute(self):
        for _ in range(3):
            self.targets()
            self.targets("jim")
        self.assertEqual(self.asked, ["jo", "jim"])

    def test_programs_files_and_lists_go_to_the_mailbox_and_the_log_tells(self):
        for text, targets in (
            ('"|/usr/bin/procmail"', ("\\jo",)),
            ("jim@example.net, |/bin/sh", ("jim@example.net", "\\jo")),
            ("/var/mail/other", ("\\jo",)),
            (":include:/etc/shadow", ("\\jo",)),
            ("function:anything, error:nouser", ("\\jo",)),
            ("lmtp:127.0.0.1:25", ("\\jo",)),
            ("/dev/null", ("/dev/null",)),
        ):
            self.folder.write(".forward", text)
            with capturedLogs() as events:
                self.homes.look_again()
                self.assertEqual(self.targets(), targets, text)
            told = [str(event.get("remark")) for event in events]
            if "\\jo" in targets:
                self.assertIn(".forward:1: not done for users", told[-1])

    def test_one_that_cannot_be_followed_leaves_mail_in_the_mailbox(self):
        for text, mode in (("one two", 0o644), ("jim@example.net", 0o666)):
            self.folder.write(".forward", text, mode)
            self.homes.look_again()
            self.assertIsNone(self.targets())

    def test_a_link_to_what_only_the_server_may_read_is_not_followed(self):
        path = self.folder.write("secret", "root@example.net")
        os.symlink(path, os.path.join(self.folder.path, ".forward"))
        self.assertIsNone(self.targets())

    def test_no_local_part_leads_out_of_the_folder(self):
        for user in ("../jo", "..", "jo/../../x", ".", "", "JO", "jo$(id)", "jo\0",
                     "~root", "$u", "-rf", "jo\n", "\u00e9"):  # fmt: skip
            self.assertIsNone(self.targets(user))
        self.assertEqual(self.asked, [])

    def test_so_many_users_are_kept_and_no_more(self):
        self.users |= {f"u{number}": 0 for number in range(MAX_FORWARDS + 1)}
        for number in range(MAX_FORWARDS + 1):
            self.targets(f"u{number}")
        self.assertEqual(len(self.homes._users), 1)


class OtherPlaceTests(HomeTests):
    """All forwards in one folder."""

    def setUp(self):
        self.pattern = os.path.abspath(self.mktemp()) + "/.forward"
        super().setUp()
        self.folder = Folder(os.path.dirname(self.pattern))
        self.homes = Homes(self.clock, run_here, self.folder.path + "/.forward")

    def test_names_of_users_are_filled_in(self):
        self.homes = Homes(self.clock, run_here, self.folder.path + "/$u")
        self.folder.write("jo", "jim@example.net")
        self.assertEqual(self.targets(), ("jim@example.net",))

    def test_a_path_from_nowhere_is_none(self):
        self.homes = Homes(self.clock, run_here, "forward/$u")
        self.assertIsNone(self.targets())
