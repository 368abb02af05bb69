"""Python's imaplib against IMAP."""

from __future__ import annotations

import imaplib
import re

from .corpus import ALICE, KOREAN_SUBJECT, korean, small
from .fixture import PASSWORD, ClientTests

_COPYUID = re.compile(rb"\d+ (\S+) (\S+)")


class ImaplibTests(ClientTests):
    """RFC 3501 and the extensions that imaplib has a word for."""

    def in_session(self, work):
        """Log in over TLS and let *work* talk.  -> a Deferred"""

        def session():
            address = self.address("imaps")
            client = imaplib.IMAP4_SSL(*address, ssl_context=self.tls, timeout=60)
            try:
                client.login(ALICE, PASSWORD)
                return work(client)
            finally:
                client.logout()

        return self.in_thread(session)

    def done(self, answer):
        """The data of an answer that has to be OK."""
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    async def test_mailboxes_are_made_listed_renamed_and_deleted(self):
        def work(client):
            self.done(client.create("Work/2026"))
            self.done(client.subscribe("Work/2026"))
            self.done(client.rename("Work", "Play"))
            listed = self.done(client.list('""', "P*"))
            subscribed = self.done(client.lsub('""', "Work*"))
            self.done(client.delete("Play/2026"))
            return listed, subscribed, self.done(client.list())

        listed, subscribed, left = await self.in_session(work)
        self.assertEqual([line.split()[-1] for line in listed], [b"Play", b"Play/2026"])
        self.assertEqual(subscribed[0].split()[-1], b"Work/2026")
        names = {line.split()[-1].strip(b'"') for line in left}
        self.assertTrue({b"INBOX", b"Sent", b"Trash", b"Play"} <= names)
        self.assertNotIn(b"Play/2026", names)

    async def test_a_korean_mailbox_keeps_its_name(self):
        """RFC 3501, section 5.1.3: modified UTF-7."""

        def work(client):
            self.done(client.create('"&vBvHQA- &07jJwNVo-"'))
            self.done(client.append('"&vBvHQA- &07jJwNVo-"', "", None, small(1)))
            return self.done(client.list('""', '"&vBvHQA- *"'))

        [line] = await self.in_session(work)
        self.assertIn(b'"&vBvHQA- &07jJwNVo-"', line)
        [message] = await self.hub.messages(ALICE, "받은 편지함")
        self.assertEqual(message.raw, small(1))

    async def test_an_appended_message_comes_back_as_it_was(self):
        def work(client):
            when = '"21-Nov-2026 10:46:40 +0900"'
            self.done(client.append("Drafts", "(\\Draft $Note)", when, korean()))
            self.done(client.select("Drafts"))
            [(line, raw), _] = self.done(
                client.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
            )
            return line, raw

        line, raw = await self.in_session(work)
        self.assertEqual(raw, korean())
        self.assertIn(b"RFC822.SIZE %d" % len(korean()), line)
        self.assertIn(b'INTERNALDATE "21-Nov-2026 01:46:40 +0000"', line)
        for flag in (b"\\Draft", b"$Note"):
            self.assertIn(flag, line)

    async def test_parts_and_ranges_of_a_message_can_be_fetched(self):
        await self.hub.deliver(ALICE, korean())

        def work(client):
            self.done(client.select("INBOX"))
            texts = []
            for part in ("1.1", "2.MIME", "HEADER.FIELDS (SUBJECT)", "]<10.20>"):
                item = f"(BODY.PEEK[{part}" + ("" if "<" in part else "]") + ")"
                texts.append(self.done(client.fetch("1", item))[0][1])
            [(line)] = self.done(client.fetch("1", "(BODYSTRUCTURE ENVELOPE)"))
            return texts, line

        (text, mime, subject, piece), line = await self.in_session(work)
        self.assertIn("안녕하세요".encode(), text)
        self.assertIn(b"Content-Disposition: attachment", mime)
        self.assertTrue(subject.startswith(b"Subject: =?utf-8?"))
        self.assertEqual(piece, korean()[10:30])
        whole = line if isinstance(line, bytes) else b"".join(line)
        self.assertIn(b'"mixed"', whole.lower())

    async def test_text_is_found_in_any_charset(self):
        for number in range(3):
            await self.hub.deliver(ALICE, small(number))
        await self.hub.deliver(ALICE, korean())

        def work(client):
            self.done(client.select("INBOX"))
            found = []
            for key, text in (
                ("SUBJECT", KOREAN_SUBJECT[:5]),
                ("BODY", "저녁에"),
                ("TEXT", "보내 드립니다"),
                ("BODY", "없는 말"),
            ):
                client.literal = text.encode()
                found += self.done(client.uid("SEARCH", "CHARSET", "UTF-8", key))
            found += self.done(client.search(None, "SUBJECT", "small", "NOT", "2"))
            return found

        found = await self.in_session(work)
        self.assertEqual(found, [b"4", b"4", b"4", b"", b"1 3"])

    async def test_flags_are_stored_and_searched(self):
        for number in range(3):
            await self.hub.deliver(ALICE, small(number))

        def work(client):
            self.done(client.select("INBOX"))
            self.done(client.store("1,3", "+FLAGS", "(\\Flagged $Later)"))
            self.done(client.store("3", "-FLAGS", "(\\Flagged)"))
            self.done(client.fetch("2", "(RFC822)"))
            return [
                self.done(client.search(None, *key))[0]
                for key in (("FLAGGED",), ("KEYWORD", "$later"), ("UNSEEN",))
            ]

        self.assertEqual(await self.in_session(work), [b"1", b"1 3", b"1 3"])
        flags = [message.flags for message in await self.hub.messages(ALICE)]
        self.assertEqual(flags[1], frozenset(["\\Seen"]))

    async def test_messages_are_copied_moved_and_expunged(self):
        for number in range(4):
            await self.hub.deliver(ALICE, small(number))

        def work(client):
            self.done(client.select("INBOX"))
            self.done(client.copy("1:2", "Archive"))
            [copied] = client.response("COPYUID")[1]
            self.done(client.uid("MOVE", "3", "Trash"))
            self.assertEqual(client.response("EXPUNGE")[1], [b"3"])
            self.done(client.store("1", "+FLAGS.SILENT", "(\\Deleted)"))
            return copied, self.done(client.expunge())

        copied, expunged = await self.in_session(work)
        self.assertEqual(_COPYUID.fullmatch(copied).groups(), (b"1:2", b"1:2"))
        self.assertEqual(expunged, [b"1"])
        for mailbox, subjects in (
            ("INBOX", ["small 1", "small 3"]),
            ("Archive", ["small 0", "small 1"]),
            ("Trash", ["small 2"]),
        ):
            messages = await self.hub.messages(ALICE, mailbox)
            self.assertEqual([message.subject for message in messages], subjects)

    async def test_examine_changes_nothing(self):
        await self.hub.deliver(ALICE, small(1))

        def work(client):
            self.done(client.select("INBOX", readonly=True))
            self.done(client.fetch("1", "(RFC822)"))
            answer, _ = client.store("1", "+FLAGS", "(\\Deleted)")
            return answer, self.done(client.status("INBOX", "(MESSAGES UNSEEN RECENT)"))

        answer, [status] = await self.in_session(work)
        self.assertEqual(answer, "NO")
        self.assertEqual(status, b"INBOX (MESSAGES 1 UNSEEN 1 RECENT 1)")

    async def test_starttls_makes_a_plain_connection_safe(self):
        def session():
            client = imaplib.IMAP4(*self.address("imap"))
            self.assertIn("STARTTLS", client.capabilities)
            client.starttls(ssl_context=self.tls)
            self.assertNotIn("STARTTLS", client.capabilities)
            client.authenticate("PLAIN", lambda _: f"\0{ALICE}\0{PASSWORD}".encode())
            namespace = self.done(client.namespace())
            client.logout()
            return namespace

        self.assertEqual(await self.in_thread(session), [b'(("" "/")) NIL NIL'])

    async def test_a_wrong_password_is_refused(self):
        def session():
            client = imaplib.IMAP4(*self.address("imap"))
            try:
                client.login(ALICE, "guess")
            finally:
                client.logout()

        error = await self.assertFailure(self.in_thread(session), imaplib.IMAP4.error)
        self.assertIn("[AUTHENTICATIONFAILED]", str(error))
