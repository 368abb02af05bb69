"""A trial test of an application that sends mail, with a real server inside::

    python -m twisted.trial examples.test_welcome_mail

No port is fixed, nothing is mocked, and nothing sleeps: ``wait_for`` returns at the
moment the message is in the mailbox.
"""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.testing.server import MailHub


class Members:
    """The application: it welcomes new members by mail."""

    def __init__(self, smtp_host: str, smtp_port: int) -> None:
        self._smtp = smtp_host, smtp_port

    def sign_up(self, address: str) -> None:
        message = EmailMessage()
        message["From"] = "club@example.com"
        message["To"] = address
        message["Subject"] = "Willkommen, schön dass du da bist"
        message.set_content("Your membership number is 4711.\n")
        with smtplib.SMTP(*self._smtp) as client:
            client.send_message(message)


class WelcomeTests(TestCase):
    """What a new member finds in the mailbox."""

    async def setUp(self):
        self.hub = await MailHub.start({"ann@example.org": "wonder"})
        self.addCleanup(self.hub.stop)
        self.members = Members(self.hub.host, self.hub.port("smtp"))

    async def test_a_new_member_is_told_the_number(self):
        await deferToThread(self.members.sign_up, "ann@example.org")
        [message] = await self.hub.wait_for("ann@example.org")
        self.assertEqual(message.subject, "Willkommen, schön dass du da bist")
        self.assertIn("4711", message.email.get_content())

    async def test_nobody_else_is_told(self):
        await self.hub.add_user("eve@example.org")
        await deferToThread(self.members.sign_up, "ann@example.org")
        await self.hub.wait_for("ann@example.org")
        self.assertEqual(await self.hub.messages("eve@example.org"), [])
