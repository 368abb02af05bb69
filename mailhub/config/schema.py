"""Every setting: what it may be, and what it means.

The commented configuration (``conf/mailhub.toml``, ``mailhub init``) is written
from these tables, and a configuration is read by them.
"""

from __future__ import annotations

import re

from ..mail.queue_limits import QueueLimits
from ..net.limits import Limits
from ..watched.places import Places
from .files_table import FILES
from .kinds import (
    Choice,
    Count,
    Listener,
    ListOf,
    Place,
    Resolver,
    Source,
    Text,
    address,
    host_name,
    octets,
    seconds,
)
from .local_table import LOCAL
from .outbound_table import OUTBOUND
from .queue_table import QUEUE
from .routing_table import ROUTING
from .setting import Setting, Table
from .settings import (
    DNS,
    PORTS,
    TLS,
    Listen,
    Local,
    Log,
    Login,
    Mail,
    Outbound,
    Routing,
    Server,
    Store,
)

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_HOUR, _DAY = 3600, 86400


#: Workers that one machine may have.
MAX_WORKERS = 64
_ACCOUNT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")


def _account_name(expected: str) -> Text:
    return Text(expected, _ACCOUNT_NAME.fullmatch, may_be_empty=True)


_SERVER = {
    "data": Setting(
        Place("folder"),
        "Everything the server keeps: mail, users, its own certificate.  Made, with"
        " access for its owner only, on the first start.",
    ),
    "host_name": Setting(
        host_name(),
        "What the server calls itself in greetings, trace headers and its own"
        " certificate.  Empty: the machine's name.",
    ),
    "workers": Setting(
        Count(1, MAX_WORKERS),
        "Processes that serve mail; one for each processor that mail may use.",
    ),
    "receivers": Setting(
        Count(1, MAX_WORKERS),
        "How many of these processes take mail in, by SMTP and LMTP.  One commits a"
        " message in half the time that two need, as the database is written by one"
        " process at a time; more pay where TLS or checks take longer than that.",
    ),
    "user": Setting(
        _account_name("a user of this machine"),
        "Whom the server becomes after it has bound its addresses, if it is started"
        " as root.  Empty: nobody else.",
    ),
    "group": Setting(
        _account_name("a group of this machine"),
        "The group that goes with user.  Empty: the user's own.",
    ),
}

_SERVICE_MEANINGS = {
    "smtp": "Mail from other servers.",
    "submission": "Mail from users; asks for STARTTLS and a login.",
    "submissions": "Mail from users; TLS from the first octet.",
    "lmtp": "Mail from a trusted server beside this one; knows no login."
    '  Also "unix:PATH".',
    "pop3": "POP3 with STLS.",
    "pop3s": "POP3; TLS from the first octet.",
    "imap": "IMAP with STARTTLS.",
    "imaps": "IMAP; TLS from the first octet.",
}

_LISTEN = {
    "profile": Setting(
        Choice(("local", "public")),
        '"local": this machine only, on the ports below, which need no special'
        ' rights.  "public": all addresses, on the standard ports '
        + ", ".join(str(standard) for _, standard in PORTS.values())
        + " (lmtp stays on this machine).",
    ),
} | {
    service: Setting(ListOf(Listener(service == "lmtp")), meaning)
    for service, meaning in _SERVICE_MEANINGS.items()
}
_LISTEN["admin"] = Setting(
    ListOf(Listener(True)),
    "HTTP for whoever looks after the server: /livez, /readyz and /metrics (for"
    " Prometheus).  It asks for no password, so it stays on this machine in both"
    ' profiles.  Also "unix:PATH".  The default is left out where the port is'
    " taken.",
)

_TLS = {
    "certificate": Setting(
        Place("PEM file", may_be_empty=True),
        "The certificate and those between it and its authority, in PEM.  Empty:"
        " the server makes one of its own on the first start, which clients will"
        " not trust by themselves.",
    ),
    "key": Setting(
        Place("PEM file", may_be_empty=True),
        "The certificate's private key, in PEM, which only its owner may read.",
    ),
    "minimum_version": Setting(
        Choice(("TLSv1.2", "TLSv1.3")),
        "The oldest version of TLS that is spoken (RFC 8996 forbids those before).",
    ),
}

