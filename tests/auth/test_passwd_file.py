from __future__ import annotations

import os
from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.cred.strcred import AuthOptionMixin, makeChecker
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.usage import Options
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth import passwd_file
from mailhub.auth.credentials import LoginFailed
from mailhub.auth.passwd_file import PasswdFileChecker
from mailhub.errors import LocalFault

from .fakes import ALICE, count_hashes, login_as, make_verifier

LINES = """\
# user:password:uid:gid:gecos:home:shell:extra

alice@example.org:{PLAIN}right:1000:1000:Alice:/home/alice:/bin/sh:quota=1G
Bob@Example.org:{SHA256.HEX}4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631
carol@example.org:$1$abcdefgh$y6iHhJNbuC0xpbk0w9pm80::::::
off@example.org:{PLAIN}right::::::nologin
net@example.org:{PLAIN}right::::::userdb_x=1 allow_nets=192.0.2.0/24
empty@example.org:
no colon
bad name:{PLAIN}secret
"""


class FileUsers(SynchronousTestCase):
    """Lines as Dovecot's passwd-file has them."""

    def setUp(self) -> None:
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.path = self.mktemp()
        self.write(LINES)
        self.checker = PasswdFileChecker(self.path, make_verifier(Clock()))

    def write(self, text: str, mode: int = 0o600) -> None:
        with open(self.path, "w") as file:
            file.write(text)
        os.chmod(self.path, mode)
        self.events.clear()

    def check(self, name: bytes, password: bytes = b"right") -> Deferred[Any]:
        return self.checker.requestAvatarId(login_as(name, password))

    def warnings(self) -> list[str]:
        return [str(event.get("fault") or event["log_format"]) for event in self.events]

    def test_hashes_of_several_schemes(self) -> None:
        self.assertEqual(self.successResultOf(self.check(ALICE)), ALICE)
        for name in (b"bob@example.org", b"CAROL@example.org"):
            answer = self.successResultOf(self.check(name, b"correct horse"))
            self.assertEqual(answer, name.lower())

    def test_who_may_not_log_in_fails_like_an_unknown_user(self) -> None:
        verified = count_hashes(self)
        for user in (b"off", b"net", b"empty", b"nobody", b"no colon", b"bad name"):
            self.failureResultOf(self.check(user + b"@example.org"), LoginFailed)
        self.assertEqual(len(set(verified)), 1)

    def test_wrong_passwords(self) -> None:
        for password in (b"", b"wrong", b"{PLAIN}right"):
            self.failureResultOf(self.check(ALICE, password), LoginFailed)

    def test_a_changed_file_is_read_again(self) -> None:
        self.successResultOf(self.check(ALICE))
        self.write("alice@example.org:{PLAIN}changed\n")
        self.failureResultOf(self.check(ALICE), LoginFailed)
        self.successResultOf(self.check(ALICE, b"changed"))

    def test_an_unchanged_file_is_read_once(self) -> None:
        self.successResultOf(self.check(ALICE))
        self.patch(passwd_file, "_read", None)
        self.successResultOf(self.check(ALICE))

    def test_a_missing_file_is_a_fault_of_ours(self) -> None:
        os.unlink(self.path)
        self.failureResultOf(self.check(ALICE), LocalFault)

    def test_a_file_of_any_size_is_not_read(self) -> None:
        self.patch(passwd_file, "MAX_FILE", len(LINES))
        self.successResultOf(self.check(ALICE))
        self.write(LINES + "\n")
        self.failureResultOf(self.check(ALICE), LocalFault)

    def test_bad_lines_are_reported_by_number_and_without_their_hash(self) -> None:
        self.successResultOf(self.check(ALICE))
        numbers = [fault.split(":")[0] for fault in self.warnings()]
        self.assertEqual(numbers, ["9", "10"])
        self.assertNotIn("secret", repr(self.events))

    def test_a_file_that_others_can_read_is_reported(self) -> None:
        for mode, warned in ((0o600, 0), (0o640, 1), (0o604, 1), (0o400, 0)):
            os.unlink(self.path)
            self.write("alice@example.org:{PLAIN}right\n", mode)
            self.successResultOf(self.check(ALICE))
            self.assertEqual(len(self.warnings()), warned)


class OptionPlugin(SynchronousTestCase):
    """``--auth mailhub-passwd:FILE`` of :mod:`twisted.cred.strcred`."""

    def test_the_plugin_is_found_and_works_by_itself(self) -> None:
        class ServerOptions(Options, AuthOptionMixin):  # type: ignore[misc]
            pass

        path = self.mktemp()
        with open(path, "w") as file:
            file.write("alice@example.org:{PLAIN}right\n")
        os.chmod(path, 0o600)
        options = ServerOptions()
        options.parseOptions(["--auth", f"mailhub-passwd:{path}"])
        [checker] = options["credCheckers"]
        answer = checker.requestAvatarId(UsernamePassword(ALICE, b"right"))
        self.assertEqual(self.successResultOf(answer), ALICE)

    def test_its_checker_is_ours(self) -> None:
        checker = makeChecker("mailhub-passwd:/nowhere")
        self.assertIsInstance(checker, PasswdFileChecker)
