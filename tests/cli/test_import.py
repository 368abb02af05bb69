"""``mailhub import``: settings of Sendmail and Postfix as ours."""

from __future__ import annotations

import os
import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhub.cli import import_files
from mailhub.cli.import_postfix import import_postfix
from mailhub.cli.import_sendmail import import_sendmail
from mailhub.cli.outcome import Exit
from mailhub.config.loading import load

from .shell import CommandTests

#: What the manuals name first, with the rules and mailers of every file.
SENDMAIL = r"""
# a comment
V10/Berkeley
Cwlocalhost
C{w}example.org youngjin-mail.com
Fw{folder}/local-host-names
DSsmtp:[smart.example.net]
FR-o {folder}/relay-domains %[^\#]
CRpartner.example
Karith arith
Kaccess hash -T<TMPF> -o {folder}/access.db
Kvirtuser hash -o {folder}/virtusertable
Kmailertable ldap:example
Djmail.example.org
DMexample.org
DnMAILER-DAEMON
DZ8.17.1
O AliasFile={folder}/aliases,nis:mail.aliases
#O MaxMessageSize=1
O MaxMessageSize=10485760
O ForwardPath=$z/.forward.$w:$z/.forward
O DaemonPortOptions=Port=smtp,Addr=127.0.0.1, Name=MTA
O DaemonPortOptions=Port=587, Name=MSA, M=Ea
O DaemonPortOptions=Family=inet6, Name=MTA6
O DaemonPortOptions=Port=smtps, Name=TLS, M=s
O DeliveryMode=background
O Timeout.queuereturn=5d
O Timeout.queuewarn=4h
O QueueDirectory=/var/spool/mqueue
O MaxRecipientsPerMessage=200
O RunAsUser=mail:mail
O ColonOkInAddr=True
Troot
Tdaemon
Ct root uucp
Ft/etc/mail/trusted-users
HReceived: by $j
Scanonify=3
R$@			$@ <@>
R$*		$: $>1
  $1
Mlocal,		P=/usr/bin/procmail
"""
POSTFIX = """
# a comment
myhostname = mail.example.org
myorigin = $mydomain
mydestination = $myhostname, localhost.${mydomain},
  example.org
  hash:{folder}/local-host-names
mynetworks = 127.0.0.0/8 [::1]/128
   # not this
   10.0.0.0/8
relayhost = [smart.example.net]:587
relay_domains = $mydestination, partner.example
alias_maps = hash:{folder}/aliases, nis:mail.aliases
virtual_alias_maps = hash:{folder}/virtusertable
home_mailbox = Maildir/
message_size_limit = 10240000
mailbox_size_limit = 51200000
inet_interfaces = all
inet_protocols = ipv4
smtpd_tls_cert_file = /etc/ssl/cert.pem
smtpd_tls_key_file = /etc/ssl/key.pem
smtpd_tls_mandatory_protocols = >=TLSv1.3
maximal_queue_lifetime = 1w
delay_warning_time = 0
recipient_delimiter = +
masquerade_domains = example.org
smtpd_client_restrictions = permit_mynetworks,
  check_client_access cidr:{folder}/access reject_rbl_client bl.example.net
smtpd_sender_restrictions = check_sender_access hash:{folder}/senders
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination,
  check_recipient_access pcre:/etc/postfix/pcre
biff = no
"""
#: Pieces that lines of both files are made of.
PIECES = st.sampled_from(
    ["\n", "\n", " ", "\t", "=", ",", ":", "[", "]", "$", "{", "}", "/etc/x", "hash:"]
    + ["D", "j", "M", "S", "C", "w", "F", "R-o", "K", "access hash ", "O ", "T", "V"]
    + ["AliasFile=", "ForwardPath=", "DaemonPortOptions=", "Timeout.queuereturn="]
    + ["myhostname =", "mynetworks =", "relayhost =", "inet_interfaces =", "a.b", "::1"]
    + ["smtpd_client_restrictions =", "check_client_access ", "9", "d", "\0", "\u00e9"]
)
FILES = "local-host-names", "relay-domains", "access", "virtusertable", "aliases"


