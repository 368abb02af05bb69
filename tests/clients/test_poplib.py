"""Python's poplib against POP3."""

from __future__ import annotations

import poplib

from .corpus import ALICE, small
from .fixture import PASSWORD, ClientTests


class PoplibTests(ClientTests):
    """RFC 1939, RFC 2449, RFC 2595, RFC 5034."""

    async def setUp(self):
        await super().setUp()
        for number in range(3):
            await self.hub.deliver(ALICE, small(number))

    def in_session(self, work):
        """Log in over TLS and let *work* talk.  -> a Deferred"""

        def session():
            client = poplib.POP3_SSL(*self.address("pop3s"), context=self.tls)
            try:
                client.user(ALICE)
                client.pass_(PASSWORD)
                return work(client)
            finally:
                client.close()

        return self.in_thread(session)

    def with_quit(self, work):
        """The same, ended in order."""

        def polite(client):
            result = work(client)
            client.quit()
            return result

        return self.in_session(polite)

    async def test_messages_are_counted_listed_and_retrieved_as_they_are(self):
        def read(client):
            listed = [line.split() for line in client.list()[1]]
            whole = [b"\r\n".join(client.retr(n)[1]) + b"\r\n" for n in (1, 2, 3)]
            return client.stat(), listed, whole

        (count, octets), listed, whole = await self.with_quit(read)
        stored = [message.raw for message in await self.hub.messages(ALICE)]
        self.assertEqual((count, octets), (3, sum(map(len, stored))))
        self.assertEqual(whole, stored)
        self.assertEqual(
            listed, [[b"%d" % n, b"%d" % len(raw)] for n, raw in enumerate(stored, 1)]
        )

    async def test_top_gives_the_header_and_some_lines(self):
        def read(client):
            return b"\r\n".join(client.top(3, 1)[1])

        header, _, body = (await self.with_quit(read)).partition(b"\r\n\r\n")
        self.assertIn(b"Subject: small 2", header)
        self.assertEqual(body, b"line 0 of 2")

    async def test_uidl_stays_the_same_from_session_to_session(self):
        def read(client):
            return client.uidl()[1], client.uidl(2)

        first, one = await self.with_quit(read)
        self.assertEqual((first, one), await self.with_quit(read))
        self.assertEqual(len({line.split()[1] for line in first}), 3)
        self.assertEqual(one.split()[1:], first[1].split())

    async def test_a_message_is_deleted_at_quit_and_not_before(self):
        def delete(client):
            client.dele(2)
            return client.stat()

        count, _ = await self.in_session(delete)
        self.assertEqual(count, 2)
        self.assertEqual(len(await self.hub.messages(ALICE)), 3)
        await self.with_quit(delete)
        subjects = [message.subject for message in await self.hub.messages(ALICE)]
        self.assertEqual(subjects, ["small 0", "small 2"])

    async def test_rset_takes_deletions_back(self):
        def delete(client):
            client.dele(1)
            client.rset()

        await self.with_quit(delete)
        self.assertEqual(len(await self.hub.messages(ALICE)), 3)

    async def test_stls_makes_a_plain_connection_safe(self):
        def session():
            client = poplib.POP3(*self.address("pop3"))
            self.assertIn("STLS", client.capa())
            client.stls(context=self.tls)
            self.assertNotIn("STLS", client.capa())
            client.user(ALICE)
            client.pass_(PASSWORD)
            count, _ = client.stat()
            client.quit()
            return count

        self.assertEqual(await self.in_thread(session), 3)

    async def test_a_maildrop_is_open_once(self):
        def both(client):
            second = poplib.POP3(*self.address("pop3"))
            second.user(ALICE)
            try:
                second.pass_(PASSWORD)
            except poplib.error_proto as error:
                return str(error)
            finally:
                second.close()

        self.assertIn("[IN-USE]", await self.with_quit(both))

    async def test_a_wrong_password_is_refused(self):
        def session():
            client = poplib.POP3(*self.address("pop3"))
            client.user(ALICE)
            try:
                client.pass_("guess")
            finally:
                client.close()

        error = await self.assertFailure(self.in_thread(session), poplib.error_proto)
        self.assertIn("[AUTH]", str(error))
