"""The imapclient library against IMAP: the parser of another author."""

from __future__ import annotations

from urllib.parse import unquote

from imapclient import SEEN, IMAPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from mailhub.mail.words import decode_text
from mailhub.store.content import BytesContent

from .corpus import ALICE, KOREAN_FILE, KOREAN_SUBJECT, korean, small
from .fixture import PASSWORD, ClientTests


class IMAPClientTests(ClientTests):
    """RFC 2177, 3501, 4315, 6154, 6851."""

    def in_session(self, work):
        """Log in over TLS and let *work* talk.  -> a Deferred"""

        def session():
            host, port = self.address("imaps")
            with IMAPClient(host, port, ssl_context=self.tls, timeout=60) as client:
                client.login(ALICE, PASSWORD)
                return work(client)

        return self.in_thread(session)

    async def test_a_delivery_is_announced_to_who_waits(self):
        def watch():
            host, port = self.address("imap")
            with IMAPClient(host, port, ssl=False, timeout=60) as client:
                client.login(ALICE, PASSWORD)
                client.select_folder("INBOX")
                client.idle()
                reactor.callFromThread(self.deliver)
                seen = client.idle_check(timeout=30)
                client.idle_done()
                return seen, client.search("RECENT")

        seen, recent = await self.in_thread(watch)
        await self.delivery
        self.assertIn((1, b"EXISTS"), seen)
        self.assertEqual(recent, [1])

    def deliver(self):
        """Called on the reactor: a message arrives."""
        self.delivery = Deferred.fromCoroutine(self.hub.deliver(ALICE, small(1)))

    async def test_special_folders_are_found_by_their_use(self):
        def work(client):
            return [
                client.find_special_folder(use)
                for use in (b"\\Sent", b"\\Junk", b"\\Trash")
            ], client.folder_exists("Entwürfe"), client.create_folder("Entwürfe")

        folders, existed, _ = await self.in_session(work)
        self.assertEqual(folders, ["Sent", "Junk", "Trash"])
        self.assertFalse(existed)
        self.assertEqual(await self.hub.messages(ALICE, "Entwürfe"), [])

    async def test_envelope_and_structure_are_parsed_by_others(self):
        await self.hub.deliver(ALICE, korean())

        def work(client):
            client.select_folder("INBOX", readonly=True)
            return client.fetch([1], ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE"])[1]

        data = await self.in_session(work)
        envelope = data[b"ENVELOPE"]
        [author] = envelope.from_
        self.assertEqual((author.name, author.mailbox), (b"Bob", b"bob"))
        self.assertEqual(decode_text(envelope.subject), KOREAN_SUBJECT)
        self.assertEqual(data[b"RFC822.SIZE"], len(korean()))
        structure = data[b"BODYSTRUCTURE"]
        self.assertTrue(structure.is_multipart)
        alternative, attachment = structure[0]
        self.assertEqual(alternative[1].lower(), b"alternative")
        self.assertIn(KOREAN_FILE[:2], _percent(attachment))

    async def test_search_speaks_korean(self):
        await self.hub.deliver(ALICE, small(1))
        await self.hub.deliver(ALICE, korean())

        def work(client):
            client.select_folder("INBOX")
            return [
                client.search(["SUBJECT", "회의"], "UTF-8"),
                client.search(["BODY", "저녁에"], "UTF-8"),
                client.search(["OR", "TEXT", "대한민국", "SUBJECT", "small"], "UTF-8"),
                client.search(["SINCE", "20-Nov-2026", "NOT", "SEEN"]),
            ]

        found = await self.in_session(work)
        self.assertEqual([list(uids) for uids in found], [[2], [2], [1, 2], [1, 2]])

    async def test_messages_are_appended_moved_and_expunged(self):
        def work(client):
            for number in range(3):
                client.append("INBOX", small(number), [SEEN])
            client.select_folder("INBOX")
            client.move([1], "Archive")
            client.delete_messages([2])
            client.expunge([2])
            client.unselect_folder()
            return client.folder_status("INBOX", ["MESSAGES", "UIDNEXT", "UNSEEN"])

        status = await self.in_session(work)
        self.assertEqual(status, {b"MESSAGES": 1, b"UIDNEXT": 4, b"UNSEEN": 0})
        [message] = await self.hub.messages(ALICE, "Archive")
        self.assertEqual(message.raw, small(0))

    async def test_a_thousand_are_fetched_in_one_go(self):
        store = self.hub.service.store
        account = await store.open_account(ALICE)
        new = [(BytesContent(small(n)), frozenset(), n) for n in range(1000)]
        await account.append("INBOX", new)

        def work(client):
            client.select_folder("INBOX")
            return client.fetch(range(1, 1001), ["BODY.PEEK[]", "ENVELOPE", "FLAGS"])

        fetched = await self.in_session(work)
        self.assertEqual(sorted(fetched), list(range(1, 1001)))
        for uid, data in fetched.items():
            self.assertEqual(data[b"BODY[]"], small(uid - 1))
            self.assertEqual(data[b"ENVELOPE"].subject, b"small %d" % (uid - 1))


def _percent(structure) -> str:
    """All text in a body structure, percent-decoded."""
    return unquote(repr(structure))
