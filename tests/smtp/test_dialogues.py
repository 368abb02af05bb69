"""Whole conversations, from tests/dialogues/smtp."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ..dialogues.runner import dialogues
from .fixture import LOCAL, Server


@dialogues("smtp")
class SMTPDialogues(SynchronousTestCase):
    """Each transcript, in whole segments and octet by octet."""

    def connect(self, options):
        server = Server(options.get("service", "smtp"))
        player = server.connect(options.get("host", LOCAL))
        if options.get("tls"):
            player.transport.tls_context = "a wrapping listener's"
            player.finish_handshake()
        return player