class ImportCase(CommandTests):
    """A folder with the files that are named."""

    def setUp(self) -> None:
        super().setUp()
        for name in (*FILES, "senders"):
            self.write(name, "")

    def imported(self, text: str, *options: str):
        path = self.write("other.cf", text.replace("{folder}", self.folder))
        return self.json("import", path, *options)

    def settings(self, answer) -> dict:
        tables = tomllib.loads(answer["text"])
        return {name: table for name, table in tables.items() if table}

    def left(self, answer) -> dict[str, str]:
        return {each["said"]: each["why"] for each in answer["left"]}


class SendmailTests(ImportCase):
    """``sendmail.cf``."""

    def test_settings_become_ours(self) -> None:
        answer = self.imported(SENDMAIL)
        self.assertEqual(
            self.settings(answer),
            {
                "server": {"host_name": "mail.example.org", "user": "mail",
                           "group": "mail"},
                "listen": {
                    "smtp": ["127.0.0.1:25", "[::]:25"],
                    "submission": ["0.0.0.0:587"],
                    "submissions": ["0.0.0.0:465"],
                },
                "limits": {"message_size": "10 MiB", "recipients": 200},
                "routing": {
                    "relay_domains": ["partner.example"],
                    "senders": [
                        "@mail.example.org @example.org",
                        "@youngjin-mail.com @example.org",
                    ],
                },
                "files": {
                    "aliases": [self.path("aliases")],
                    "virtusertable": [self.path("virtusertable")],
                    "local_host_names": [self.path("local-host-names")],
                    "relay_domains": [self.path("relay-domains")],
                    "access": [self.path("access")],
                    "origin": "example.org",
                    "forward": "~/.forward",
                },
                "outbound": {"smarthost": "smtp://smart.example.net"},
                "queue": {"lifetime": "5 d", "warn_after": "4 h"},
                "local": {"trusted": ["daemon", "uucp"]},
            },
        )  # fmt: skip

    def test_nothing_is_passed_over_in_silence(self) -> None:
        answer = self.imported(SENDMAIL)
        left = self.left(answer)
        for said, why in (
            ("DnMAILER-DAEMON", "null sender"),
            ("Kmailertable ldap:example", "no setting"),
            ("O DeliveryMode=background", "sent at once"),
            ("O QueueDirectory=/var/spool/mqueue", "[server] data"),
            ("O ColonOkInAddr=True", "no setting"),
            ("Ft/etc/mail/trusted-users", "[local] trusted"),
            ("sendmail for all users of the machine", "[local] drop"),
            ("3 lines of rulesets", "not seen"),
            ("1 lines of mailers", "not seen"),
            ("localhost, example.org, youngjin-mail.com", "local_host_names"),
        ):
            self.assertIn(why, left.get(said, ""), said)
        self.assertIn("nis:mail.aliases", str(left))
        self.assertIn("$z/.forward.$w", str(left))
        for each in answer["left"]:
            self.assertIn(f"# {'' if not each['line'] else 'line '}", answer["text"])
            self.assertIn(each["why"], answer["text"])

    def test_each_line_that_says_something_is_a_setting_or_left(self) -> None:
        for line, chosen, left in (
            ("O MaxMessageSize=0", 0, 1),
            ("O MaxMessageSize=1", 0, 1),
            ("O MaxMessageSize=2097152", 1, 0),
            ("O Timeout.queuereturn=soon", 0, 1),
            ("O Timeout.queuereturn=2w", 1, 0),
            ("O ForwardPath=/var/forward/$w", 0, 1),
            ("O DaemonPortOptions=Port=uucp", 0, 1),
            ("O DaemonPortOptions=Addr=localhost", 0, 1),
            ("DSesmtp:relay.example.net", 1, 1),
            ("DSuucp:host", 0, 1),
            ("DHhub.example.net", 0, 1),
            ("DR", 0, 0),
            ("C{Mine}a b", 0, 1),
            ("Fw|/usr/bin/hosts", 0, 1),
            ("Kldap ldap -k (x)", 0, 1),
            ("O", 0, 1),
            ("OA/etc/aliases", 0, 1),
            ("?what", 0, 1),
        ):
            carried = import_sendmail(line)
            found = (len(carried.chosen), len(carried.left))
            self.assertEqual(found, (chosen, left), line)

    def test_forwards_without_an_origin_are_left(self) -> None:
        carried = import_sendmail("O ForwardPath=$z/.forward")
        self.assertEqual(carried.chosen, {})
        self.assertIn("origin", carried.left[0].why)

    def test_its_source_is_told_apart(self) -> None:
        path = self.write("sendmail.mc", "divert(-1)\nFEATURE(`access_db')\n")
        self.assertIn("m4", self.fails(Exit.DATA_WRONG, "import", path))


