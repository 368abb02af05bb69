"""What ``sendmail.cf`` comes to here.

Its lines: https://www.sendmail.org, "Sendmail Installation and Operation Guide",
section 5.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from .import_notes import Carried, listening

_NAMED = re.compile(r"\{([A-Za-z0-9_]+)\}(.*)", re.DOTALL)
_MACRO = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z]))")
_OPTION = re.compile(r"O\s+([A-Za-z.]+)\s*=\s*(.*)", re.DOTALL)
_MAP = re.compile(r"K\s*([A-Za-z0-9_]+)\s+(\S+)\s*(.*)", re.DOTALL)
_SPAN = re.compile(r"(\d+)([smhdw]?)")
_UNITS = {"": "d", "s": "s", "m": "min", "h": "h", "d": "d", "w": "w"}
#: Lines that say how, not what: the server does by itself what the usual ones do.
_MACHINERY = {
    "S": "rulesets", "R": "rulesets", "M": "mailers", "H": "headers",
    "P": "precedences", "X": "filters", "E": "environment",
}  # fmt: skip
_OWN_CLASSES = frozenset("ORPE.[") | {
    "Accept", "ResOk", "Tls", "TlsVerified", "Src", "LHE", "VirtHost",
}  # fmt: skip
_INTERNAL_MAPS = frozenset({
    "arith", "macro", "dequote", "resolve", "storage", "syslog", "host", "canon",
})  # fmt: skip
#: Kinds of maps whose source is a text file of the same name.
_TEXT_MAPS = frozenset({"hash", "btree", "dbm", "text", "cdb"})
_MAPS = {
    "access": "access", "virtuser": "virtusertable", "mailertable": "transport",
    "generics": "sender_canonical",
}  # fmt: skip


def import_sendmail(text: str) -> Carried:
    """Settings from the text of a ``sendmail.cf``."""
    reader = _Reader()
    for number, line in _lines(text):
        reader.take(number, line)
    reader.finish()
    return reader.carried


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; those that begin with white space go on."""
    number, held = 0, ""
    for at, line in enumerate(text.split("\n"), 1):
        if line[:1] in (" ", "\t") and held:
            held += " " + line.strip()
            continue
        if held:
            yield number, held
        number, held = at, "" if line.startswith("#") else line.rstrip()
    if held:
        yield number, held


