"""Smarthosts, LMTP servers, and logins there."""

from __future__ import annotations

import os
from base64 import b64encode

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailhub.config.settings import TLS, Login, Outbound
from mailhub.mail.dns import RecordType
from mailhub.outbound.building import way_out
from mailhub.outbound.certificates import PublicTrust
from mailhub.outbound.secrets import SecretsFile
from mailhub.outbound.secrets_file import Client, read_secrets
from mailhub.smtp.client_login import Login as Secret
from mailhub.smtp.client_login import LoginFault
from tests.servers import PASSWORD, USER, Servers, write

from .authority import issue
from .far_server import HELLO
from .way_case import DOMAIN, MESSAGE, WayCase, told

TAKEN = [("delivered", "2.0.0")]
PLAIN = b64encode(b"\0jo\0secret")


class SmarthostTests(WayCase):
    """All mail goes there, wherever it is."""

    def passwords(self, *lines: str) -> str:
        path = os.path.abspath(self.mktemp())
        write(path, "".join(f"{line}\n" for line in lines))
        return path

    async def test_all_mail_goes_there(self):
        far = self.far()
        self.make(smarthost=f"smtp://127.0.0.1:{far.port}", allow_private=False)
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(self.names.asked, [])

    async def test_a_name_is_looked_up(self):
        far = self.far()
        self.names.records["relay.example"] = {RecordType.A: ["127.0.0.1"]}
        self.make(smarthost=f"smtp://relay.example:{far.port}", allow_private=False)
        [result] = await self.send()
        self.assertEqual(result.host, "relay.example")

    async def test_a_name_that_does_not_exist_is_a_reason_to_wait(self):
        """It is our own mistake."""
        self.make(smarthost="smtp://relay.example")
        self.assertEqual(told(await self.send()), [("delayed", "4.4.4")])

    async def test_this_machine_has_its_own_name(self):
        far = self.far()
        self.make(smarthost=f"smtp://localhost:{far.port}")
        self.assertEqual(told(await self.send()), TAKEN)

    async def test_what_the_route_says_comes_before_it(self):
        one, two = self.far(1), self.far(2)
        self.make(
            smarthost=f"smtp://127.0.0.1:{one.port}",
            routes=(
                ("far.example", f"smtp://127.0.0.2:{two.port}"),
                ("from:boss@x.example", f"smtp://127.0.0.2:{two.port}"),
            ),
        )
        await self.send()
        await self.send("jo@other.example", destination="other.example")
        await self.send(
            "jo@other.example", destination="other.example", sender="boss@x.example"
        )
        self.assertEqual((len(one.messages), len(two.messages)), (1, 2))

    async def test_a_password_is_said_on_this_machine_only(self):
        far = self.far(offers=(*HELLO, b"AUTH PLAIN LOGIN"))
        far.replies[b"AUTH"] = b"235 2.7.0 welcome"
        path = self.passwords("127.0.0.1 jo secret")
        self.make(
            smarthost=f"smtp://jo@127.0.0.1:{far.port}?tls=may", passwords=path
        )
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertIn(b"AUTH PLAIN " + PLAIN, far.heard)

    async def test_without_tls_it_is_not_said_where_tls_is_wanted(self):
        far = self.far(offers=(*HELLO, b"AUTH PLAIN LOGIN"))
        path = self.passwords("127.0.0.1 jo secret")
        self.make(smarthost=f"smtp://jo@127.0.0.1:{far.port}", passwords=path)
        [result] = await self.send()
        self.assertEqual(told([result]), [("delayed", "4.7.5")])
        self.assertNotIn(b"AUTH", far.verbs())

    async def test_a_login_that_fails_is_a_reason_to_wait(self):
        far = self.far(offers=(*HELLO, b"AUTH LOGIN"))
        far.replies[b"AUTH"] = b"535 5.7.8 no"
        path = self.passwords("127.0.0.1 jo secret")
        self.make(
            smarthost=f"smtp://jo@127.0.0.1:{far.port}?tls=may", passwords=path
        )
        [result] = await self.send()
        self.assertEqual(told([result]), [("delayed", "4.7.8")])
        self.assertNotIn("secret", result.reply)

    async def test_no_password_is_a_reason_to_wait(self):
        far = self.far(offers=(*HELLO, b"AUTH LOGIN"))
        self.make(smarthost=f"smtp://jo@127.0.0.1:{far.port}?tls=may")
        self.assertEqual(told(await self.send()), [("delayed", "4.7.8")])

    async def test_a_session_of_one_user_is_not_used_for_another(self):
        far = self.far(offers=(*HELLO, b"AUTH PLAIN"))
        far.replies[b"AUTH"] = b"235 2.7.0 welcome"
        path = self.passwords("127.0.0.1 jo secret", "127.0.0.1 al other")
        way = f"127.0.0.1:{far.port}?tls=may"
        self.make(
            routes=(
                ("from:jo@x.example", f"smtp://jo@{way}"),
                ("from:al@x.example", f"smtp://al@{way}"),
            ),
            passwords=path,
        )
        await self.send(sender="jo@x.example")
        await self.send(sender="al@x.example")
        await self.send(sender="jo@x.example")
        self.assertEqual(far.connections, 2)


