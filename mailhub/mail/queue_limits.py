"""How patient a queue is, and how much it does at once: values with defaults."""

from __future__ import annotations

from dataclasses import dataclass

from .envelope import MailParameters

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Times in seconds.

    :ivar lifetime: of a message, from its arrival until it goes back.
    :ivar bounce_lifetime: of a message without a sender.
    :ivar warn_after: from its arrival until its sender is told that it takes long;
        0 never tells.
    :ivar first_retry: after the first and after the second attempt; then twice as
        long each time.
    :ivar longest_retry: between two attempts.
    :ivar sends: attempts at the same time.
    :ivar sends_per_destination: the same for one destination that answers;
        *first_sends* until it has answered for the first times.
    :ivar rate_per_destination: attempts per minute for one destination; 0 for as many
        as there are.
    :ivar waiting: messages that wait in memory for their turn.
    :ivar lease: for how long a message is lent before somebody else may send it.
    :ivar returned_size: octets of the largest message that goes back as a whole.
    :ivar double_bounces: who gets what cannot be returned; ``""`` for the postmaster.
    """

    lifetime: float = 5 * _DAY
    bounce_lifetime: float = 2 * _DAY
    warn_after: float = 4 * _HOUR
    first_retry: float = 5 * _MINUTE
    longest_retry: float = 4 * _HOUR
    sends: int = 200
    sends_per_destination: int = 20
    first_sends: int = 5
    rate_per_destination: int = 0
    waiting: int = 1000
    lease: float = 3 * _MINUTE
    returned_size: int = 50_000
    double_bounces: str = ""

    def returns_whole(self, parameters: MailParameters, size: int) -> bool:
        """Whether all of a message goes back when it fails, or its header alone.

        That is the sender's choice (RFC 3461, section 4.3), unless it is large, or came
        with REQUIRETLS (RFC 8689, section 5).
        """
        is_wanted = parameters.ret != "HDRS" and not parameters.require_tls
        return is_wanted and size <= self.returned_size

    def first_due(self, parameters: MailParameters, arrived: float) -> float:
        """When a message may be sent for the first time (RFC 4865)."""
        return max(arrived, parameters.hold_until or arrived)

    def expiry(
        self, sender: str, parameters: MailParameters, arrived: float
    ) -> float:
        """When a message goes back: its lifetime begins when it may be sent.

        What shall come back at a certain time does (RFC 2852, section 4.1.3).
        """
        lifetime = self.lifetime if sender else self.bounce_lifetime
        end = self.first_due(parameters, arrived) + lifetime
        wish = parameters.deliver_by
        return min(end, wish.until) if wish is not None and wish.returns else end
