"""What ``main.cf`` of Postfix comes to here: postconf(5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .import_notes import Carried, listening

_VALUE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|\(([A-Za-z0-9_]+)\)|([A-Za-z0-9_]+))")
_SPAN = re.compile(r"(\d{1,9})([smhdw]?)")
_UNITS = {"s": "s", "m": "min", "h": "h", "d": "d"}
_NETWORK = re.compile(r"\[?[0-9a-fA-F:.]+\]?(?:/\d{1,3})?")
_HOP = re.compile(r"(\[?)([A-Za-z0-9.:-]+?)\]?(?::([A-Za-z0-9]+))?")
#: Types of tables whose source is a text file of the same name.
_TEXT_TABLES = frozenset({"hash", "btree", "lmdb", "dbm", "cdb", "texthash"})
#: What parameters that are left out mean (postconf -d).
_USUAL = {
    "mydestination": "$myhostname, localhost.$mydomain, localhost",
    "inet_interfaces": "all",
}
#: How often a value may refer to others, one behind the other.
_DEPTH = 10

Take = Callable[["_Reader", int, str, str], None]


def import_postfix(text: str) -> Carried:
    """Settings from the text of a ``main.cf``."""
    reader = _Reader(list(_lines(text)))
    reader.run()
    return reader.carried


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, name and value of each parameter; lines with white space go on."""
    number, held = 0, ""
    for at, line in enumerate([*text.split("\n"), "end"], 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            held += " " + line.strip()
            continue
        if held:
            name, _, value = held.partition("=")
            yield number, name.strip(), value.strip()
        number, held = at, line.strip()


class _Reader:
    """The parameters, and what they came to so far.

    Of a parameter that is there twice the last counts, as with Postfix.
    """

    def __init__(self, lines: list[tuple[int, str, str]]) -> None:
        self.carried = Carried()
        self.values = {name: value for _, name, value in lines}
        self._lines = {name: (line, value) for line, name, value in lines}

    def run(self) -> None:
        """Take all of them."""
        for name, (line, value) in self._lines.items():
            said = f"{name} = {value}"
            take = _PARAMETERS.get(name)
            if take is not None:
                take(self, line, said, self.expanded(value))
            elif name in _ALWAYS:
                self.carried.leave(line, said, _ALWAYS[name])
            else:
                self.carried.leave(line, said, "no setting of that kind")
        if "smtpd_tls_cert_file" in self._lines:
            # Postfix looks for the key in the same file.
            self.values.setdefault("smtpd_tls_key_file", "$smtpd_tls_cert_file")
            key = self.expanded(self.values["smtpd_tls_key_file"])
            self.carried.chosen.setdefault(("tls", "key"), key)
        for name, value in _USUAL.items():
            if name not in self._lines:
                said = f"{name}, which is left out"
                _PARAMETERS[name](self, 0, said, self.expanded(value))

    def expanded(self, value: str) -> str:
        """*value* with those that it refers to."""
        for _ in range(_DEPTH):
            new = _VALUE.sub(self._value, value)
            if new == value:
                break
            value = new
        return value

    def _value(self, found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3]
        if name == "mydomain" and name not in self.values:
            return self.values.get("myhostname", "$myhostname").partition(".")[2]
        return self.values.get(name, _USUAL.get(name, found[0]))

    def leave(self, line: int, said: str, why: str) -> None:
        """See :class:`.import_notes.Carried`."""
        self.carried.leave(line, said, why)

    def set(self, table: str, key: str, value: object, line: int, said: str) -> None:
        """Likewise."""
        self.carried.set(table, key, value, line, said)


def _words(value: str) -> list[str]:
    return value.replace(",", " ").split()


def _text(table: str, key: str, why_empty: str = "") -> Take:
    def take(reader: _Reader, line: int, said: str, value: str) -> None:
        if value:
            reader.set(table, key, value, line, said)
        elif why_empty:
            reader.leave(line, said, why_empty)

    return take


def _number(table: str, key: str, no_limit: bool = False) -> Take:
    def take(reader: _Reader, line: int, said: str, value: str) -> None:
        if no_limit and value == "0":
            reader.leave(line, said, "there is always a limit here")
        elif value.isascii() and value.isdigit() and len(value) < 16:
            reader.set(table, key, int(value), line, said)
        else:
            reader.leave(line, said, "expected a number")

    return take


def _time(table: str, key: str, usual: str) -> Take:
    def take(reader: _Reader, line: int, said: str, value: str) -> None:
        found = _SPAN.fullmatch(value)
        if found is None:
            reader.leave(line, said, "not understood as a time")
            return
        number, unit = int(found[1]), found[2] or usual
        text = f"{number * 7} d" if unit == "w" else f"{number} {_UNITS[unit]}"
        reader.set(table, key, text, line, said)

    return take


def _tables(key: str, about: str = "") -> Take:
    """Of a list of lookup tables."""

    def take(reader: _Reader, line: int, said: str, value: str) -> None:
        for word in _words(value):
            kind, colon, path = word.partition(":")
            path = path if colon else kind
            kinds = {*_TEXT_TABLES, "cidr"} if key == "access" else _TEXT_TABLES
            if path.startswith("/") and (not colon or kind in kinds):
                reader.carried.add("files", key, about + path, line, said)
            else:
                reader.leave(line, said, f"no table like {word!r} here")

    return take


def _origin(reader: _Reader, line: int, said: str, value: str) -> None:
    if value.startswith("/"):
        reader.leave(line, said, "the name in that file belongs into [files] origin")
    else:
        reader.set("files", "origin", value.lower(), line, said)


def _destinations(reader: _Reader, line: int, said: str, value: str) -> None:
    for word in _words(value):
        kind, colon, path = word.rpartition(":")
        if path.startswith("/") and kind in ("", *_TEXT_TABLES):
            reader.carried.add("files", "local_host_names", path, line, said)
        elif "$" in word or colon:
            reader.leave(line, said, f"no table like {word!r} here")
        else:
            reader.carried.names.append(word.lower())


def _virtual_domains(reader: _Reader, line: int, said: str, value: str) -> None:
    for word in _words(value):
        if "$" in word or ":" in word or "/" in word:
            reader.leave(line, said, f"a line {'domain anything'!r} in virtusertable"
                         f" makes one local; not understood: {word!r}")  # fmt: skip
        else:
            reader.leave(line, said, f"run: mailhub domain add {word.lower()}")


def _networks(reader: _Reader, line: int, said: str, value: str) -> None:
    for word in _words(value):
        if _NETWORK.fullmatch(word):
            reader.carried.networks.append(word)
        else:
            reader.leave(line, said, f"only networks here, not {word!r}")


def _relay_domains(reader: _Reader, line: int, said: str, value: str) -> None:
    for word in _words(value):
        kind, _, path = word.rpartition(":")
        if path.startswith("/") and kind in ("", *_TEXT_TABLES):
            reader.leave(line, said, "domains of that table belong into a file of"
                         " [files] relay_domains, a name in each line")  # fmt: skip
        elif word == "$mydestination" or word in reader.carried.names:
            continue
        else:
            name = word.lower()
            reader.carried.add("routing", "relay_domains", name, line, said)


def _relay_host(reader: _Reader, line: int, said: str, value: str) -> None:
    if not value:
        return
    found = _HOP.fullmatch(value)
    if found is None:
        reader.leave(line, said, "not understood as a host")
        return
    if not found[1]:
        reader.leave(line, said, "MX records of the host are not looked up")
    port = {"submission": "587", "smtp": "25", "submissions": "465"}.get(
        found[3] or "", found[3] or "25"
    )
    scheme = "smtps" if port == "465" else "smtp"
    way = f"{scheme}://{listening(found[2], 0).removesuffix(':0')}:{port}"
    reader.set("outbound", "smarthost", way, line, said)


def _interfaces(reader: _Reader, line: int, said: str, value: str) -> None:
    families = reader.expanded(reader.values.get("inet_protocols", "all"))
    hosts: list[str] = []
    for word in _words(value):
        match word:
            case "all":
                hosts += ["0.0.0.0", "::"]
            case "loopback-only":
                hosts += ["127.0.0.1", "::1"]
            case _ if _NETWORK.fullmatch(word):
                hosts.append(word.strip("[]"))
            case _:
                reader.leave(line, said, f"only addresses here, not {word!r}")
    for host in hosts:
        family = "ipv6" if ":" in host else "ipv4"
        if families in ("all", family) or family in _words(families):
            reader.carried.add("listen", "smtp", listening(host, 25), line, said)


def _masquerade(reader: _Reader, line: int, said: str, value: str) -> None:
    for word in _words(value):
        if word.startswith("!"):
            reader.leave(line, said, f"no exception for {word[1:]!r}")
        else:
            pair = f"@.{word.lower()} @{word.lower()}"
            reader.carried.add("routing", "senders", pair, line, said)


def _protocols(reader: _Reader, line: int, said: str, value: str) -> None:
    words = {"<TLSv1.2": "TLSv1.2", ">=TLSv1.2": "TLSv1.2", ">=TLSv1.3": "TLSv1.3"}
    if value in words:
        reader.set("tls", "minimum_version", words[value], line, said)
    else:
        reader.leave(line, said, "versions before TLS 1.2 are never spoken")


#: Restrictions that hold here without a setting.
_BUILT_IN = frozenset({
    "permit", "permit_mynetworks", "permit_sasl_authenticated", "reject",
    "reject_unauth_destination", "defer_unauth_destination",
    "permit_auth_destination", "reject_unlisted_recipient",
    "reject_non_fqdn_recipient", "reject_unauth_pipelining",
})  # fmt: skip
_WITH_ARGUMENT = ("check_", "reject_rbl", "reject_rhsbl", "permit_dns")
_CHECKS = {
    "check_client_access": "connect:", "check_sender_access": "from:",
    "check_recipient_access": "to:",
}  # fmt: skip


def _restrictions(reader: _Reader, line: int, said: str, value: str) -> None:
    words = iter(_words(value))
    for word in words:
        if word in _BUILT_IN:
            continue
        if word in _CHECKS:
            _tables("access", _CHECKS[word])(reader, line, said, next(words, ""))
            continue
        takes_one = word.startswith(_WITH_ARGUMENT)
        what = f"{word} {next(words, '')}" if takes_one else word
        reader.leave(line, said, f"no restriction like {what.strip()!r} here")


_MAILBOX = "mail is kept in the folder of [server] data, and read by IMAP and POP3"
_USERS = "run: mailhub user add, for each of them"
_OWN_FILES = "files of Postfix itself"
#: Why others are not carried over.
_ALWAYS = {
    "home_mailbox": _MAILBOX,
    "mail_spool_directory": _MAILBOX,
    "mailbox_command": _MAILBOX,
    "mailbox_transport": _MAILBOX,
    "virtual_mailbox_base": _MAILBOX,
    "virtual_transport": _MAILBOX,
    "mailbox_size_limit": "run: mailhub user add --quota, for each of them",
    "virtual_mailbox_limit": "run: mailhub user add --quota, for each of them",
    "virtual_mailbox_domains": "run: mailhub domain add, for each of them",
    "virtual_mailbox_maps": _USERS,
    "local_recipient_maps": _USERS,
    "alias_database": "what alias_maps names is read without a database",
    "smtpd_tls_security_level": "STARTTLS is always offered",
    "smtpd_use_tls": "STARTTLS is always offered",
    "smtpd_sasl_auth_enable": "submission always asks for a login",
    "smtpd_helo_required": "HELO or EHLO is always needed before MAIL",
    "disable_vrfy_command": "VRFY never tells who is here",
    "inet_protocols": "see inet_interfaces",
    "mydomain": "a name for other parameters",
    "queue_directory": _OWN_FILES,
    "command_directory": _OWN_FILES,
    "daemon_directory": _OWN_FILES,
    "data_directory": _OWN_FILES,
    "config_directory": _OWN_FILES,
    "readme_directory": _OWN_FILES,
    "compatibility_level": "a matter of Postfix's own past",
}

_PARAMETERS: dict[str, Take] = {
    "myhostname": _text("server", "host_name"),
    "myorigin": _origin,
    "mydestination": _destinations,
    "mynetworks": _networks,
    "relayhost": _relay_host,
    "relay_domains": _relay_domains,
    "alias_maps": _tables("aliases"),
    "virtual_alias_maps": _tables("virtusertable"),
    "virtual_maps": _tables("virtusertable"),
    "virtual_alias_domains": _virtual_domains,
    "canonical_maps": _tables("canonical"),
    "sender_canonical_maps": _tables("sender_canonical"),
    "recipient_canonical_maps": _tables("recipient_canonical"),
    "transport_maps": _tables("transport"),
    "masquerade_domains": _masquerade,
    "message_size_limit": _number("limits", "message_size", no_limit=True),
    "smtpd_recipient_limit": _number("limits", "recipients"),
    "smtpd_client_connection_count_limit": _number(
        "limits", "connections_per_address", no_limit=True
    ),
    "recipient_delimiter": _text("mail", "plus_separator"),
    "inet_interfaces": _interfaces,
    "smtpd_tls_cert_file": _text("tls", "certificate"),
    "smtpd_tls_key_file": _text("tls", "key"),
    "smtpd_tls_protocols": _protocols,
    "smtpd_tls_mandatory_protocols": _protocols,
    "mail_owner": _text("server", "user"),
    "maximal_queue_lifetime": _time("queue", "lifetime", "d"),
    "bounce_queue_lifetime": _time("queue", "bounce_lifetime", "d"),
    "delay_warning_time": _time("queue", "warn_after", "h"),
    "minimal_backoff_time": _time("queue", "first_retry", "s"),
    "maximal_backoff_time": _time("queue", "longest_retry", "s"),
} | {
    f"smtpd_{moment}_restrictions": _restrictions
    for moment in (
        "client", "helo", "sender", "recipient", "relay", "data", "end_of_data",
    )
}  # fmt: skip
