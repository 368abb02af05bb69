"""The figures of one process, read off the objects that keep them."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from OpenSSL import SSL

import twisted

from ..counting import Histogram
from ..interfaces import IMeasuredStore
from ..mail.dsn import Action
from ..mail.queued import Outcome
from ..net.factory import ConnectionFactory
from ..net.resolver import DNSCounts, Resolver
from ..net.tally import Tally
from ..queue.figures import AGE_NAMES
from ..queue.scheduler import Scheduler
from . import process
from .families import FAMILIES

#: A histogram is its counts, and the sum of its values.
Value = float | tuple[list[int], float]
#: By metric: label values and a value.  Goes through JSON and comes back the same,
#: but for tuples, which become lists.
Samples = dict[str, list[tuple[list[str], Value]]]

#: Which metrics a service's connections count for.
_PROTOCOL_OF = {
    "smtp": "smtp", "submission": "smtp", "submissions": "smtp", "lmtp": "smtp",
    "imap": "imap", "imaps": "imap", "pop3": "pop3", "pop3s": "pop3",
}  # fmt: skip
_LIMITS = ("connections", "connections_per_address", "descriptors", "drain")
#: Waits for news as long as the client likes.
_IDLE = b"IDLE"


class Measured(Protocol):
    """As much of a :class:`mailhub.service.MailService` as is measured."""

    store: Any

    @property
    def factories(self) -> Mapping[str, ConnectionFactory]:
        """By service."""

    @property
    def scheduler(self) -> Scheduler | None:
        """What sends mail from the queue, if that is done here."""

    @property
    def resolver(self) -> Resolver | None:
        """Who is asked for names, if that is done here."""

    @property
    def lag(self) -> Histogram:
        """How late timers fired."""

    @property
    def certificate_ends(self) -> datetime | None:
        """When the certificate in use ends."""

    @property
    def is_draining(self) -> bool:
        """Whether it is about to stop."""

    @property
    def is_listening(self) -> bool:
        """Whether all services accept connections."""


def collect(mail: Measured) -> Samples:
    """What *mail* and its process have done so far."""
    samples: Samples = {}
    for service, factory in mail.factories.items():
        _of_connections(samples, service, factory)
    _of_commands(samples, mail.factories)
    _of_store(samples, mail)
    if mail.scheduler is not None:
        _of_queue(samples, mail.scheduler)
    if mail.resolver is not None:
        _of_dns(samples, mail.resolver.counts)
    put(samples, "mailhub_build_info", 1, *build())
    if mail.certificate_ends is not None:
        put(
            samples,
            "mailhub_tls_certificate_expiry_timestamp_seconds",
            mail.certificate_ends.timestamp(),
        )
    put_histogram(samples, "mailhub_reactor_lag_seconds", mail.lag)
    for name, value in process.figures().items():
        put(samples, name, value)
    return samples


def put(samples: Samples, name: str, value: float, *labels: str) -> None:
    """Add a figure.

    :raises KeyError: there is no such metric.
    """
    _add(samples, name, labels, value)


def put_histogram(
    samples: Samples, name: str, histogram: Histogram, *labels: str
) -> None:
    """Add a histogram, or add it to the one that has these labels."""
    counts, total = list(histogram.counts), histogram.total
    for known, value in samples.get(name, ()):
        if known == list(labels) and isinstance(value, tuple):
            counts = [a + b for a, b in zip(counts, value[0], strict=True)]
            total += value[1]
            samples[name].remove((known, value))
            break
    _add(samples, name, labels, (counts, total))


def _add(samples: Samples, name: str, labels: tuple[str, ...], value: Value) -> None:
    if len(labels) != len(FAMILIES[name].labels):
        raise ValueError(f"{name} has the labels {FAMILIES[name].labels}")
    samples.setdefault(name, []).append((list(labels), value))


def _of_connections(samples: Samples, service: str, factory: ConnectionFactory) -> None:
    protocol, tally = _PROTOCOL_OF[service], factory.tally
    name = f"mailhub_{protocol}_connections_total"
    put(samples, name, tally.accepted, service)
    name = f"mailhub_{protocol}_open_connections"
    put(samples, name, len(factory.connections), service)
    for limit in _LIMITS:
        value = tally.turned_away[limit]
        put(samples, "mailhub_turned_away_total", value, service, limit)
    for result, value in (
        ("ok", tally.handshakes),
        ("failed", tally.broken_handshakes),
    ):
        put(samples, "mailhub_tls_handshakes_total", value, service, result)
    for (mech, result), value in tally.logins.items():
        put(samples, "mailhub_auth_total", value, service, mech, result)
    put(samples, "mailhub_faults_total", tally.faults, service)
    if protocol == "smtp":
        _of_messages(samples, service, tally)


def _of_messages(samples: Samples, service: str, tally: Tally) -> None:
    for result, value in (
        ("stored", tally.messages),
        ("deferred", tally.refusals[b"DATA", False]),
        ("refused", tally.refusals[b"DATA", True]),
    ):
        put(samples, "mailhub_delivery_total", value, service, result)
    put(samples, "mailhub_delivery_bytes_total", tally.octets, service)
    for (command, permanent), value in tally.refusals.items():
        result = "refused" if permanent else "deferred"
        verb = command.decode("ascii")
        put(samples, "mailhub_smtp_refused_total", value, service, verb, result)


def _of_commands(
    samples: Samples, factories: Mapping[str, ConnectionFactory]
) -> None:
    for service, factory in factories.items():
        for command, histogram in factory.tally.commands.items():
            if command != _IDLE:
                name = f"mailhub_{_PROTOCOL_OF[service]}_command_duration_seconds"
                put_histogram(samples, name, histogram, command.decode("ascii"))


def _of_store(samples: Samples, mail: Measured) -> None:
    store = mail.store
    if not IMeasuredStore.providedBy(store):
        return
    measures = store.measures
    put_histogram(samples, "mailhub_store_commit_changes", measures.changes)
    put_histogram(samples, "mailhub_store_commit_duration_seconds", measures.seconds)
    put(samples, "mailhub_store_commit_failures_total", measures.failed)
    put_histogram(
        samples, "mailhub_store_checkpoint_duration_seconds", measures.checkpoints
    )
    with suppress(OSError):
        put(samples, "mailhub_store_log_bytes", store.log_octets())
        volume = os.statvfs(store.path)
        put(samples, "mailhub_data_free_bytes", volume.f_bavail * volume.f_frsize)
        put(samples, "mailhub_data_size_bytes", volume.f_blocks * volume.f_frsize)
        put(samples, "mailhub_data_free_files", volume.f_favail)


def _of_queue(samples: Samples, scheduler: Scheduler) -> None:
    figures, lanes, endings = scheduler.figures, scheduler.lanes, scheduler.endings
    for age, count in zip(AGE_NAMES, figures.waiting, strict=True):
        put(samples, "mailhub_queue_recipients", count, age)
    put(samples, "mailhub_queue_backlogs", figures.backlogs)
    put(samples, "mailhub_queue_oldest_due_seconds", figures.oldest)
    for outcome in Outcome:
        count = endings.counts[outcome]
        put(samples, "mailhub_queue_attempts_total", count, outcome.value)
    for action in Action:
        count = scheduler.notices.written[action]
        put(samples, "mailhub_queue_notices_total", count, action.value)
    put(samples, "mailhub_queue_sends", lanes.active)
    put(samples, "mailhub_queue_prepared", lanes.fast + lanes.slow)
    put(samples, "mailhub_queue_silent_destinations", lanes.silent)
    put(samples, "mailhub_queue_held_total", endings.held)
    put(samples, "mailhub_queue_lost_leases_total", endings.lost)


def _of_dns(samples: Samples, counts: DNSCounts) -> None:
    for source, value in (
        ("cache", counts.hits),
        ("resolver", counts.questions - counts.faults),
        ("nowhere", counts.faults),
    ):
        put(samples, "mailhub_dns_answers_total", value, source)
    put_histogram(samples, "mailhub_dns_duration_seconds", counts.seconds)


def build() -> tuple[str, str, str, str, str]:
    """The versions of what runs here, in the order of ``mailhub_build_info``."""
    try:
        own = version("mailhub")
    except PackageNotFoundError:
        own = "unknown"  # run from a checkout
    openssl = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii", "replace")
    return (
        own,
        platform.python_version(),
        twisted.__version__,
        sqlite3.sqlite_version,
        openssl,
    )
