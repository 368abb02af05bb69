"""Python's smtplib against SMTP, submission and LMTP."""

from __future__ import annotations

import smtplib

from mailhub.mail.queue_list import ALL

from .corpus import ALICE, BOB, KOREAN_SUBJECT, korean, small
from .fixture import PASSWORD, ClientTests

CAROL = "carol@example.org"


class SmtplibTests(ClientTests):
    """RFC 5321, RFC 6409, RFC 2033."""

    async def test_mail_from_elsewhere_arrives_as_it_was(self):
        def send():
            with smtplib.SMTP(*self.address("smtp")) as client:
                self.assertEqual(client.sendmail(BOB, [ALICE], small(7)), {})

        await self.in_thread(send)
        [message] = await self.delivered()
        self.assert_same_mail(message.raw, small(7))
        self.assertEqual(message.header("Return-Path"), f"<{BOB}>")
        self.assertIn("by", message.header("Received"))

    async def test_many_messages_go_over_one_connection(self):
        def send():
            with smtplib.SMTP(*self.address("smtp")) as client:
                for number in range(20):
                    client.sendmail(BOB, [ALICE], small(number))

        await self.in_thread(send)
        messages = await self.delivered(20)
        for number, message in enumerate(messages):
            self.assert_same_mail(message.raw, small(number))

    async def test_starttls_is_offered_on_the_smtp_port(self):
        def send():
            with smtplib.SMTP(*self.address("smtp")) as client:
                client.ehlo()
                self.assertTrue(client.has_extn("STARTTLS"))
                client.starttls(context=self.tls)
                client.ehlo()
                self.assertFalse(client.has_extn("STARTTLS"))
                client.sendmail(BOB, [ALICE], korean(), ["BODY=8BITMIME"])

        await self.in_thread(send)
        [message] = await self.delivered()
        self.assert_same_mail(message.raw, korean())
        self.assertEqual(message.subject, KOREAN_SUBJECT)
        self.assertIn("ESMTPS", message.header("Received"))

    async def test_one_unknown_recipient_does_not_stop_the_others(self):
        def send():
            with smtplib.SMTP(*self.address("smtp")) as client:
                return client.sendmail(BOB, [ALICE, CAROL], small(1))

        refused = await self.in_thread(send)
        code, text = refused[CAROL]
        self.assertEqual((code, text[:5]), (550, b"5.1.1"))
        [message] = await self.delivered()
        self.assert_same_mail(message.raw, small(1))

    async def test_nothing_is_relayed_without_a_login(self):
        def send():
            with smtplib.SMTP(*self.address("smtp")) as client:
                client.sendmail(ALICE, ["victim@example.com"], small(1))

        error = await self.assertFailure(
            self.in_thread(send), smtplib.SMTPRecipientsRefused
        )
        [(code, text)] = error.recipients.values()
        self.assertEqual((code, text[:5]), (550, b"5.7.1"))

    async def test_a_message_over_the_size_limit_is_refused_at_mail(self):
        def send():
            with smtplib.SMTP(*self.address("smtp")) as client:
                client.ehlo()
                limit = int(client.esmtp_features["size"])
                return client.mail(BOB, [f"SIZE={limit}"]), client.docmd(
                    "RSET"
                ), client.mail(BOB, [f"SIZE={limit + 1}"])

        fits, _, too_large = await self.in_thread(send)
        self.assertEqual(fits[0], 250)
        self.assertEqual((too_large[0], too_large[1][:5]), (552, b"5.3.4"))

    async def test_a_user_submits_with_starttls_and_a_login(self):
        def send():
            with smtplib.SMTP(*self.address("submission")) as client:
                client.starttls(context=self.tls)
                client.ehlo()
                code, _ = client.mail(ALICE)
                self.assertEqual(code, 530)
                client.login(ALICE, PASSWORD)
                client.sendmail(ALICE, [ALICE], small(3))

        await self.in_thread(send)
        [message] = await self.delivered()
        self.assert_same_mail(message.raw, small(3))
        self.assertIn("ESMTPSA", message.header("Received"))

    async def test_a_user_submits_over_implicit_tls(self):
        def send():
            address = self.address("submissions")
            with smtplib.SMTP_SSL(*address, context=self.tls) as client:
                client.login(ALICE, PASSWORD)
                client.sendmail(ALICE, [ALICE], small(4))

        await self.in_thread(send)
        [message] = await self.delivered()
        self.assert_same_mail(message.raw, small(4))

    async def test_a_submitted_message_gets_a_date_and_a_message_id(self):
        def send():
            address = self.address("submissions")
            with smtplib.SMTP_SSL(*address, context=self.tls) as client:
                client.login(ALICE, PASSWORD)
                client.sendmail(ALICE, [ALICE], f"From: {ALICE}\r\n\r\nhello\r\n")

        await self.in_thread(send)
        [message] = await self.delivered()
        self.assertTrue(message.header("Date"))
        self.assertRegex(message.header("Message-ID"), "<.+@.+>")
        self.assertEqual(message.body, b"hello\r\n")

    async def test_a_wrong_password_is_refused(self):
        def log_in():
            address = self.address("submissions")
            with smtplib.SMTP_SSL(*address, context=self.tls) as client:
                client.login(ALICE, "guess")

        error = await self.assertFailure(
            self.in_thread(log_in), smtplib.SMTPAuthenticationError
        )
        self.assertEqual((error.smtp_code, error.smtp_error[:5]), (535, b"5.7.8"))

    async def test_mail_of_a_user_for_elsewhere_waits_in_the_queue(self):
        def send():
            address = self.address("submissions")
            with smtplib.SMTP_SSL(*address, context=self.tls) as client:
                client.login(ALICE, PASSWORD)
                client.sendmail(ALICE, [BOB], small(1))

        await self.in_thread(send)
        [entry] = await self.hub.service.store.queue.entries(ALL, 10)
        self.assertEqual(entry.message.sender, ALICE)
        self.assertEqual([each.recipient for each in entry.recipients], [BOB])

    async def test_lmtp_answers_for_each_recipient(self):
        def send():
            with smtplib.LMTP(*self.address("lmtp")) as client:
                client.ehlo()
                client.mail(BOB)
                client.rcpt(ALICE)
                code, _ = client.rcpt(CAROL)
                self.assertEqual(code, 550)
                client.rcpt(ALICE.replace("@", "+tag@"))
                answers = [client.data(small(5)), client.getreply()]
                client.quit()
                return [code for code, _ in answers]

        self.assertEqual(await self.in_thread(send), [250, 250])
        for message in await self.delivered(2):
            self.assert_same_mail(message.raw, small(5))

    async def test_an_internationalised_sender_is_taken(self):
        """RFC 6531: SMTPUTF8."""

        def send():
            with smtplib.SMTP(*self.address("smtp")) as client:
                client.sendmail("밥@example.net", [ALICE], small(6), ["SMTPUTF8"])

        await self.in_thread(send)
        [message] = await self.delivered()
        self.assertEqual(message.header("Return-Path"), "<밥@example.net>")
