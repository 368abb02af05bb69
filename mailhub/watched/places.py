"""Which files a server is told by."""

from __future__ import annotations

from dataclasses import dataclass

from ..tables.tags import Tag


@dataclass(frozen=True, slots=True)
class AccessPlace:
    """An access table.

    :ivar about: what keys without a tag are about; ``None`` for all.
    """

    path: str
    about: Tag | None = None

    def __str__(self) -> str:
        return f"{self.about.value}:{self.path}" if self.about else self.path


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of files; of several of a kind the first that knows an answer counts.

    :ivar origin: the domain of names without one, and of the machine's users; ``""``
        for none.
    :ivar forward: where users keep what mail is to be forwarded to, with ``~`` for
        their home and ``$u`` for their name; ``""`` for nowhere.
    """

    aliases: tuple[str, ...] = ()
    virtusertable: tuple[str, ...] = ()
    local_host_names: tuple[str, ...] = ()
    relay_domains: tuple[str, ...] = ()
    access: tuple[AccessPlace, ...] = ()
    canonical: tuple[str, ...] = ()
    sender_canonical: tuple[str, ...] = ()
    recipient_canonical: tuple[str, ...] = ()
    transport: tuple[str, ...] = ()
    origin: str = ""
    forward: str = ""

    @property
    def for_routing(self) -> bool:
        """Whether any of them says where mail goes."""
        return bool(
            self.aliases or self.virtusertable or self.local_host_names
            or self.relay_domains or self.canonical or self.sender_canonical
            or self.recipient_canonical or self.transport or self.forward
        )
