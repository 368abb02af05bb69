"""Turns: no client keeps all others waiting, however much it has sent ahead."""

from __future__ import annotations

from twisted.internet.task import deferLater

from .connection import Connection
from .endings import Disconnected

#: Seconds that one connection may keep all others waiting.
TURN = 0.01


class TurnTaking(Connection):
    """A connection whose commands cost time, and may come in thousands."""

    _turn_ends = 0.0

    async def read_command(self, limit: int) -> bytes:
        """The line that begins a command; otherwise as :meth:`read_line`.

        A client that pipelines gets a short turn at a time (attack: a dear command
        over and over); one that waits for its answers has been waited for already.
        """
        if self.has_input:
            await self.breathe()
            return await self.read_line(limit)
        line = await self.read_line(limit)
        self._begin_turn()
        return line

    async def breathe(self) -> None:
        """Wait while the client does not read, and let other connections run.

        :raises mailhub.net.endings.Disconnected: the client has gone.
        """
        if self._choked:
            await self.drain()
        if self._lost:
            raise Disconnected
        if self.factory.clock.seconds() >= self._turn_ends:
            await self.drain()
            await deferLater(self.factory.clock, 0)
            self._begin_turn()

    def _begin_turn(self) -> None:
        self._turn_ends = self.factory.clock.seconds() + TURN
