from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from mailhub.admin.client import Server, TooLong
from mailhub.cli import directory
from mailhub.cli.outcome import Exit
from mailhub.store.sqlite.directory import Directory
from mailhub.store.sqlite.schema import FILE_NAME, connect, transaction

from .shell import CommandTests

JO = {
    "address": "jo@example.org",
    "enabled": True,
    "password": "plain",
    "quota": None,
}


class UserAddTests(CommandTests):
    """``mailhub user add``."""

    def test_the_first_user_makes_store_and_domain(self) -> None:
        self.add_user()
        self.assertIn(f"making a mail store in {self.path('mailhub-data')}", self.told)
        self.assertEqual(self.works("user", "list"), "jo@example.org\n")
        self.assertEqual(self.works("domain", "list"), "example.org\n")

    def test_only_its_owner_may_read_the_store(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.add_user()
        data = self.path("mailhub-data")
        self.assertEqual(os.stat(data).st_mode & 0o777, 0o700)
        for name in os.listdir(data):
            mode = os.stat(os.path.join(data, name)).st_mode
            self.assertEqual(mode & 0o077, 0, name)

    def test_a_password_is_asked_for_twice(self) -> None:
        self.works("user", "add", "jo@example.org", secrets=["pw", "pw"])
        self.assertEqual(self.prompts, ["Password for jo@example.org: ", "Once more: "])
        text = self.fails(
            Exit.DATA_WRONG, "user", "add", "al@example.org", secrets=["pw", "pv"]
        )
        self.assertEqual(text, "these were two different passwords")

    def test_a_password_comes_from_the_first_line_of_standard_input(self) -> None:
        for end in ("\n", "\r\n", "", "\nmore\n"):
            self.works(
                *("user", "add", f"u{len(end)}@example.org", "--password-stdin"),
                stdin=f" pass word {end}",
            )
            with directory_of(self) as directory:
                account = directory.find_account(f"u{len(end)}@example.org")
            self.assertEqual(account.password, "{PLAIN} pass word ")

    def test_a_password_is_never_an_argument(self) -> None:
        for arguments in (("jo@example.org", "pw"), ("jo@example.org", "--password=x")):
            self.fails(Exit.USAGE, "user", "add", *arguments)

    def test_unusable_passwords_are_refused(self) -> None:
        for password in ("\n", "a\0b\n", "a" * 1025):
            self.fails(
                *(Exit.DATA_WRONG, "user", "add", "jo@example.org", "--password-stdin"),
                stdin=password,
            )
        self.fails(Exit.NO_INPUT, "user", "add", "jo@example.org", "--password-stdin")
        self.works(
            *("user", "add", "jo@example.org", "--password-stdin"), stdin="a" * 1024
        )

    def test_addresses_are_kept_in_one_spelling(self) -> None:
        data = self.json(
            *("user", "add", "Jo.X@EXAMPLE.Org", "--password-stdin"), stdin="pw\n"
        )
        self.assertEqual(data, {"added": ["jo.x@example.org"]})
        self.fails(
            *(Exit.CANNOT_CREATE, "user", "add", "jo.x@example.ORG"),
            "--password-stdin",
            stdin="pw\n",
        )

    def test_what_is_no_address_is_refused(self) -> None:
        for address in (
            "jo", "@example.org", "jo@", "a b@example.org", "jo@[192.0.2.1]",
            "postmaster", "a@b@c", "jo@x\n", "", '"a b"@example.org',
        ):  # fmt: skip
            self.fails(
                *(Exit.DATA_WRONG, "user", "add", address, "--password-stdin"),
                stdin="pw\n",
            )
        self.assertFalse(os.path.exists(self.path("mailhub-data")))

    def test_a_quota_is_kept_in_octets(self) -> None:
        self.works(
            *("user", "add", "jo@example.org", "--password-stdin", "--quota", "2 GiB"),
            stdin="pw\n",
        )
        self.assertEqual(self.json("user", "show", "jo@example.org")["quota"], 2 << 30)
        self.assertIn("quota     2 GiB\n", self.works("user", "show", "jo@example.org"))
        for quota in ("0", "much", "-1", "1023"):
            self.fails(
                *(Exit.USAGE, "user", "add", "al@example.org", "--quota", quota),
                "--password-stdin",
            )


class UserFileTests(CommandTests):
    """``mailhub user add --from-file``."""

    def test_many_are_added_at_once(self) -> None:
        path = self.write(
            "users", "# ours\n\njo@example.org:a:b\r\nal@example.com: c \n"
        )
        data = self.json("user", "add", "--from-file", path)
        self.assertEqual(data, {"added": ["jo@example.org", "al@example.com"]})
        with directory_of(self) as directory:
            passwords = [account.password for account in directory.accounts()]
        self.assertEqual(passwords, ["{PLAIN} c ", "{PLAIN}a:b"])
        self.assertEqual(
            self.json("domain", "list"), {"domains": ["example.com", "example.org"]}
        )

    def test_they_may_come_from_standard_input(self) -> None:
        text = self.works(
            "user", "add", "--from-file", "-", stdin="a@x.org:1\nb@x.org:2\n"
        )
        self.assertEqual(text, "added 2 users\n")

    def test_progress_is_told(self) -> None:
        lines = "".join(f"u{n}@x.org:pw\n" for n in range(250))
        self.works("user", "add", "--from-file", "-", stdin=lines)
        self.assertIn("100 of 250 passwords\n200 of 250 passwords\n", self.told)

    def test_hashes_are_taken_as_they_are(self) -> None:
        stored = "{SHA256}ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
        self.works(
            *("user", "add", "--from-file", "-", "--hashed"),
            stdin=f"a@x.org:{stored}\n",
        )
        with directory_of(self) as directory:
            self.assertEqual(directory.find_account("a@x.org").password, stored)
        self.assertEqual(self.json("user", "show", "a@x.org")["password"], "sha256")

    def test_all_wrong_lines_are_told_and_nothing_is_added(self) -> None:
        text = self.fails(
            *(Exit.DATA_WRONG, "user", "add", "--from-file", "-"),
            stdin="ok@x.org:pw\nnot\nx@:pw\nok@X.org:other\nb@x.org:\n",
        )
        self.assertEqual(
            [line.split(": ")[0] for line in text.split("\n")],
            [f"standard input:{number}" for number in (2, 3, 4, 5)],
        )
        self.assertNotIn("pw", text)
        self.assertFalse(os.path.exists(self.path("mailhub-data")))

    def test_wrong_hashes_are_told_without_quoting_them(self) -> None:
        text = self.fails(
            *(Exit.DATA_WRONG, "user", "add", "--from-file", "-", "--hashed"),
            stdin="a@x.org:{NOSUCH}secret\nb@x.org:secret\n",
        )
        self.assertEqual(text.count("expected a known {SCHEME} hash"), 2)
        self.assertNotIn("secret", text)

    def test_a_file_of_another_kind_does_not_fill_the_screen(self) -> None:
        text = self.fails(
            *(Exit.DATA_WRONG, "user", "add", "--from-file", "-"), stdin="x\n" * 500
        )
        self.assertEqual(text.count("\n"), 20)
        self.assertTrue(text.endswith("\nand 480 more"))

    def test_one_that_is_there_already_stops_all(self) -> None:
        self.add_user()
        text = self.fails(
            *(Exit.CANNOT_CREATE, "user", "add", "--from-file", "-"),
            stdin="new@example.org:pw\njo@example.org:pw\n",
        )
        self.assertEqual(text, "there is a user jo@example.org already")
        self.assertEqual(self.works("user", "list"), "jo@example.org\n")

    def test_an_empty_or_missing_file_is_told(self) -> None:
        self.fails(Exit.DATA_WRONG, "user", "add", "--from-file", "-")
        self.fails(Exit.NO_INPUT, "user", "add", "--from-file", self.path("none"))
        path = self.path("latin")
        with open(path, "wb") as file:
            file.write(b"a@x.org:caf\xe9\n")
        self.fails(Exit.DATA_WRONG, "user", "add", "--from-file", path)

    def test_an_address_and_a_file_exclude_each_other(self) -> None:
        self.fails(Exit.USAGE, "user", "add")
        self.fails(Exit.USAGE, "user", "add", "jo@example.org", "--from-file", "-")


class UserTests(CommandTests):
    """``mailhub user list|show|passwd|remove``."""

    def setUp(self) -> None:
        super().setUp()
        self.add_user()

    def test_list_has_a_stable_shape(self) -> None:
        self.assertEqual(self.json("user", "list"), {"users": [JO]})

    def test_show_tells_all_but_the_hash(self) -> None:
        self.works("alias", "add", "info@example.org", "jo@example.org")
        data = self.json("user", "show", "JO@example.org")
        self.assertEqual(data, {**JO, "aliases": ["info@example.org"]})
        self.assertEqual(
            self.works("user", "show", "jo@example.org"),
            "address   jo@example.org\n"
            "enabled   yes\n"
            "password  plain\n"
            "quota     none\n"
            "aliases   info@example.org\n",
        )
        self.assertNotIn("secret", self.out)

    def test_passwd_changes_the_password(self) -> None:
        data = self.json(
            *("user", "passwd", "jo@example.org", "--password-stdin"), stdin="new\n"
        )
        self.assertEqual(data, {"address": "jo@example.org"})
        with directory_of(self) as directory:
            account = directory.find_account("jo@example.org")
        self.assertEqual(account.password, "{PLAIN}new")

    def test_remove_asks_at_a_terminal(self) -> None:
        self.assertEqual(
            self.mailhub("user", "remove", "jo@example.org", typed="n\n"),
            Exit.DATA_WRONG,
        )
        self.assertIn("Remove jo@example.org and all the mail? [y/N] ", self.told)
        self.works("user", "remove", "jo@example.org", typed="Yes\n")
        self.assertEqual(self.works("user", "list"), "")

    def test_remove_elsewhere_demands_yes(self) -> None:
        self.fails(Exit.USAGE, "user", "remove", "jo@example.org")
        self.assertEqual(
            self.json("user", "remove", "jo@example.org", "--yes"),
            {"address": "jo@example.org"},
        )

    def test_who_is_not_there_is_told_before_a_password_is_asked_for(self) -> None:
        for arguments in (("show",), ("passwd",), ("remove", "--yes")):
            text = self.fails(Exit.NO_USER, "user", *arguments, "al@example.org")
            self.assertEqual(text, "there is no user al@example.org")
            self.assertEqual(self.prompts, [])

    def test_the_server_may_write_at_the_same_time(self) -> None:
        connection = connect(self.path("mailhub-data", FILE_NAME))
        self.addCleanup(connection.close)
        directory = Directory(connection)
        with transaction(connection):
            directory.add_domain("other.example")
            self.assertEqual(self.works("user", "list"), "jo@example.org\n")
        self.add_user("al@example.org")
        self.assertEqual(len(directory.accounts()), 2)


class StoreFaultTests(CommandTests):
    """What is told when the store cannot be used."""

    def test_without_a_store_nothing_is_made_by_looking(self) -> None:
        for arguments in (("list",), ("show", "jo@example.org")):
            text = self.fails(Exit.UNAVAILABLE, "user", *arguments)
            data = self.path("mailhub-data")
            self.assertEqual(text, f"there is no mail store in {data} yet")
        self.assertEqual(os.listdir(self.folder), [])

    def test_what_is_too_much_for_the_server_goes_to_the_store_itself(self) -> None:
        asked = []

        class Overwhelmed(Server):
            def ask(self, question: str, **details: Any) -> dict[str, Any]:
                asked.append(question)
                raise TooLong("too much")

        def find(data: str) -> Server:
            return Overwhelmed(socket.socket(socket.AF_UNIX))

        self.patch(directory, "find", find)
        self.add_user()
        self.assertEqual(self.works("user", "list"), "jo@example.org\n")
        self.assertEqual(asked, ["command"] * 2)
        self.write("mailhub.toml", '[store]\nkind = "memory"\n')
        text = self.fails(Exit.DATA_WRONG, "user", "list")
        self.assertEqual(text, "that is too much for the server at once")

    def test_a_memory_store_cannot_be_changed_from_outside(self) -> None:
        path = self.write("mailhub.toml", '[store]\nkind = "memory"\n')
        text = self.fails(Exit.CONFIG, "user", "list")
        self.assertEqual(
            text,
            f'{path}:2: [store] kind = "memory": keeps its users in a server, and none'
            " is running",
        )

    def test_another_file_in_its_place_is_told(self) -> None:
        os.mkdir(self.path("mailhub-data"))
        self.write(f"mailhub-data/{FILE_NAME}", "not a database" * 100)
        self.fails(Exit.UNAVAILABLE, "user", "list")

    def test_a_store_that_is_locked_for_long_is_worth_another_try(self) -> None:
        self.add_user()
        connection = sqlite3.connect(self.path("mailhub-data", FILE_NAME))
        self.addCleanup(connection.close)
        connection.execute("begin immediate")
        self.patch(connect.__globals__["sqlite3"], "connect", impatient)
        self.fails(Exit.TRY_AGAIN, "domain", "add", "x.org")

    def test_a_folder_that_cannot_be_made_is_told(self) -> None:
        self.write("file", "")
        arguments = ("domain", "add", "x.org", "--data", self.path("file", "data"))
        self.assertNotEqual(self.mailhub(*arguments), 0)
        self.assertIn("Not a directory", self.told)


real_connect = sqlite3.connect


def impatient(path: str, **settings):
    """``sqlite3.connect`` that does not wait for a lock."""
    return real_connect(path, **{**settings, "timeout": 0})


@contextmanager
def directory_of(case: CommandTests) -> Iterator[Directory]:
    """What a command has changed."""
    with closing(connect(case.path("mailhub-data", FILE_NAME))) as connection:
        yield Directory(connection)
