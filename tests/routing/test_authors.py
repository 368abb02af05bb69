"""Senders in the headers of mail that is submitted here."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.address import Address
from mailhub.routing.authors import MAX_FIELDS, MAX_HEADER, rewritten
from mailhub.routing.rewriting import Rewriting
from mailhub.routing.router import Router
from mailhub.routing.submission import ProgramSubmission, UserSubmission
from mailhub.store.content import BytesContent, MemorySpool

from .sources import FixedSource
from .test_submission import SubmissionTestCase

SENDERS = Rewriting([
    ("@.example.org", "@example.org"), ("root@example.org", "ops@example.org"),
    ("b@example.org", "longer@example.org"), ("umlaut@example.org", "ä@example.org"),
])  # fmt: skip
HEADER = (
    b"Received: from root@a.example.org\r\n"
    b"from:   Jo  Doe <jo@ws1.Example.ORG>\t (jo@ws1.example.org),\r\n"
    b" \"x@ws1.example.org\" <Root@example.org>\r\n"
    b"SENDER : jo@ws1.example.org\r\n"
    b"Reply-To: Team: a@b.example.org, c@far.example;\r\n"
    b"To: jo@ws1.example.org\r\n"
    b"Subject: jo@ws1.example.org\r\n"
    b"From nobody\r\n"
)
EXPECTED = (
    b"Received: from root@a.example.org\r\n"
    b"from:   Jo  Doe <jo@example.org>\t (jo@ws1.example.org),\r\n"
    b" \"x@ws1.example.org\" <ops@example.org>\r\n"
    b"SENDER : jo@example.org\r\n"
    b"Reply-To: Team: a@example.org, c@far.example;\r\n"
    b"To: jo@ws1.example.org\r\n"
    b"Subject: jo@ws1.example.org\r\n"
    b"From nobody\r\n"
)
BODY = b"\r\nFrom: jo@ws1.example.org\r\n"


class InPieces(BytesContent):
    """Content that has to be read."""

    def __init__(self, octets):
        super().__init__(octets)
        self.octets, self.data = octets, None

    async def read(self, start, stop):
        return self.octets[start:stop]


class RewritingTests(SynchronousTestCase):
    """Postfix's masquerade_domains and sender_canonical_maps; MASQUERADE_AS."""

    def new(self, message, content=BytesContent, utf8=False):
        """The message, or ``None`` if it stays as it is."""

        async def rewrite(address):
            return SENDERS(address)

        asked = rewritten(content(message), MemorySpool, rewrite, utf8=utf8)
        found = self.successResultOf(Deferred.fromCoroutine(asked))
        return None if found is None else found.data

    def test_addresses_of_senders_change_and_not_one_other_octet(self):
        for content in (BytesContent, InPieces):
            self.assertEqual(self.new(HEADER + BODY, content), EXPECTED + BODY)
            self.assertEqual(self.new(HEADER, content), EXPECTED)

    def test_a_long_message_is_copied(self):
        body = b"\r\n" + b"x" * 70 + b"\r\n" * 600_000
        for content in (BytesContent, InPieces):
            self.assertEqual(self.new(HEADER + body, content), EXPECTED + body)

    def test_all_fields_of_senders_change(self):
        for name in (
            b"From", b"Sender", b"Reply-To", b"Resent-From", b"Resent-Sender",
            b"Resent-Reply-To", b"Errors-To", b"Return-Receipt-To",
            b"Disposition-Notification-To", b"Mail-Followup-To",
        ):  # fmt: skip
            self.assertEqual(
                self.new(name + b": a@b.example.org\r\n\r\n"),
                name + b": a@example.org\r\n\r\n",
            )

    def test_what_needs_no_change_is_not_written_anew(self):
        for message in (
            b"", BODY, b"From: jo@example.org\r\n\r\n", b"From: jo\r\n\r\n",
            b"To: a@b.example.org\r\n\r\n", b"From: <a@b.example.org\r\n\r\n",
            b"From: a@b.example.org c@d.example.org\r\n\r\n",
            b"From: a..b@b.example.org\r\n\r\n",
        ):  # fmt: skip
            self.assertIsNone(self.new(message), message)

    def test_what_is_signed_stays(self):
        for name in (b"DKIM-Signature", b"dkim-signature", b"ARC-Seal"):
            signed = name + b": v=1; d=far.example\r\n" + HEADER + BODY
            self.assertIsNone(self.new(signed))
        self.assertIsNotNone(self.new(HEADER + b"\r\nDKIM-Signature: x\r\n"))

    def test_utf8_is_written_only_where_it_may_be(self):
        message = b"From: umlaut@example.org\r\n\r\n"
        self.assertIsNone(self.new(message))
        self.assertEqual(
            self.new(message, utf8=True), "From: ä@example.org\r\n\r\n".encode()
        )

    def test_a_line_never_gets_too_long(self):
        for length, changes in ((998, True), (999, False)):
            new = b"From: (%b) longer@example.org"
            new %= b"x" * (length - len(new % b""))
            old = new.replace(b"longer@", b"b@")
            found = self.new(old + b"\r\n\r\n")
            self.assertEqual(found, new + b"\r\n\r\n" if changes else None)

    def test_endless_headers_and_lists_are_left_alone(self):
        """Attack: more work than one message is worth."""
        self.assertIsNone(self.new(HEADER + b"X: x\r\n" * (MAX_HEADER // 6), InPieces))
        piece = b"a@b.example.org,\r\n "
        for more, stays in ((0, False), (1, True)):
            number = MAX_FIELDS // len(piece) + more
            new = self.new(b"From: " + piece * number + b"c\r\n\r\n")
            self.assertEqual(new is None, stays)


class SubmittingTests(SubmissionTestCase):
    """Which mail it is done to."""

    sender = "ann@ws1.example.org"
    message = b"From: ann@ws1.example.org\r\n\r\nbody\r\n"
    new = b"From: ann@example.org\r\n\r\nbody\r\n"

    async def setUp(self):
        await super().setUp()
        self.senders = Rewriting([("@.example.org", "@example.org")])

    async def stored(self, avatar, **settings):
        settings.setdefault("senders", self.senders)
        router = Router(self.directory, **settings)
        more = {"login": "ann@example.org"} if avatar is UserSubmission else {}
        self.avatar = avatar(self.store, router, **more)
        await self.send("bob@example.org", message=self.message)
        return self.store.made[-1].content.data

    async def test_users_and_programs_mail_is_changed(self):
        for avatar in (UserSubmission, ProgramSubmission):
            self.assertEqual(await self.stored(avatar), self.new)

    async def test_others_mail_stays(self):
        self.assertEqual(
            await self.stored(type(self.make_avatar())), self.message
        )

    async def test_it_may_be_turned_off(self):
        stored = await self.stored(ProgramSubmission, in_headers=False)
        self.assertEqual(stored, self.message)

    async def test_files_count_as_well(self):
        source = FixedSource()
        plain = {"senders": None, "sources": [source]}
        self.assertEqual(await self.stored(ProgramSubmission, **plain), self.message)
        source.senders = {"ann@ws1.example.org": "ann@example.org"}
        self.assertEqual(await self.stored(ProgramSubmission, **plain), self.new)

    async def test_the_envelope_changes_with_the_header(self):
        await self.stored(ProgramSubmission)
        self.assertIn(b"<ann@example.org>", self.store.made[-1].prefix)

    async def test_quoted_names_stay_quoted(self):
        self.message = b'From: "a b"@ws1.example.org\r\n\r\n'
        stored = await self.stored(ProgramSubmission)
        self.assertEqual(stored, b'From: "a b"@example.org\r\n\r\n')
        self.assertEqual(
            self.senders(Address("a b", "ws1.example.org")),
            Address("a b", "example.org"),
        )
