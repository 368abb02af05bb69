"""Every metric: its name, its meaning, and how processes' figures are put together.

The names follow Prometheus: base units (seconds, bytes), counters end in
``_total``.  A figure that is not in this table cannot be exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..counting import SECONDS, SIZES


class Kind(Enum):
    """The types of Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(Enum):
    """What the figures of several processes are together."""

    #: All of them; the processes do different things.
    SUM = "sum"
    #: One figure for each: the label ``worker`` is added.
    EACH = "each"
    #: The processes look at the same thing, and the worst counts.
    LEAST = "least"
    MOST = "most"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    :ivar labels: their names, in the order of a sample's values.
    :ivar bounds: of a histogram.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    merge: Merge = Merge.SUM
    bounds: tuple[float, ...] = ()

    @property
    def shown_labels(self) -> tuple[str, ...]:
        """The labels that are exported."""
        return (*self.labels, "worker") if self.merge is Merge.EACH else self.labels


def _counter(
    name: str, meaning: str, *labels: str, merge: Merge = Merge.SUM
) -> Family:
    return Family(name, Kind.COUNTER, meaning, labels, merge)


def _gauge(name: str, meaning: str, *labels: str, merge: Merge = Merge.SUM) -> Family:
    return Family(name, Kind.GAUGE, meaning, labels, merge)


def _histogram(
    name: str,
    meaning: str,
    *labels: str,
    merge: Merge = Merge.SUM,
    bounds: tuple[float, ...] = SECONDS,
) -> Family:
    return Family(name, Kind.HISTOGRAM, meaning, labels, merge, bounds)


_PROTOCOLS = (("smtp", "SMTP and LMTP"), ("imap", "IMAP"), ("pop3", "POP3"))

_CONNECTIONS = tuple(
    family
    for protocol, spelled in _PROTOCOLS
    for family in (
        _counter(
            f"mailhub_{protocol}_connections_total",
            f"{spelled} connections accepted, those turned away included.",
            "service",
        ),
        _gauge(
            f"mailhub_{protocol}_open_connections",
            f"{spelled} connections that are open.",
            "service",
        ),
    )
)

_WORK = (
    _counter(
        "mailhub_turned_away_total",
        "Connections turned away, by the limit that was reached.",
        "service", "limit",
    ),
    _counter(
        "mailhub_tls_handshakes_total",
        "TLS handshakes, by whether they ended well.",
        "service", "result",
    ),
    _counter(
        "mailhub_auth_total",
        "Logins with a name, by mechanism and result.",
        "service", "mech", "result",
    ),
    _counter(
        "mailhub_delivery_total",
        "Messages by SMTP and LMTP, by what was answered after the data.",
        "service", "result",
    ),
    _counter(
        "mailhub_delivery_bytes_total",
        "Octets of the messages that were stored.",
        "service",
    ),
    _counter(
        "mailhub_smtp_refused_total",
        "SMTP commands answered with 4yz (deferred) or 5yz (refused) for a reason"
        " other than their syntax or order.",
        "service", "command", "result",
    ),
    _counter(
        "mailhub_faults_total",
        "Commands that failed by a bug; the log has a traceback for each.",
        "service",
    ),
    _histogram(
        "mailhub_imap_command_duration_seconds",
        "Time that IMAP commands took; waiting for the client to read is part of it."
        "  IDLE is left out.",
        "command",
    ),
    _histogram(
        "mailhub_pop3_command_duration_seconds",
        "Time that POP3 commands took; waiting for the client to read is part of it.",
        "command",
    ),
)  # fmt: skip

