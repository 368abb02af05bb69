"""When a message is tried, when its sender is told, and when it goes back."""

from __future__ import annotations

from collections.abc import Callable

from ..mail.queue_limits import QueueLimits
from ..mail.queued import QueuedMessage, Waiting

#: A wait is up to so much longer by chance: what failed together is not tried
#: together for ever.
JITTER = 0.25
#: From here on (RFC 6710) mail need not wait for longer than *first_retry*.
URGENT = 4


def retry_delay(
    attempts: int,
    limits: QueueLimits,
    random: Callable[[], float],
    priority: int = 0,
) -> float:
    """Seconds until the next attempt, after so many.

    The first two waits are short, as greylisting asks for no more; then each is twice
    the last one.

    :param random: gives numbers from 0 up to 1.
    """
    longest = limits.first_retry if priority >= URGENT else limits.longest_retry
    # The power is bounded, as attempts are not.
    delay = limits.first_retry * 2.0 ** min(max(0, attempts - 2), 20)
    return min(delay * (1 + JITTER * random()), max(longest, limits.first_retry))


def begins(message: QueuedMessage) -> float:
    """When it could be sent for the first time (RFC 4865)."""
    return max(message.arrived, message.parameters.hold_until or message.arrived)


def ends(message: QueuedMessage, limits: QueueLimits) -> float:
    """When it goes back unless it has reached its recipient."""
    end = message.expires
    if not message.sender:
        end = min(end, begins(message) + limits.bounce_lifetime)
    return min(end, cut_off(message) or end)


def cut_off(message: QueuedMessage) -> float | None:
    """When its sender wants it back (RFC 2852, section 4.1.3: by-mode R)."""
    wish = message.parameters.deliver_by
    return wish.until if wish is not None and wish.returns else None


def late_at(message: QueuedMessage) -> float | None:
    """From when on its sender calls it late (RFC 2852, section 4.1.3: by-mode N)."""
    wish = message.parameters.deliver_by
    return wish.until if wish is not None and not wish.returns else None


def warns(
    message: QueuedMessage, waiting: Waiting, limits: QueueLimits
) -> float | None:
    """When its sender is to be told that it takes long; ``None`` for never again.

    That is the sender's choice, or ours.
    """
    if waiting.warned or not message.sender:
        return None
    late = late_at(message)
    if late is not None:
        return late
    return begins(message) + limits.warn_after if limits.warn_after else None


def next_attempt(
    message: QueuedMessage,
    waiting: Waiting,
    now: float,
    delay: float,
    limits: QueueLimits,
) -> float:
    """When to try again: after *delay*, or when something has to be said before.

    Thus the last attempt is made just when the message's time is over.
    """
    due = now + delay
    for moment in (ends(message, limits), warns(message, waiting, limits)):
        if moment is not None and now < moment < due:
            due = moment
    return due
