"""mutt(1), without anybody at the keyboard."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress as ignored  # trial takes the name for its own
from threading import Timer

from mailhub.mail.queue_list import ALL

from ..programs import require
from .corpus import ALICE, BOB, korean, small
from .fixture import PASSWORD, PROGRAM_TIMEOUT, ClientTests

MUTTRC = """
set from="{user}" use_envelope_from=yes
set smtp_url="smtp://{login}@localhost:{submission}" smtp_pass="{password}"
set imap_user="{user}" imap_pass="{password}"
set pop_user="{user}" pop_pass="{password}"
set folder="imaps://localhost:{imaps}/" spoolfile="+INBOX" record="+Sent"
set certificate_file="{certificate}"
set ssl_starttls=yes ssl_force_tls=yes
set quit=yes confirmappend=no confirmcreate=no delete=yes wait_key=no sort=mailbox-order
set header_cache="" message_cachedir="" mbox_type=mbox mime_forward=no
"""


def read_all(terminal: int) -> bytes:
    """What is written to a terminal until nobody has it open any more; closes it."""
    screen = b""
    # At its end Linux says EIO.
    with os.fdopen(terminal, "rb", buffering=0) as stream, ignored(OSError):
        while piece := stream.read(65536):
            screen += piece
    return screen


class MuttTests(ClientTests):
    """Submission and APPEND at once, then IMAP and POP3 as a screen client does."""

    async def setUp(self):
        await super().setUp()
        self.muttrc = self.write(
            "muttrc",
            MUTTRC.format(
                user=ALICE, login=ALICE.replace("@", "%40"), password=PASSWORD,
                certificate=self.certificate,
                submission=self.hub.port("submission"), imaps=self.hub.port("imaps"),
            ),
        )

    def press(self, folder: str, keys: str) -> None:
        """Open *folder* and press *keys*; mutt wants a terminal for that."""
        terminal, mutt_side = pty.openpty()
        process = subprocess.Popen(
            [
                require("mutt"), "-n", "-F", self.muttrc, "-f", folder,
                "-e", f'push "{keys}"',
            ],
            stdin=mutt_side, stdout=mutt_side, stderr=mutt_side, cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "TERM": "vt100"},
            start_new_session=True,
        )  # fmt: skip
        os.close(mutt_side)
        # A question that nobody answers would keep it for ever.
        alarm = Timer(PROGRAM_TIMEOUT, process.kill)
        alarm.start()
        screen = read_all(terminal)
        alarm.cancel()
        if process.wait() != 0:
            self.fail(f"mutt ended with {process.returncode}: {screen[-2000:]!r}")

    async def test_a_message_is_submitted_and_a_copy_is_kept(self):
        attachment = self.write("보고서.txt", "한글\n" * 100)
        await self.run_program(
            "mutt", "-n", "-F", self.muttrc, "-s", "안녕하세요", "-a", attachment,
            "--", ALICE, stdin="한글 본문\n".encode(),
        )
        [message] = await self.delivered()
        [copy] = await self.hub.messages(ALICE, "Sent")
        for each in (message, copy):
            self.assertEqual(each.subject, "안녕하세요")
            text, attached = each.email.iter_parts()
            self.assertEqual(text.get_content().split(), ["한글", "본문"])
            self.assertEqual(attached.get_filename(), "보고서.txt")
        self.assertIn("\\Seen", copy.flags)

    async def test_mail_is_read_saved_and_deleted_by_imap(self):
        for message in (small(1), korean(), small(2)):
            await self.hub.deliver(ALICE, message)
        keys = (
            "<tag-pattern>~A<enter><tag-prefix><copy-message>=Archive<enter>"
            "<untag-pattern>~A<enter><delete-pattern>~s'small 1'<enter>"
            "<quit>"
        )
        url = f"imaps://localhost:{self.hub.port('imaps')}/INBOX"
        await self.in_thread(self.press, url, keys)
        archived = await self.hub.messages(ALICE, "Archive")
        self.assertEqual([m.raw for m in archived], [small(1), korean(), small(2)])
        left = await self.hub.messages(ALICE)
        self.assertEqual([m.raw for m in left], [korean(), small(2)])

    async def test_mail_is_read_by_pop3(self):
        await self.hub.deliver(ALICE, korean())
        mbox = self.folder / "mbox"
        url = f"pops://localhost:{self.hub.port('pop3s')}"
        await self.in_thread(self.press, url, f"<copy-message>{mbox}<enter><quit>")
        saved = mbox.read_bytes()
        self.assertIn(korean().partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n"), saved)

    async def test_mail_for_elsewhere_waits_in_the_queue(self):
        await self.run_program(
            "mutt", "-n", "-F", self.muttrc, "-s", "x", "--", BOB, stdin=b"x\n"
        )
        [entry] = await self.hub.service.store.queue.entries(ALL, 10)
        self.assertEqual([each.recipient for each in entry.recipients], [BOB])
        self.assertEqual(await self.hub.messages(ALICE), [])
