"""Sessions with other servers that wait for the next message.

One message at a time goes over each; who has another opens another.  Those without
work say QUIT after a while (the factory's ``idle``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..smtp.client import SMTPClient
from .places import Place


@dataclass(frozen=True, slots=True)
class Reuse:
    """How long a session is used.

    :ivar messages: that go over it.
    :ivar age: seconds since it was made.
    :ivar idle: seconds that it waits for another message.
    :ivar most_idle: sessions that wait at the same time, to all servers together.
    """

    messages: int = 1_000
    age: float = 300.0
    idle: float = 10.0
    most_idle: int = 256


class Pool:
    """Idle sessions by where they lead to.

    :param now: the time, in seconds.
    :ivar idle: how many wait.
    """

    def __init__(self, reuse: Reuse, now: Callable[[], float]) -> None:
        self._reuse = reuse
        self._now = now
        self._idle: dict[Place, list[SMTPClient]] = {}
        self.idle = 0

    def take(self, place: Place) -> SMTPClient | None:
        """A session that may be used, the one that waits for the shortest time."""
        waiting = self._idle.get(place)
        while waiting:
            client = waiting.pop()
            self.idle -= 1
            if not waiting:
                del self._idle[place]
            if client.is_free:
                return client
        return None

    def give(self, place: Place, client: SMTPClient) -> None:
        """*client* has done its work; it waits for more, or goes."""
        if not client.is_free:
            return
        most = client.able.most_messages or self._reuse.messages
        young = self._now() - client.since < self._reuse.age
        is_useful = young and client.messages < min(most, self._reuse.messages)
        if is_useful and self.idle < self._reuse.most_idle:
            self.idle += 1
            self._idle.setdefault(place, []).append(client)
        else:
            client.quit()

    def forget(self, place: Place, client: SMTPClient) -> None:
        """*client* has ended."""
        waiting = self._idle.get(place, [])
        if client in waiting:
            waiting.remove(client)
            self.idle -= 1
            if not waiting:
                del self._idle[place]