class _Reader:
    """What was read so far."""

    def __init__(self) -> None:
        self.carried = Carried()
        self._macros: dict[str, str] = {}
        self._machinery: Counter[str] = Counter()
        self._masquerade: tuple[int, str] | None = None

    def take(self, line: int, said: str) -> None:
        kind = said[0]
        if kind in _MACHINERY:
            self._machinery[_MACHINERY[kind]] += 1
        elif kind in _KINDS:
            _KINDS[kind](self, line, said)
        else:
            self.carried.leave(line, said, "not known")

    def finish(self) -> None:
        """What can only be told in the end."""
        for what, count in self._machinery.items():
            self.carried.leave(
                0, f"{count} lines of {what}", "what was changed in them is not seen"
            )
        own = [name for name in self.carried.names if name != "localhost"]
        if self._masquerade is not None:
            line, domain = self._masquerade
            said = f"DM{domain}"
            for name in dict.fromkeys([self._macros.get("j", ""), *own]):
                if name and name != domain:
                    pair = f"@{name} @{domain}"
                    self.carried.add("routing", "senders", pair, line, said)
            self.carried.set("files", "origin", domain, line, said)
        elif own:
            self.carried.set("files", "origin", own[0], 0, "Cw")
        if ("files", "forward") in self.carried.chosen and (
            ("files", "origin") not in self.carried.chosen
        ):
            path = self.carried.chosen.pop(("files", "forward"))
            why = f"would be [files] forward = {path!r}, with the origin of users"
            self.carried.leave(0, "O ForwardPath", why)

    def _expanded(self, text: str) -> str:
        def value(found: re.Match[str]) -> str:
            return self._macros.get(found[1] or found[2], found[0])

        return _MACRO.sub(value, text)

    def macro(self, line: int, said: str) -> None:
        """``Dj``, ``DM``, ``DS``, ``Dn``."""
        name, value = _name(said)
        value = self._expanded(value.strip())
        self._macros[name] = value
        if name in ("w", "m", "Z") or not value:
            return
        if name == "j":
            self.carried.set("server", "host_name", value, line, said)
        elif name == "M":
            self._masquerade = line, value.lower()
        elif name == "S":
            self._smart_host(line, said, value)
        elif name == "n":
            why = "notifications come from the null sender, signed postmaster"
            self.carried.leave(line, said, why)
        else:
            self.carried.leave(line, said, "no setting of that kind")

    def _smart_host(self, line: int, said: str, value: str) -> None:
        mailer, colon, host = value.rpartition(":")
        if mailer.lower() not in ("", "smtp", "esmtp", "relay", "dsmtp"):
            self.carried.leave(line, said, f"no mailer {mailer!r} here")
            return
        if not host.startswith("["):
            self.carried.leave(line, said, "MX records of the host are not looked up")
        way = f"smtp://{host.strip('[]')}"
        self.carried.set("outbound", "smarthost", way, line, said)

    def class_(self, line: int, said: str) -> None:
        """``Cw``, ``CR``, ``CM``, ``Ct``."""
        name, value = _name(said)
        words = value.split()
        if name == "w":
            self.carried.names += [self._expanded(word).lower() for word in words]
        elif name == "R" and words:
            for word in words:
                self.carried.add("routing", "relay_domains", word.lower(), line, said)
        elif name == "M":
            for word in words:
                target = f"@{self._macros.get('M', word)}"
                pair = f"@{word.lower()} {target}"
                self.carried.add("routing", "senders", pair, line, said)
        elif name == "t":
            self._trusted(line, said, words)
        elif name not in _OWN_CLASSES:
            self.carried.leave(line, said, "no setting of that kind")

    def file(self, line: int, said: str) -> None:
        """``Fw``, ``FR-o``, ``Ft``."""
        name, value = _name(said)
        words = [word for word in value.split() if not word.startswith(("-", "%"))]
        keys = {"w": "local_host_names", "R": "relay_domains"}
        if name == "t":
            why = "its names may be in [local] trusted"
            self.carried.leave(line, said, why)
        elif name in keys and words and words[0].startswith("/"):
            self.carried.add("files", keys[name], words[0], line, said)
        else:
            self.carried.leave(line, said, "no setting of that kind")

    def trusted(self, line: int, said: str) -> None:
        """``Troot``."""
        self._trusted(line, said, said[1:].split())

    def _trusted(self, line: int, said: str, words: list[str]) -> None:
        """Who may send in anybody's name; root may in any case."""
        for word in words:
            if word != "root":
                self.carried.add("local", "trusted", word, line, said)

    def map(self, line: int, said: str) -> None:
        """``Kaccess``, ``Kvirtuser`` and others."""
        found = _MAP.fullmatch(said)
        if found is None or found[1] in _INTERNAL_MAPS:
            return
        words = [word for word in found[3].split() if not word.startswith("-")]
        key = _MAPS.get(found[1])
        if key is None or found[2] not in _TEXT_MAPS or not words:
            self.carried.leave(line, said, "no setting for a map of that kind")
            return
        self.carried.add("files", key, words[-1].removesuffix(".db"), line, said)

    def option(self, line: int, said: str) -> None:
        """``O Name=value``."""
        found = _OPTION.fullmatch(said)
        read = _OPTIONS.get(found[1].lower()) if found else None
        if found is None or read is None:
            self.carried.leave(line, said, "no setting of that kind")
        else:
            read(self.carried, line, said, self._expanded(found[2].strip()))

    def version(self, line: int, said: str) -> None:
        """``V10/Berkeley``: nothing is to be done."""


def _name(said: str) -> tuple[str, str]:
    """The name of a macro or class, and what is behind it."""
    found = _NAMED.fullmatch(said[1:])
    if found:
        return found[1], found[2]
    return said[1:2], said[2:]


_KINDS: dict[str, Callable[[_Reader, int, str], None]] = {
    "D": _Reader.macro, "C": _Reader.class_, "F": _Reader.file, "K": _Reader.map,
    "O": _Reader.option, "T": _Reader.trusted, "V": _Reader.version,
}  # fmt: skip


# Options.


def _aliases(carried: Carried, line: int, said: str, value: str) -> None:
    for each in value.split(","):
        kind, colon, path = each.strip().rpartition(":")
        path = path.split()[-1] if path else ""
        if path.startswith("/") and kind.split(" ")[0] in ("", *_TEXT_MAPS, "files"):
            carried.add("files", "aliases", path, line, said)
        else:
            carried.leave(line, said, f"no aliases from {each.strip()!r}")


