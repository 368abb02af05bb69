from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mailhub.config import loading
from mailhub.config.faults import ConfigError
from mailhub.config.kinds import Endpoint, LoginSource
from mailhub.config.loading import LARGEST_FILE, Known, find, load, load_again
from mailhub.config.settings import Config

LISTENER = 'expected "address:port" with an IP address, such as "127.0.0.1:2525" or'

#: A configuration's text, and its faults without the file's name.
WRONG = [
    ("[limts]\n", ["1: [limts]: no such table; did you mean limits?"]),
    ("\n[zzz]\n", ["2: [zzz]: no such table"]),
    (
        "[limits]\nmesage_size = 5\n",
        ["2: [limits] mesage_size = 5: no such setting; did you mean message_size?"],
    ),
    (
        "[server]\nidle = 5\n",
        ["2: [server] idle = 5: no such setting; did you mean [limits] idle?"],
    ),
    (
        'data = "x"\n[server]\n',
        ['1: data = "x": expected [server] on a line before it'],
    ),
    ("nothing = 1\n", ["1: nothing = 1: expected [table] on a line before it"]),
    ("server = 5\n", ["1: [server]: expected a table of settings"]),
    ("[[server]]\n", ["1: [server]: expected a table of settings"]),
    (
        "[limits]\nrecipients = 0\n",
        ["2: [limits] recipients = 0: expected a whole number from 100 to 100000"],
    ),
    (
        '[limits]\nmessage_size = "huge"\n',
        [
            '2: [limits] message_size = "huge": expected octets from 1 KiB to 2 GiB,'
            ' as a number or like "50 MiB"'
        ],
    ),
    (
        '[limits]\nidle = "0 s"\n',
        [
            '2: [limits] idle = "0 s": expected seconds from 1 min to 7 d, as a number'
            ' or like "5 min"'
        ],
    ),
    (
        '[listen]\nprofile = "world"\n',
        ['2: [listen] profile = "world": expected "local" or "public"'],
    ),
    (
        '[listen]\nsmtp = "127.0.0.1:25"\n',
        [
            '2: [listen] smtp = "127.0.0.1:25": expected a list [...]; in it,'
            f' {LISTENER} "[::1]:2525"'
        ],
    ),
    (
        '[listen]\nlmtp = [\n  "unix:/x",\n  "*:24",\n  24,\n]\n',
        [
            f'4: [listen] lmtp = "*:24": {LISTENER} "[::1]:2525" or "unix:PATH"',
            f'5: [listen] lmtp = 24: {LISTENER} "[::1]:2525" or "unix:PATH"',
        ],
    ),
    (
        '[listen]\nimap = ["127.0.0.1:2525"]\n',
        [
            '2: [listen] imap = ["127.0.0.1:2525"]: expected 127.0.0.1:2525 once, but'
            " smtp uses it, too"
        ],
    ),
    (
        '[listen]\nsmtp = ["127.0.0.1:2143"]\n',
        [
            '2: [listen] smtp = ["127.0.0.1:2143"]: expected 127.0.0.1:2143 once, but'
            " imap uses it, too"
        ],
    ),
    (
        '[tls]\ncertificate = "x"\n',
        ['2: [tls] certificate = "x": expected a key beside it'],
    ),
    ('[tls]\nkey = "x"\n', ['2: [tls] key = "x": expected a certificate beside it']),
    (
        '[tls]\nminimum_version = "TLSv1"\n',
        ['2: [tls] minimum_version = "TLSv1": expected "TLSv1.2" or "TLSv1.3"'],
    ),
    ("[login]\nauth = []\n", ["2: [login] auth = []: expected one at least"]),
    (
        '[login]\nauth = ["store", "ldap:x"]\n',
        ['2: [login] auth = "ldap:x": expected "store" or "passwd-file:PATH"'],
    ),
    (
        "[store]\nkind = false\n",
        ['2: [store] kind = false: expected "sqlite" or "memory"'],
    ),
    (
        '[mail]\npostmaster = "me"\nplus_separator = "ab"\n',
        [
            '2: [mail] postmaster = "me": expected an address such as'
            ' "jo@example.org", or ""',
            '3: [mail] plus_separator = "ab": expected one of + - = . or "" for none',
        ],
    ),
]