_LOGIN = {
    "plaintext": Setting(
        Choice(("loopback", "never", "always")),
        "Where passwords are taken without TLS: from this machine only, from"
        " nowhere, or from everywhere (do not).",
    ),
    "auth": Setting(
        ListOf(Source(), least=1),
        'Where passwords are looked up, one after the other: "store" are the users of'
        ' the mailhub command, "passwd-file:PATH" is a file of user:{SCHEME}hash'
        " lines as Dovecot has it.",
    ),
    "address_per_minute": Setting(
        Count(1, 1_000_000),
        "Failed logins from one IPv4 address or one IPv6 /64 network before its logins"
        " are refused until the minute is over.",
    ),
    "address_per_day": Setting(Count(1, 1_000_000), "The same for a day."),
    "user_per_minute": Setting(
        Count(1, 1_000_000),
        "Failed logins as one user, from everywhere together; where the user logged in"
        " from before is not held to it.",
    ),
    "user_per_day": Setting(Count(1, 1_000_000), "The same for a day."),
    "delay": Setting(seconds(0, 60), "Before a failed login is answered, in seconds."),
    "delayed": Setting(
        Count(1, 1_000_000),
        "Failed logins that may wait for their answer at the same time.",
    ),
    "tracked": Setting(
        Count(100, 10_000_000),
        "Addresses, and users, whose failures are remembered.",
    ),
    "known_addresses": Setting(
        Count(1, 1000), "Addresses that are remembered as a user's own."
    ),
}

_LIMITS = {
    "message_size": Setting(
        octets(_KIB, 2 * _GIB), "The largest message taken, in octets."
    ),
    "free_space": Setting(
        octets(0, 1 << 40),
        "What has to stay free on the volume of the data folder, in octets: below it no"
        " mail is taken (452 4.3.1), while mail can still be read and removed.",
    ),
    "recipients": Setting(
        Count(100, 100_000),
        "Recipients of one message (RFC 5321, section 4.5.3.1.8: at least 100).",
    ),
    "stranger_recipients": Setting(
        Count(100, 100_000),
        "Recipients of one message from who has not logged in, by SMTP; the sender's"
        " server brings it to the others in another transaction.  Each that waits costs"
        " some 250 octets of memory.",
    ),
    "connections": Setting(
        Count(1, 1_000_000), "Open connections of one service, from all peers."
    ),
    "connections_per_address": Setting(
        Count(1, 1_000_000),
        "Open connections of one service from one IPv4 address or one IPv6 /64"
        " network.  This machine's own are not counted.",
    ),
    "login_failures": Setting(
        Count(1, 100), "Failed logins before the connection is closed."
    ),
    "handshake": Setting(seconds(1, 300), "For TLS to be agreed on, in seconds."),
    "login_idle": Setting(
        seconds(10, _HOUR),
        "Without a command before the login, and between SMTP commands, in seconds"
        " (RFC 5321, section 4.5.3.2.7: 5 min).",
    ),
    "idle": Setting(
        seconds(60, 7 * _DAY),
        "Without a command after the login, in seconds (RFC 3501, section 5.4: at"
        " least 30 min).",
    ),
    "record": Setting(
        seconds(5, _HOUR), "From the first octet of a line to its end, in seconds."
    ),
    "minimum_rate": Setting(
        Count(1, 1_000_000_000),
        "Octets per second that a message has to arrive with, after the time of"
        " record.",
    ),
    "write_stall": Setting(
        seconds(5, _HOUR), "Without the peer reading what it is sent, in seconds."
    ),
    "read_ahead": Setting(
        octets(_KIB, 16 * _MIB),
        "Octets taken in while earlier commands are worked on.",
    ),
    "discard": Setting(
        octets(_KIB, 16 * _MIB),
        "Octets of an over-long line that are skipped before the connection is cut.",
    ),
    "linger": Setting(
        seconds(1, 600),
        "For the server's last words to be read before the connection is closed, in"
        " seconds.",
    ),
    "drain": Setting(
        seconds(1, 600),
        "For sessions to finish what they do when the server stops, in seconds.",
    ),
}