class LMTPTests(WayCase):
    """RFC 2033."""

    async def test_a_destination_may_name_the_server(self):
        far = self.far()
        self.make(allow_private=False)
        destination = f"lmtp:127.0.0.1:{far.port}"
        self.assertEqual(told(await self.send(destination=destination)), TAKEN)
        self.assertEqual(far.verbs()[0], b"LHLO")

    async def test_each_recipient_has_an_answer_after_the_message(self):
        """RFC 2033, section 4.2."""
        far = self.far(replies={
            b"RCPT TO:<NO@": b"550 5.1.1 unknown",
            b".": [b"250 2.1.5 ok", b"452 4.2.2 full", b"550 5.7.1 no"],
        })  # fmt: skip
        self.make()
        names = [f"{each}@{DOMAIN}" for each in ("jo", "no", "full", "bad")]
        results = await self.send(*names, destination=f"lmtp:127.0.0.1:{far.port}")
        self.assertEqual(
            told(results),
            [("delivered", "2.1.5"), ("failed", "5.1.1"), ("delayed", "4.2.2"),
             ("failed", "5.7.1")],
        )  # fmt: skip
        self.assertEqual(len(far.messages), 1)

    async def test_a_session_that_ends_in_between_leaves_the_rest_unknown(self):
        far = self.far(replies={b".": [b"250 2.1.5 ok", b""]})
        self.make()
        names = [f"{each}@{DOMAIN}" for each in ("jo", "al")]
        results = await self.send(*names, destination=f"lmtp:127.0.0.1:{far.port}")
        self.assertEqual(told(results), [("delivered", "2.1.5"), ("delayed", "4.4.2")])
        self.assertEqual(far.connections, 1)

    async def test_it_may_be_a_socket_that_is_not_there(self):
        self.make()
        [result] = await self.send(destination="lmtp:unix:/nonexistent/socket")
        self.assertEqual(told([result]), [("delayed", "4.4.1")])
        self.assertFalse(result.reached)

    async def test_ways_that_are_not_there_are_a_reason_to_wait(self):
        self.make()
        for destination in ("carrier:pigeon", "smtp:", "function:x"):
            results = await self.send(destination=destination)
            self.assertEqual(results[0].outcome.value, "delayed", destination)


