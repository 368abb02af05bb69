"""Whole conversations, from tests/dialogues/imap."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ..dialogues.runner import dialogues
from .fixture import LOCAL, Server


@dialogues("imap")
class IMAPDialogues(SynchronousTestCase):
    """Each transcript, in whole segments and octet by octet."""

    def connect(self, options):
        server = Server()
        for _ in range(int(options.get("messages", 0))):
            server.deliver()
        client = server.connect(options.get("host", LOCAL))
        # Transcripts begin with the greeting.
        client.transport.write(client.greeting)
        return client
