"""The settings of ``[queue]``."""

from __future__ import annotations

from .kinds import Count, address, octets, seconds
from .setting import Setting

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

QUEUE = {
    "lifetime": Setting(
        seconds(_HOUR, 30 * _DAY),
        "How long mail is tried for before it goes back, in seconds (RFC 5321, section"
        " 4.5.4.1: four or five days).",
    ),
    "bounce_lifetime": Setting(
        seconds(_HOUR, 30 * _DAY), "The same for mail without a sender."
    ),
    "warn_after": Setting(
        seconds(0, 30 * _DAY),
        "When a sender is told that it takes long, in seconds; 0 never tells.",
    ),
    "first_retry": Setting(
        seconds(10, _DAY),
        "Between the first attempts, in seconds; then twice as long each time.",
    ),
    "longest_retry": Setting(
        seconds(_MINUTE, _DAY), "Between two attempts at most, in seconds."
    ),
    "sends": Setting(Count(1, 10_000), "Attempts at the same time."),
    "sends_per_destination": Setting(
        Count(1, 1000), "The same for one domain, or another way out."
    ),
    "first_sends": Setting(
        Count(1, 1000), "The same for one that has not answered so far."
    ),
    "rate_per_destination": Setting(
        Count(0, 1_000_000),
        "Attempts per minute for one domain; 0 for as many as there are.",
    ),
    "waiting": Setting(
        Count(10, 100_000), "Messages that wait in memory for their turn."
    ),
    "lease": Setting(
        seconds(3 * _MINUTE, _DAY),
        "After which another process may send what one that has died was about to"
        " send, in seconds.",
    ),
    "returned_size": Setting(
        octets(0, 1 << 30),
        "Of larger messages only the header is returned, in octets.",
    ),
    "double_bounces": Setting(
        address(),
        "Who gets what cannot be returned.  Empty: the postmaster.",
    ),
}