class PostfixTests(ImportCase):
    """``main.cf``."""

    def test_settings_become_ours(self) -> None:
        answer = self.imported(POSTFIX, "--output", "new.toml")
        self.assertEqual(
            self.settings(answer),
            {
                "server": {"host_name": "mail.example.org"},
                "listen": {"smtp": ["0.0.0.0:25"]},
                "tls": {
                    "certificate": "/etc/ssl/cert.pem",
                    "key": "/etc/ssl/key.pem",
                    "minimum_version": "TLSv1.3",
                },
                "limits": {"message_size": "10000 KiB"},
                "mail": {"plus_separator": "+"},
                "routing": {
                    "relay_domains": ["partner.example"],
                    "senders": ["@.example.org @example.org"],
                },
                "files": {
                    "aliases": [self.path("aliases")],
                    "virtusertable": [self.path("virtusertable")],
                    "local_host_names": [
                        self.path("local-host-names"), self.path("new.local-host-names")
                    ],
                    "relay_domains": [self.path("new.relay-networks")],
                    "access": [
                        f"connect:{self.path('access')}", f"from:{self.path('senders')}"
                    ],
                    "origin": "example.org",
                },
                "outbound": {"smarthost": "smtp://smart.example.net:587"},
                "queue": {"lifetime": "7 d", "warn_after": 0},
            },
        )  # fmt: skip

    def test_what_belongs_beside_it_is_written(self) -> None:
        answer = self.imported(POSTFIX, "--output", "new.toml")
        self.assertEqual(len(answer["beside"]), 2)
        for name, lines in (
            ("new.local-host-names",
             ["mail.example.org", "localhost.example.org", "example.org"]),
            ("new.relay-networks", ["127.0.0.0/8", "[::1]/128", "10.0.0.0/8"]),
        ):  # fmt: skip
            with open(self.path(name)) as file:
                self.assertEqual(file.read().split(), lines)

    def test_the_server_would_begin_with_it(self) -> None:
        self.imported(POSTFIX, "--output", "new.toml")
        config = load(self.path("new.toml"), environ={}, folder=self.folder)
        self.assertEqual(config.files.aliases, (self.path("aliases"),))

    def test_nothing_is_passed_over_in_silence(self) -> None:
        left = self.left(self.imported(POSTFIX))
        for name, why in (
            ("home_mailbox = Maildir/", "[server] data"),
            ("mailbox_size_limit = 51200000", "--quota"),
            ("biff = no", "no setting"),
            ("inet_protocols = ipv4", "inet_interfaces"),
            ("127.0.0.0/8, [::1]/128, 10.0.0.0/8", "relay_domains"),
        ):
            self.assertIn(why, left.get(name, ""), name)
        told = str(left)
        for what in ("nis:mail.aliases", "reject_rbl_client bl.example.net",
                     "pcre:/etc/postfix/pcre"):  # fmt: skip
            self.assertIn(what, told)

    def test_each_parameter_is_a_setting_or_left(self) -> None:
        for line, chosen, left in (
            ("message_size_limit = 0", 0, 1),
            ("message_size_limit = many", 0, 1),
            ("relayhost =", 0, 0),
            ("relayhost = smart.example.net", 1, 1),
            ("relayhost = [192.0.2.1]:submission", 1, 0),
            ("relayhost = [2001:db8::1]:465", 1, 0),
            ("myorigin = /etc/mailname", 0, 1),
            ("transport_maps = regexp:/etc/x", 0, 1),
            ("mynetworks = hash:/etc/networks", 0, 1),
            ("recipient_delimiter = +-", 0, 1),
            ("delay_warning_time = 4x", 0, 1),
            ("inet_interfaces = mail.example.org", 0, 1),
            ("masquerade_domains = !a.example.org", 0, 1),
            ("smtpd_tls_protocols = !SSLv2", 0, 1),
            ("loop_a = $loop_b\nloop_b = $loop_a", 0, 2),
        ):
            base = "" if "inet_interfaces" in line else "\ninet_interfaces="
            carried = import_postfix(f"mydestination=\n{line}{base}\n")
            found = (len(carried.chosen), len(carried.left))
            self.assertEqual(found, (chosen, left), line)