_MAIL = {
    "postmaster": Setting(
        address(),
        "Who gets mail for postmaster@ and abuse@ of every domain here, where no such"
        " user or alias exists (RFC 5321, section 4.5.1).  Empty: the domain's first"
        " user.",
    ),
    "plus_separator": Setting(
        Text(
            'one of + - = . or "" for none',
            lambda text: len(text) == 1 and text in "+-=.",
            may_be_empty=True,
        ),
        "user+anything@domain is delivered to user@domain; empty turns that off.",
    ),
}

_DNS = {
    "servers": Setting(
        ListOf(Resolver()),
        "The resolvers, in the order to be asked in.  Empty: those of"
        " /etc/resolv.conf.  One on this machine that validates (unbound, say) is best:"
        " DANE needs it, and where one is trusted no other is asked.",
    ),
    "trust": Setting(
        Choice(("loopback", "never", "always")),
        "Whose word is taken for what DNSSEC has proved: of resolvers on this machine,"
        " of none, or of all (only where nobody can come between: RFC 4035, section"
        " 4.9.3).",
    ),
    "attempt": Setting(
        seconds(1, 60), "For one resolver to answer before another is asked as well."
    ),
    "total": Setting(seconds(2, 120), "For a question, whoever is asked, in seconds."),
    "cache": Setting(octets(0, _GIB), "Memory for answers, in octets."),
}

_STORE = {
    "kind": Setting(
        Choice(("sqlite", "memory")),
        '"sqlite": files in the data folder.  "memory": for trying things out; all'
        " mail and all users are gone when the server stops.",
    ),
}

_LOG = {
    "format": Setting(
        Choice(("text", "json", "logfmt")),
        'Lines for people ("text"), or for programs: one JSON object a line, or'
        " name=value.",
    ),
    "level": Setting(
        Choice(("debug", "info", "warn", "error", "critical")),
        "What is less serious is left out.",
    ),
    "file": Setting(
        Place("file", may_be_empty=True),
        "Empty: where twistd logs, which is the standard output with -n, else"
        " twistd.log.  A file that is moved away is begun anew, at once on SIGUSR1."
        "  The options --logfile, --syslog and --logger of twistd are stronger.",
    ),
}

#: Every table, in the order of the commented configuration.
TABLES = {
    "server": Table("The server and its data.", Server, _SERVER),
    "listen": Table(
        'Where each service listens: a list of "address:port", IPv6 in brackets;'
        " [] turns a service off.",
        Listen,
        _LISTEN,
    ),
    "tls": Table("Certificates.", TLS, _TLS),
    "login": Table("Who may log in, and how.", Login, _LOGIN),
    "limits": Table(
        'What a peer may ask for.  No value means "unlimited".', Limits, _LIMITS
    ),
    "mail": Table("Addresses and their meaning.", Mail, _MAIL),
    "routing": Table(
        "Whose mail goes where: what the users and aliases of the mailhub command do"
        " not say.",
        Routing,
        ROUTING,
    ),
    "files": Table(
        "Files of other mail servers: lists of paths, read again when they change.",
        Places,
        FILES,
    ),
    "dns": Table("Who is asked for names.", DNS, _DNS),
    "outbound": Table("How mail leaves.", Outbound, OUTBOUND),
    "queue": Table(
        "How patient the server is with mail that leaves.", QueueLimits, QUEUE
    ),
    "local": Table("Mail from programs of this machine's users.", Local, LOCAL),
    "store": Table("What keeps the mail.", Store, _STORE),
    "log": Table("What the server says about its work.", Log, _LOG),
}