class FaultTests(SynchronousTestCase):
    """Wrong configurations, with the exact line and text of each fault."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.file = os.path.join(self.folder, "mailhub.toml")

    def write(self, text: str | bytes) -> None:
        octets = text.encode() if isinstance(text, str) else text
        with open(self.file, "wb") as file:
            file.write(octets)

    def faults(self, text: str | bytes, environ=None) -> list[str]:
        """What is wrong with a file of *text*, without the file's name."""
        self.write(text)
        error = self.assertRaises(
            ConfigError, load, environ=environ or {}, folder=self.folder
        )
        return [line.removeprefix(self.file + ":") for line in str(error).split("\n")]

    def test_each_kind_of_wrong_setting_is_named_with_its_line(self) -> None:
        for text, expected in WRONG:
            self.assertEqual(self.faults(text), expected)

    def test_what_is_not_toml_is_named_with_its_line(self) -> None:
        for text, line in [
            ("[server]\n\ndata = \n", 3),
            ('[server]\ndata = "x"\ndata = "y"\n', 3),
            ("[server]\n\n[", 3),
            ("[server]\n[server]\n", 2),
        ]:
            [fault] = self.faults(text)
            self.assertTrue(fault.startswith(f"{line}: expected TOML: "), fault)
            self.assertNotIn("(at ", fault)

    def test_all_faults_are_told_at_once_in_the_order_of_the_file(self) -> None:
        found = self.faults(
            "[store]\nkind = 1\n[limits]\nidle = 0\nnope = 1\n[tls]\nkey = 'k'\n"
            '[other]\n[listen]\nimap = ["127.0.0.1:1", "x"]\n'
        )
        self.assertEqual(
            [line.split(":")[0] for line in found], ["2", "4", "5", "7", "8", "10"]
        )

    def test_windows_line_ends_do_not_shift_lines(self) -> None:
        [fault] = self.faults("[server]\r\n\r\nx = 1\r\n")
        self.assertTrue(fault.startswith("3: "), fault)

    def test_long_values_are_shortened(self) -> None:
        [fault] = self.faults(f'[store]\nkind = "{"a" * 500}"\n')
        self.assertIn('kind = "' + "a" * 56 + "...: expected", fault)

    def test_other_encodings_are_refused_with_the_line(self) -> None:
        self.assertEqual(
            self.faults(b"[server]\n# caf\xe9\n"), ["2: expected text in UTF-8"]
        )

    def test_a_huge_file_is_refused_unread(self) -> None:
        self.write("#" * LARGEST_FILE)
        load(environ={}, folder=self.folder)
        self.assertEqual(
            self.faults("#" * (LARGEST_FILE + 1)),
            ["1: expected a file of 1 MiB at most"],
        )

    def test_endless_nesting_is_refused(self) -> None:
        [fault] = self.faults("[server]\ndata = " + "[" * 100_000 + "\n")
        self.assertIn("expected TOML", fault)

    def test_a_file_that_was_asked_for_has_to_exist(self) -> None:
        for option, environ in (("no.toml", {}), (None, {"MAILHUB_CONFIG": "no.toml"})):
            error = self.assertRaises(
                ConfigError, load, option, environ=environ, folder=self.folder
            )
            self.assertEqual(
                str(error),
                f"{self.folder}/no.toml: cannot be read: No such file or directory",
            )

    def test_wrong_variables_are_named(self) -> None:
        environ = {
            "MAILHUB_LIMITS__IDLE": "soon",
            "MAILHUB_LIMITS__IDEL": "1",
            "MAILHUB_SERVRE__DATA": "x",
        }
        self.assertEqual(
            self.faults("[limits]\nrecord = 1\n", environ),
            [
                'MAILHUB_LIMITS__IDEL: [limits] idel = "1": no such setting; did you'
                " mean idle?",
                'MAILHUB_LIMITS__IDLE: [limits] idle = "soon": expected seconds from'
                ' 1 min to 7 d, as a number or like "5 min"',
                "MAILHUB_SERVRE__DATA: [servre]: no such table; did you mean server?",
                "2: [limits] record = 1: expected seconds from 5 to 1 h, as a number"
                ' or like "5 min"',
            ],
        )