class CommandLineTests(ImportCase):
    """The command itself."""

    def test_files_that_are_not_there_are_left_out(self) -> None:
        os.remove(self.path("aliases"))
        answer = self.imported(SENDMAIL)
        self.assertNotIn("aliases", self.settings(answer)["files"])
        self.assertIn(f"aliases in {self.path('aliases')}", self.left(answer))

    def test_without_an_output_it_is_shown(self) -> None:
        path = self.write("main.cf", "myhostname = mail.example.org\n")
        self.assertIn('host_name = "mail.example.org"', self.works("import", path))
        self.assertIn("# Not carried over:", self.out)

    def test_nothing_is_overwritten(self) -> None:
        path = self.write("main.cf", "myhostname = mail.example.org\n")
        self.write("there.toml", "")
        self.fails(Exit.CANNOT_CREATE, "import", path, "--output", "there.toml")
        self.assertFalse(os.path.exists(self.path("there.local-host-names")))

    def test_others_are_refused(self) -> None:
        for text, code in (("nothing of all that", Exit.DATA_WRONG), ("", 65)):
            path = self.write("x", text)
            self.fails(code, "import", path)
        self.fails(Exit.NO_INPUT, "import", self.path("gone"))

    def test_what_does_not_go_together_is_left(self) -> None:
        answer = self.imported("V10\nO ServerCertFile=/etc/ssl/cert.pem\n")
        self.assertNotIn("tls", self.settings(answer))
        left = self.left(answer)["[tls] certificate = /etc/ssl/cert.pem"]
        self.assertEqual(left, "expected a key beside it")

    def test_a_certificate_of_postfix_may_have_its_key_with_it(self) -> None:
        answer = self.imported("smtpd_tls_cert_file = /etc/ssl/both.pem\n")
        self.assertEqual(
            self.settings(answer)["tls"],
            {"certificate": "/etc/ssl/both.pem", "key": "/etc/ssl/both.pem"},
        )

    def test_a_file_has_its_limit(self) -> None:
        text = "biff = no\n"
        self.patch(import_files, "LARGEST_FILE", len(text))
        path = self.write("main.cf", text)
        self.works("import", path)
        path = self.write("main.cf", text + "\n")
        self.assertIn("more than", self.fails(Exit.DATA_WRONG, "import", path))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(PIECES, max_size=30).map("".join))
    def test_any_lines_are_settings_or_left(self, text) -> None:
        for read in (import_sendmail, import_postfix):
            read(text).values("/")

    def test_a_line_cannot_become_a_setting_by_itself(self) -> None:
        """Attack: a line end that a comment does not see."""
        text = 'biff = no\x85[server]\u2028data = "/x"\r[routing]\n'
        answer = self.imported(text, "--from", "postfix")
        self.assertNotIn("server", self.settings(answer))