class OwnServerTests(Servers):
    """A server of ours as the smarthost, with TLS and a login."""

    async def send_to(self, issued, trust, service="submission", **more):
        path = self.mktemp()
        write(path, issued.pem.decode())
        server = await self.start(
            self.memory(tls=TLS(certificate=path, key=path), login=Login(delay=0))
        )
        self.store = server.store
        await self.add_user(server)
        secrets = self.mktemp()
        write(secrets, f"relay.example {USER} {PASSWORD}\n")
        case = WayCase()
        case.setUp()
        case.names.records["relay.example"] = {RecordType.A: ["127.0.0.1"]}
        port = server.addresses()[service][1]
        scheme = "smtps" if service == "submissions" else "smtp"
        settings = Outbound(
            smarthost=f"{scheme}://{USER}@relay.example:{port}", passwords=secrets,
            families="ipv4-only", **more,
        )  # fmt: skip
        case.way = way_out(
            settings, reactor, case.names, "me.example",
            trust=PublicTrust([trust.certificate]),
        )
        try:
            return await case.send(USER, sender=USER, destination="example.org")
        finally:
            await case.way.stop()

    async def test_mail_goes_by_starttls_and_login(self):
        root = issue(authority=True, common_name="root")
        relay = issue("relay.example", by=root)
        [result] = await self.send_to(relay, root)
        self.assertEqual(result.outcome.value, "delivered", result)
        account = await self.store.open_account(USER)
        self.assertEqual((await account.status("INBOX")).messages, 1)

    async def test_and_by_tls_from_the_first_octet(self):
        root = issue(authority=True, common_name="root")
        relay = issue("relay.example", by=root)
        results = await self.send_to(relay, root, "submissions")
        self.assertEqual(results[0].outcome.value, "delivered", results)

    async def test_somebody_else_gets_no_password(self):
        root = issue(authority=True, common_name="root")
        other = issue("other.example", by=root)
        for service in ("submission", "submissions"):
            [result] = await self.send_to(other, root, service)
            self.assertEqual(told([result]), [("delayed", "4.7.5")])


def read(path: str) -> str:
    """What is in a file."""
    with open(path) as file:
        return file.read()


