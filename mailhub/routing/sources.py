"""What the router is told besides what the directory knows: by files, by a program.

Addresses are canonical where sources are asked: lower case, full.  A source answers
at once what it has at hand; it raises :class:`mailhub.errors.LocalFault` where it
cannot tell now, so that mail waits and is not lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rule:
    """What a source says of an address: where its mail goes instead.

    :ivar targets: as :func:`mailhub.routing.targets.parse_target` reads them, one
        text for each, without the quotes of the file that it stands in.
    :ivar origin: where that stands, for people: ``/etc/aliases:12``.
    :ivar in_pattern: ``%1`` in an address among the targets stands for the local part
        that mail came for, ``%2`` for its tag, ``%3`` for the tag with the separator.
        Nothing but addresses is ever filled in (attack: commands in a local part).
    """

    targets: tuple[str, ...]
    origin: str
    in_pattern: bool = False


class Source(Protocol):
    """Lookups beside those of an ``IDirectory``; all sources are asked in turn."""

    def version(self) -> int | None:
        """Another ``int`` after each change of what is answered here.

        ``None`` where that is not known: then nothing is concluded in advance.
        """

    async def is_local_domain(self, domain: str) -> bool:
        """Whether mail for *domain* ends here: its addresses are users, aliases and
        rules of this server (local-host-names, virtual domains)."""

    async def is_relay_domain(self, domain: str) -> bool:
        """Whether everybody may send to *domain* through this server."""

    async def find_alias(self, address: str) -> Rule | None:
        """The rule of exactly *address*, or of all others of a domain (``@domain``).

        Which entries of files hold in which domains (aliases in all that are the
        machine's own, say) is the source's matter; how tags, catch-alls and roles are
        looked up is the router's.  A target without a domain is meant in that of
        *address*.
        """

    async def find_forward(self, account: str) -> Rule | None:
        r"""What the user of the address *account* has mail forwarded to (``.forward``).

        ``\user`` among the targets keeps a copy.
        """

    async def include(self, path: str) -> Rule:
        """The targets that the file of an ``:include:`` names.

        :raises mailhub.errors.LocalFault: it cannot be read, or is not safe to use.
        """

    async def way(self, address: str) -> str | None:
        """By which way mail for *address*, which is elsewhere, leaves: a destination of
        :class:`mailhub.mail.queued.Outgoing`; ``None`` for the usual one.

        :raises mailhub.errors.Refused: it does not leave.
        """

    @property
    def rewrites_senders(self) -> bool:
        """Whether any of them may be another."""

    async def sender(self, address: str) -> str | None:
        """What *address* is to be as a sender's, or ``None`` if it stays so."""

    async def recipient(self, address: str) -> str | None:
        """What *address* is to be as a recipient's, before anything else is asked."""
