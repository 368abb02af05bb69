"""Tests for :mod:`mailhub.testing.message`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.testing.message import Message

RAW = (
    b"Received: by test\r\nReceived: by another\r\n"
    b"Subject: =?utf-8?b?7ZWc6riA?= and\r\n more\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xed\x95\x9c\r\n"
)


class MessageTests(SynchronousTestCase):
    """What a test of an application asks of a message."""

    def test_headers_are_decoded_and_unfolded(self):
        message = Message(1, RAW)
        self.assertEqual(message.subject, "한글 and more")
        self.assertEqual(message.header("SUBJECT"), "한글 and more")
        self.assertIsNone(message.header("To"))
        self.assertEqual(message.headers[1], ("received", "by another"))

    def test_a_message_without_a_subject_has_an_empty_one(self):
        self.assertEqual(Message(1, b"\r\nbody").subject, "")

    def test_the_body_is_octets_and_the_parsed_message_is_text(self):
        message = Message(1, RAW)
        self.assertEqual(message.body, b"\xed\x95\x9c\r\n")
        self.assertEqual(message.email.get_content().strip(), "한")

    def test_its_repr_does_not_show_all_of_it(self):
        self.assertNotIn("Received", repr(Message(1, RAW)))