_STORE = (
    _histogram(
        "mailhub_store_commit_changes",
        "Changes (messages, flags and others) that one commit made durable.",
        bounds=SIZES,
    ),
    _histogram(
        "mailhub_store_commit_duration_seconds",
        "Time of a commit, from its first change to the end of the flush.",
    ),
    _counter("mailhub_store_commit_failures_total", "Commits that failed."),
    _histogram(
        "mailhub_store_checkpoint_duration_seconds",
        "Time of moving the write-ahead log into the database.",
    ),
    _gauge(
        "mailhub_store_log_bytes",
        "Octets of the write-ahead log; it keeps its size when it is emptied.",
        merge=Merge.MOST,
    ),
    _gauge(
        "mailhub_data_free_bytes",
        "Octets free for the server on the volume of the data folder.",
        merge=Merge.LEAST,
    ),
    _gauge(
        "mailhub_data_size_bytes",
        "Octets of the volume of the data folder.",
        merge=Merge.LEAST,
    ),
    _gauge(
        "mailhub_data_free_files",
        "Files that can still be made on the volume of the data folder.",
        merge=Merge.LEAST,
    ),
)

_QUEUE = (
    _gauge(
        "mailhub_queue_recipients",
        "Recipients that mail waits for, by the age of their message; seen once a"
        " minute.",
        "age",
    ),
    _gauge(
        "mailhub_queue_backlogs",
        "Destinations for which something is due and not under way; seen once a"
        " minute.",
    ),
    _gauge(
        "mailhub_queue_oldest_due_seconds",
        "How long the first of that has been due.",
        merge=Merge.MOST,
    ),
    _counter(
        "mailhub_queue_attempts_total",
        "Recipients for whom an attempt has ended, by how it did.",
        "outcome",
    ),
    _counter(
        "mailhub_queue_notices_total",
        "Notifications that were written, by what they tell.",
        "action",
    ),
    _gauge("mailhub_queue_sends", "Messages that are being sent."),
    _gauge("mailhub_queue_prepared", "Messages that wait in memory to be sent."),
    _gauge(
        "mailhub_queue_silent_destinations",
        "Destinations that could not be reached when they were tried last.",
    ),
    _counter(
        "mailhub_queue_held_total",
        "Recipients that wait for a person, as their message has made the server"
        " fail.",
    ),
    _counter(
        "mailhub_queue_lost_leases_total",
        "Attempts whose end came too late, after another process had taken over.",
    ),
)

_DNS = (
    _counter(
        "mailhub_dns_answers_total",
        "Questions for names, by where the answer came from: the cache, a resolver, or"
        " nowhere (a fault).",
        "source",
    ),
    _histogram(
        "mailhub_dns_duration_seconds",
        "Time that resolvers took to answer, faults included.",
    ),
)

_SERVER = (
    _gauge(
        "mailhub_build_info",
        "Always 1; the labels say what runs.",
        "version", "python", "twisted", "sqlite", "openssl",
        merge=Merge.MOST,
    ),
    _gauge(
        "mailhub_tls_certificate_expiry_timestamp_seconds",
        "When the certificate in use ends.",
        merge=Merge.LEAST,
    ),
    _histogram(
        "mailhub_reactor_lag_seconds",
        "How late a timer of ten per second fired: what every client waits for.",
        merge=Merge.EACH,
    ),
    _gauge("mailhub_worker_up", "Whether the process answers.", "worker"),
    _counter(
        "mailhub_worker_restarts_total",
        "Processes that were started in the place of one that had ended.",
        "worker",
    ),
)  # fmt: skip

#: The names that every exporter of Prometheus uses for these.
_PROCESS = (
    _counter(
        "process_cpu_seconds_total", "CPU time, user and system.", merge=Merge.EACH
    ),
    _gauge("process_resident_memory_bytes", "Memory in use.", merge=Merge.EACH),
    _gauge("process_virtual_memory_bytes", "Address space.", merge=Merge.EACH),
    _gauge("process_open_fds", "Open file descriptors.", merge=Merge.EACH),
    _gauge("process_max_fds", "File descriptors at most.", merge=Merge.EACH),
    _gauge(
        "process_start_time_seconds",
        "When the process started, since the epoch.",
        merge=Merge.EACH,
    ),
)

#: All of them, in the order in which they are shown.
FAMILIES = {
    family.name: family
    for family in (*_CONNECTIONS, *_WORK, *_STORE, *_QUEUE, *_DNS, *_SERVER, *_PROCESS)
}
