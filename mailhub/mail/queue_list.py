"""What people ask of a queue: which messages, and what to do with them."""

from __future__ import annotations

from dataclasses import dataclass

from .queued import QueuedMessage, Waiting


@dataclass(frozen=True, slots=True)
class Selection:
    """Recipients of queued messages; each condition narrows it down.

    :ivar queue_ids: messages of these names; empty for all.
    :ivar sender: of this sender; ``""`` is the null reverse-path.
    :ivar recipient: to this address.
    :ivar destination: to this destination, in lower case.
    :ivar held: that are held, or that are not.
    :ivar deferred: that were tried before, or that were not.
    """

    queue_ids: tuple[str, ...] = ()
    sender: str | None = None
    recipient: str | None = None
    destination: str | None = None
    held: bool | None = None
    deferred: bool | None = None


ALL = Selection()


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the queue, and its recipients that are selected.

    :ivar lent: recipients' ids for which an attempt is under way.
    """

    message: QueuedMessage
    recipients: tuple[Waiting, ...]
    lent: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Alteration:
    """What to do with selected recipients; what is ``None`` stays as it is.

    An attempt that is under way may end as if nothing had been changed, but for
    *delete*: what it would write then changes nothing.

    :ivar delete: they go, without a notification.
    :ivar hold: hold them for this reason; ``""`` releases them.
    :ivar retry: they are due now, and what was found out about them is forgotten.
    :ivar destination: where they go instead.
    :ivar recipient: the address that they are sent to instead.
    :ivar sender: their message's, for all its recipients; likewise below.
    :ivar priority: -9 to 9.
    :ivar expires: seconds since the epoch.
    """

    delete: bool = False
    hold: str | None = None
    retry: bool = False
    destination: str | None = None
    recipient: str | None = None
    sender: str | None = None
    priority: int | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class AgeRow:
    """How much waits for a destination, by age.

    :ivar counts: one for each bound and one for all that is older.
    """

    destination: str
    counts: tuple[int, ...]