def _message_size(carried: Carried, line: int, said: str, value: str) -> None:
    if value == "0":
        carried.leave(line, said, "without a limit a message could fill the memory")
    else:
        _whole("limits", "message_size")(carried, line, said, value)


def _forward(carried: Carried, line: int, said: str, value: str) -> None:
    paths = value.split(":")
    for path in paths:
        if "$" not in path.replace("$z/", "", 1).replace("$u", ""):
            chosen = path.replace("$z/", "~/", 1)
            carried.set("files", "forward", chosen, line, said)
            paths.remove(path)
            break
    if paths:
        carried.leave(line, said, f"one place only; not {', '.join(paths)}")


def _daemon(carried: Carried, line: int, said: str, value: str) -> None:
    """``Port=smtp,Addr=127.0.0.1,Family=inet,M=s``."""
    facts = {
        name.strip().lower()[:1]: what.strip()
        for name, _, what in (part.partition("=") for part in value.split(","))
    }
    port = _PORTS.get(facts.get("p", "smtp").lower(), facts.get("p", ""))
    if not (port.isascii() and port.isdigit() and len(port) < 6):
        carried.leave(line, said, f"not a known port: {port!r}")
        return
    is_six = facts.get("f", "inet").lower() == "inet6"
    host = facts.get("a") or ("::" if is_six else "0.0.0.0")
    host = host.removeprefix("IPv6:")
    modifiers = facts.get("m", "")
    service = {"587": "submission", "465": "submissions"}.get(port, "smtp")
    if "s" in modifiers:
        service = "submissions"
    elif "a" in modifiers:
        service = "submission"
    carried.add("listen", service, listening(host, int(port)), line, said)


_PORTS = {"smtp": "25", "submission": "587", "smtps": "465", "submissions": "465"}


def _span(table: str, key: str, usual: str) -> Callable[[Carried, int, str, str], None]:
    """Of an option with a time; the unit is *usual* where none is given."""

    def read(carried: Carried, line: int, said: str, value: str) -> None:
        found = _SPAN.fullmatch(value)
        if found is None:
            carried.leave(line, said, "not understood as a time")
            return
        number, unit = int(found[1][:9]), found[2] or usual
        text = f"{number * 7} d" if unit == "w" else f"{number} {_UNITS[unit]}"
        carried.set(table, key, text, line, said)

    return read


def _whole(
    table: str, key: str, factor: int = 1
) -> Callable[[Carried, int, str, str], None]:
    def read(carried: Carried, line: int, said: str, value: str) -> None:
        if value.isascii() and value.isdigit() and len(value) < 16:
            carried.set(table, key, int(value) * factor, line, said)
        else:
            carried.leave(line, said, "expected a number")

    return read


def _path(table: str, key: str) -> Callable[[Carried, int, str, str], None]:
    def read(carried: Carried, line: int, said: str, value: str) -> None:
        carried.set(table, key, value, line, said)

    return read


def _run_as(carried: Carried, line: int, said: str, value: str) -> None:
    user, _, group = value.partition(":")
    carried.set("server", "user", user, line, said)
    if group:
        carried.set("server", "group", group, line, said)


def _without(why: str) -> Callable[[Carried, int, str, str], None]:
    def read(carried: Carried, line: int, said: str, value: str) -> None:
        carried.leave(line, said, why)

    return read


_OPTIONS = {
    "aliasfile": _aliases,
    "maxmessagesize": _message_size,
    "forwardpath": _forward,
    "daemonportoptions": _daemon,
    "timeout.queuereturn": _span("queue", "lifetime", "d"),
    "timeout.queuewarn": _span("queue", "warn_after", "h"),
    "servercertfile": _path("tls", "certificate"),
    "serverkeyfile": _path("tls", "key"),
    "runasuser": _run_as,
    "maxrecipientspermessage": _whole("limits", "recipients"),
    "maxdaemonchildren": _whole("limits", "connections"),
    "minfreeblocks": _whole("limits", "free_space", 1024),
    "queuedirectory": _without("mail that waits is in the folder of [server] data"),
    "deliverymode": _without("mail is accepted when it is safe, and sent at once"),
    "supersafe": _without("mail is always safe on the disk before it is accepted"),
}