class SecretsTests(TestCase):
    """The file of passwords, and tokens that end."""

    def file(self, text: str, mode: int = 0o600) -> str:
        path = os.path.abspath(self.mktemp())
        write(path, text)
        os.chmod(path, mode)
        return path

    def test_lines_are_read(self):
        path = self.file(
            "# ours\n\nRelay.Example jo@x.example a  secret with spaces \n"
            "mail.example al oauth2 https://t.example/ id hush refresh\n"
        )
        self.assertEqual(
            read_secrets(path),
            {
                ("relay.example", "jo@x.example"): "a  secret with spaces",
                ("mail.example", "al"):
                    Client("https://t.example/", "id", "hush", "refresh"),
            },
        )

    def test_what_cannot_be_used_says_why_but_not_what(self):
        for text, why in (
            ("relay jo\n", "line 1"), ("\nrelay jo oauth2 http://x a b c\n", "line 2"),
            ("relay jo oauth2 https://x a b\n", "https"),
        ):  # fmt: skip
            with self.assertRaises(LoginFault) as caught:
                read_secrets(self.file(text))
            self.assertIn(why, str(caught.exception))
        with self.assertRaises(LoginFault) as caught:
            read_secrets(self.file("relay jo hush\n", 0o640))
        self.assertIn("others", str(caught.exception))
        self.assertRaises(LoginFault, read_secrets, "/nonexistent")
        self.assertRaises(LoginFault, read_secrets, "")

    async def test_a_token_is_used_until_it_ends(self):
        path = self.file("h u oauth2 https://t.example/ id hush refresh\n")
        now, asked = [0.0], []

        async def post(url, form):
            asked.append((url, form))
            return b'{"access_token": "t%d", "expires_in": 3600}' % len(asked)

        secrets = SecretsFile(path, lambda: now[0], post)
        self.assertEqual(await secrets.find("h", "u", False), Secret("u", "t1", True))
        now[0] = 3539.0
        self.assertEqual(await secrets.find("h", "u", False), Secret("u", "t1", True))
        now[0] = 3540.0
        self.assertEqual(await secrets.find("h", "u", False), Secret("u", "t2", True))
        self.assertEqual(await secrets.find("h", "u", True), Secret("u", "t3", True))
        self.assertEqual(asked[0], (
            "https://t.example/",
            b"grant_type=refresh_token&client_id=id&client_secret=hush"
            b"&refresh_token=refresh",
        ))  # fmt: skip

    async def test_those_who_want_a_token_at_the_same_time_get_the_same(self):
        path = self.file("h u oauth2 https://t.example/ id hush refresh\n")
        asked: list[Deferred[bytes]] = []

        async def post(url, form):
            asked.append(Deferred())
            return await asked[-1]

        secrets = SecretsFile(path, float, post)
        for renew, token in ((False, "t1"), (True, "t2")):
            found = [
                Deferred.fromCoroutine(secrets.find("h", "u", renew)) for _ in range(3)
            ]
            asked[-1].callback(b'{"access_token": "%s"}' % token.encode())
            for each in found:
                self.assertEqual(await each, Secret("u", token, True))
        self.assertEqual(len(asked), 2)

    async def test_who_waits_for_one_that_fails_asks_himself(self):
        path = self.file("h u oauth2 https://t.example/ id hush refresh\n")
        answers = [b"", b'{"access_token": "t"}']

        async def post(url, form):
            return answers.pop(0)

        secrets = SecretsFile(path, float, post)
        with self.assertRaises(LoginFault):
            await secrets.find("h", "u", False)
        self.assertEqual(await secrets.find("h", "u", False), Secret("u", "t", True))

    async def test_another_refresh_token_takes_the_place_of_the_last(self):
        """RFC 6749, section 6."""
        line = "h u oauth2 https://t.example/ id hush {}\n"
        path = self.file("# ours\nr2 r2 r1 x\n" + line.format("r1"))
        answers = [
            b'{"access_token": "t1", "expires_in": 0, "refresh_token": "r2"}',
            b'{"access_token": "t2", "expires_in": 0, "refresh_token": "r 3"}',
            b'{"access_token": "t3", "expires_in": 0, "refresh_token": "r4"}',
            b'{"access_token": "t4", "expires_in": 999}',
        ]
        sent = []

        async def post(url, form):
            sent.append(form.rpartition(b"=")[2])
            return answers.pop(0)

        secrets = SecretsFile(path, float, post)
        for token, kept in (("t1", "r2"), ("t2", "r2")):
            found = await secrets.find("h", "u", False)
            self.assertEqual(found.secret, token)
            self.assertEqual(read(path), "# ours\nr2 r2 r1 x\n" + line.format(kept))
        self.patch(os, "replace", self.fail_to)
        for token in ("t3", "t4", "t4"):
            self.assertEqual((await secrets.find("h", "u", False)).secret, token)
        self.assertEqual(sent, [b"r1", b"r2", b"r2", b"r4"])
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def fail_to(self, old, new):
        raise PermissionError(new)

    async def test_answers_without_a_token(self):
        path = self.file("h u oauth2 https://t.example/ id hush refresh\n")
        for answer in (b"", b"[]", b"{}", b'{"access_token": 5}', b"\xff", b"null"):
            async def post(url, form, answer=answer):
                return answer

            secrets = SecretsFile(path, float, post)
            with self.assertRaises(LoginFault):
                await secrets.find("h", "u", False)


class TokenTests(WayCase):
    """XOAUTH2, and a token that is refused."""

    async def test_a_refused_token_is_renewed_once(self):
        far = self.far(offers=(*HELLO, b"AUTH XOAUTH2"))
        far.replies[b"AUTH"] = [b"334 eyJzdGF0dXMiOiI0MDEifQ==", b"235 ok"]
        far.replies[b""] = b"220 far"
        far.heard_empty = 0
        answers = []

        async def secrets_of(host, user, renew):
            answers.append(renew)
            return Secret(user, "new" if renew else "old", True)

        self.make(smarthost=f"smtp://jo@127.0.0.1:{far.port}?tls=may")
        self.way._by_route._secrets_of = secrets_of
        original = far.reply_to
        far.reply_to = lambda line: (
            b"535 5.7.8 expired" if line == b"" else original(line)
        )
        self.assertEqual(told(await self.send()), TAKEN)
        self.assertEqual(answers, [False, True])
        self.assertEqual(far.messages, [MESSAGE])