class LoadTests(SynchronousTestCase):
    """Where settings come from."""

    def setUp(self) -> None:
        self.patch(loading, "USUAL_FILES", loading.USUAL_FILES[:1])
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def write(self, text: str, name: str = "mailhub.toml") -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def load(self, option: str | None = None, data: str | None = None, **environ: str):
        return load(option, data=data, environ=environ, folder=self.folder)

    def test_without_a_configuration_all_is_default(self) -> None:
        config = self.load()
        self.assertIsNone(config.source)
        self.assertEqual(config.server.data, os.path.join(self.folder, "mailhub-data"))
        self.assertEqual(config.limits, Config().limits)
        self.assertEqual(
            config.listen.endpoints("imap"), (Endpoint("127.0.0.1", 2143),)
        )

    def test_a_file_in_the_folder_is_found(self) -> None:
        path = self.write("[limits]\nrecipients = 200\n")
        config = self.load()
        self.assertEqual((config.source, config.limits.recipients), (path, 200))

    def test_the_option_wins_over_the_variable_and_that_over_the_folder(self) -> None:
        self.write("")
        chosen = {"MAILHUB_CONFIG": "b.toml"}
        self.assertEqual(
            find("a.toml", chosen, self.folder), os.path.join(self.folder, "a.toml")
        )
        self.assertEqual(
            find(None, chosen, self.folder), os.path.join(self.folder, "b.toml")
        )
        self.assertEqual(
            find(None, {}, self.folder),
            os.path.join(self.folder, loading.USUAL_FILES[0]),
        )

    def test_the_same_call_can_be_made_again(self) -> None:
        path = self.write("[limits]\nrecipients = 200\n")
        environ = {"MAILHUB_LIMITS__IDLE": "100", "PATH": "/bin"}
        config = self.load(data="d", **environ)
        assert config.call is not None
        self.assertEqual(config.call.environ, {"MAILHUB_LIMITS__IDLE": "100"})
        self.assertEqual(load_again(config), config)
        self.write("[limits]\nrecipients = 300\n")
        again = load_again(config)
        self.assertEqual((again.limits.recipients, again.limits.idle), (300, 100))
        self.assertEqual(again.server.data, os.path.join(self.folder, "d"))
        os.unlink(path)
        self.assertIsNone(load_again(config).source)

    def test_a_text_that_is_known_is_not_read_again(self) -> None:
        path = self.write("[limits]\nrecipients = 200\n")
        config = self.load()
        self.write("not at all")
        known = Known(config.source, config.text)
        self.assertEqual(load_again(config, known), config)
        error = self.assertRaises(
            ConfigError, load_again, config, Known(path, "[limits]\nidle = 0\n")
        )
        self.assertTrue(str(error).startswith(f"{path}:2: [limits] idle = 0: "))
        self.assertEqual(load_again(config, Known(None)), self.without_a_file())

    def without_a_file(self) -> Config:
        os.unlink(os.path.join(self.folder, "mailhub.toml"))
        return self.load()

    def test_settings_of_a_program_s_own_cannot_be_read_again(self) -> None:
        self.assertRaises(ValueError, load_again, Config())

    def test_a_wrong_configuration_tells_its_data_folder_if_it_can(self) -> None:
        """A server that has begun with a better one is there."""
        data = os.path.join(self.folder, "d")
        for text, option, expected in (
            ('[server]\ndata = "d"\n[limits]\nidle = 0\n', None, data),
            ("[limits]\nidle = 0\n", None, os.path.join(self.folder, "mailhub-data")),
            ("[limits]\nidle = 0\n", "d", data),
            ("no TOML", None, None),
            ("no TOML", "d", data),
            ("[server]\ndata = 5\n", None, None),
        ):
            self.write(text)
            error = self.assertRaises(ConfigError, self.load, data=option)
            self.assertEqual(error.data, expected, text)

    def test_paths_in_a_file_begin_at_its_folder(self) -> None:
        os.mkdir(os.path.join(self.folder, "etc"))
        path = self.write(
            '[tls]\ncertificate = "c.pem"\nkey = "../k.pem"\n'
            '[login]\nauth = ["passwd-file:users"]\n',
            "etc/x.toml",
        )
        config = load(path, environ={}, folder="/")
        etc = os.path.dirname(path)
        self.assertEqual(config.tls.certificate, os.path.join(etc, "c.pem"))
        self.assertEqual(config.tls.key, os.path.join(self.folder, "k.pem"))
        self.assertEqual(config.server.data, os.path.join(etc, "mailhub-data"))
        self.assertEqual(
            config.login.auth,
            (LoginSource("passwd-file", os.path.join(etc, "users")),),
        )

    def test_the_data_option_wins_and_begins_at_the_current_folder(self) -> None:
        self.write('[server]\ndata = "one"\n')
        self.assertEqual(self.load(data="two").server.data, f"{self.folder}/two")
        variable = {"MAILHUB_SERVER__DATA": "three"}
        self.assertEqual(self.load(**variable).server.data, f"{self.folder}/three")
        self.assertEqual(
            self.load(data="two", **variable).server.data, f"{self.folder}/two"
        )

    def test_variables_are_read_as_toml_or_as_plain_text(self) -> None:
        config = self.load(
            MAILHUB_SERVER__HOST_NAME="mail.example.org",
            MAILHUB_LIMITS__IDLE="1 h",
            MAILHUB_LIMITS__RECIPIENTS="500",
            MAILHUB_LISTEN__SMTP="127.0.0.1:1, [::1]:1",
            MAILHUB_LISTEN__IMAP='["127.0.0.1:2"]',
            MAILHUB_LISTEN__POP3="",
            MAILHUB_STORE__KIND='"memory"',
            MAILHUB_PORT="tcp://10.0.0.1:25",
        )
        self.assertEqual(config.server.host_name, "mail.example.org")
        self.assertEqual((config.limits.idle, config.limits.recipients), (3600, 500))
        self.assertEqual(
            config.listen.smtp, (Endpoint("127.0.0.1", 1), Endpoint("::1", 1))
        )
        self.assertEqual(config.listen.imap, (Endpoint("127.0.0.1", 2),))
        self.assertEqual(config.listen.pop3, ())
        self.assertEqual(config.store.kind, "memory")

    def test_a_variable_replaces_a_wrong_setting_of_the_file(self) -> None:
        self.write('[store]\nkind = "x"\n')
        self.assertEqual(self.load(MAILHUB_STORE__KIND="memory").store.kind, "memory")

    def test_one_setting_opens_the_server_to_the_world(self) -> None:
        self.write('[listen]\nprofile = "public"\nimap = []\npop3 = ["[::1]:1"]\n')
        listen = self.load().listen
        for service, port in (("smtp", 25), ("submissions", 465), ("imaps", 993)):
            self.assertEqual(
                listen.endpoints(service),
                (Endpoint("0.0.0.0", port), Endpoint("::", port)),
            )
        self.assertEqual(listen.endpoints("lmtp"), (Endpoint("127.0.0.1", 24),))
        self.assertEqual(listen.endpoints("imap"), ())
        self.assertEqual(listen.endpoints("pop3"), (Endpoint("::1", 1),))

    def test_port_zero_may_be_used_by_many(self) -> None:
        self.write('[listen]\nimap = ["127.0.0.1:0"]\nsmtp = ["127.0.0.1:0"]\n')
        self.assertEqual(len(self.load().listen.endpoints("imap")), 1)
