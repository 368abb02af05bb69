from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ..dialogues.runner import Player, dialogues
from .fixture import ELSEWHERE, Server


@dialogues("pop3")
class POP3Dialogues(SynchronousTestCase):
    """Each transcript, in whole segments and one octet at a time."""

    def connect(self, options: dict[str, str]) -> Player:
        server = Server()
        return server.connect(ELSEWHERE if options.get("peer") == "elsewhere" else None)
