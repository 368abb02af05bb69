"""From file, environment and options to a :class:`Config`, or to all its faults."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .faults import ConfigError, Fault, advice, shown
from .kinds import Kind, ListOf, Unfit, quoted
from .location import Lines
from .schema import TABLES
from .settings import PORTS, Call, Config, Origin

#: Names the configuration file where no option does.
FILE_VARIABLE = "MAILHUB_CONFIG"
#: Looked for in this order where neither an option nor the variable names a file.
USUAL_FILES = ("mailhub.toml", "/etc/mailhub/mailhub.toml")
#: A configuration is some hundred lines; reading a disk by mistake is stopped.
LARGEST_FILE = 1 << 20
#: ``MAILHUB_<TABLE>__<KEY>`` overrides one setting.
_OVERRIDE = re.compile(r"MAILHUB_([A-Z0-9]+)__([A-Z0-9_]+)")
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")


@dataclass(frozen=True, slots=True)
class Known:
    """A configuration file that was found.

    :ivar path: ``None`` where there is none.
    :ivar text: what it says; ``None`` if that was not read.
    """

    path: str | None
    text: str | None = None


def find(option: str | None, environ: Mapping[str, str], folder: str) -> str | None:
    """The configuration file that counts for a program started in *folder*.

    The server and the ``mailhub`` command both ask here: the option, then
    ``MAILHUB_CONFIG``, then ``mailhub.toml`` in *folder*, then the one in ``/etc``;
    ``None`` where there is none, and all settings are defaults.
    """
    named = option or environ.get(FILE_VARIABLE)
    if named:
        return os.path.join(folder, named)
    for usual in USUAL_FILES:
        path = os.path.join(folder, usual)
        if os.path.exists(path):
            return path
    return None


def load(
    option: str | None = None,
    *,
    data: str | None = None,
    workers: str | None = None,
    environ: Mapping[str, str],
    folder: str,
    known: Known | None = None,
) -> Config:
    """The settings for a program started in *folder*.

    Relative paths in a file begin at that file's folder, others at *folder*.

    :param option: the configuration file that was asked for, if one was.
    :param data: the data folder that was asked for, if one was.
    :param workers: the number of processes that was asked for, likewise.
    :param known: what another process has found and read already.
    :raises ConfigError: with every fault that was found.
    """
    folder = os.path.abspath(folder)
    call = Call(option, data, workers, _ours(environ), folder)
    if known is None:
        known = Known(find(option, environ, folder))
    reading = _Reading()
    if known.path is not None:
        reading.file(known.path, known.text)
    reading.environment(environ, folder)
    if data is not None:
        reading.option("--data", "server", "data", data, folder)
    if workers is not None:
        reading.option("--workers", "server", "workers", workers, folder)
    return replace(reading.config(known.path, folder), call=call)


def load_again(config: Config, known: Known | None = None) -> Config:
    """What :func:`load` makes of the same call now.

    :param config: from :func:`load`.
    :raises ConfigError: with every fault that was found.
    """
    call = config.call
    if call is None:
        raise ValueError("these settings were not read from anywhere")
    return load(
        call.option,
        data=call.data,
        workers=call.workers,
        environ=call.environ,
        folder=call.folder,
        known=known,
    )


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter here; no others are kept."""
    return {
        name: value
        for name, value in environ.items()
        if name == FILE_VARIABLE or _OVERRIDE.fullmatch(name)
    }


class _Reading:
    """The values and faults found so far."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
        self._origins: dict[tuple[str, str], Origin] = {}
        self._faults: list[Fault] = []
        self._text = ""
        self._is_read = True

    def config(self, path: str | None, folder: str) -> Config:
        """What was read, once all of it is right.

        :raises ConfigError: it is not.
        """
        is_given = "data" in self._values["server"]
        if not is_given:
            base = folder if path is None else os.path.dirname(path)
            data = os.path.join(base, TABLES["server"].default("data"))
            self._values["server"]["data"] = os.path.normpath(data)
        config = Config(
            **{name: TABLES[name].holder(**self._values[name]) for name in TABLES},
            source=path,
            text=self._text,
            origins=self._origins,
        )
        wrong = {(fault.table, fault.key) for fault in self._faults}
        for table, key, expected in _contradictions(config):
            if (table, key) not in wrong:
                self._faults.append(config.fault(table, key, expected))
        if self._faults:
            faults = sorted(self._faults, key=lambda fault: fault.line or 0)
            is_known = is_given or self._is_read and ("server", "data") not in wrong
            raise ConfigError(faults, config.server.data if is_known else None)
        return config

    def file(self, path: str, text: str | None) -> None:
        """Take the settings of the file at *path*, which says *text*."""
        try:
            if text is None:
                text = _text_of(path)
            self._text = text
            document = tomllib.loads(text)
        except OSError as error:
            self._refuse(path, None, f"cannot be read: {error.strerror}")
        except _Unreadable as error:
            self._refuse(path, error.line, error.expected)
        except tomllib.TOMLDecodeError as error:
            self._refuse(path, *_syntax_fault(self._text, str(error)))
        except RecursionError:
            self._refuse(path, 1, "expected TOML: too deeply nested")
        else:
            self._document(document, path, Lines(text))

    def _refuse(self, path: str, line: int | None, expected: str) -> None:
        self._is_read = False
        self._faults.append(Fault(path, line, "", "", "", expected))

    def _document(self, document: dict[str, Any], path: str, lines: Lines) -> None:
        folder = os.path.dirname(path)
        for name, content in document.items():
            known = name in TABLES
            if known and isinstance(content, dict):
                for key, value in content.items():
                    self._setting(path, lines, name, key, value, folder)
                continue
            line = lines.of((name,))
            if known:
                fault = Fault(path, line, name, "", "", "expected a table of settings")
            elif isinstance(content, dict):
                fault = Fault(
                    path, line, name, "", "", "no such table" + advice(name, TABLES)
                )
            else:
                fault = Fault(path, line, "", name, shown(content), _home_of(name))
            self._faults.append(fault)

    def _setting(
        self,
        path: str,
        lines: Lines,
        table: str,
        key: str,
        value: object,
        folder: str,
    ) -> None:
        line = lines.of((table, key))
        setting = TABLES[table].settings.get(key)
        if setting is None:
            self._faults.append(_unknown(path, line, table, key, shown(value)))
            return
        self._origins[table, key] = Origin(path, line, shown(value))
        misfits = list(_misfits(setting.kind, value, folder))
        if not misfits:
            self._values[table][key] = setting.kind.read(value, folder)
        for position, expected in misfits:
            part, place = value, (table, key)
            if position is not None and isinstance(value, list):
                part, line = value[position], lines.of((*place, position))
            self._faults.append(Fault(path, line, table, key, shown(part), expected))

    def environment(self, environ: Mapping[str, str], folder: str) -> None:
        """Take ``MAILHUB_<TABLE>__<KEY>`` variables; they win over the file."""
        for variable in sorted(environ):
            match = _OVERRIDE.fullmatch(variable)
            if match is not None:
                table, key = match[1].lower(), match[2].lower()
                self.option(variable, table, key, environ[variable], folder)

    def option(self, origin: str, table: str, key: str, text: str, folder: str) -> None:
        """Take one setting from outside the file, where all is text."""
        value = quoted(text)
        if table not in TABLES:
            expected = "no such table" + advice(table, TABLES)
            self._faults.append(Fault(origin, None, table, "", "", expected))
            return
        if key not in TABLES[table].settings:
            self._faults.append(_unknown(origin, None, table, key, value))
            return
        kind = TABLES[table].settings[key].kind
        self._origins[table, key] = Origin(origin, None, value)
        self._faults = [f for f in self._faults if (f.table, f.key) != (table, key)]
        expected = ""
        for meaning in _meanings(kind, text):
            misfits = list(_misfits(kind, meaning, folder))
            if not misfits:
                self._values[table][key] = kind.read(meaning, folder)
                return
            expected = misfits[0][1]
        self._faults.append(Fault(origin, None, table, key, value, expected))


class _Unreadable(Exception):
    """A file that cannot be a configuration."""

    def __init__(self, line: int, expected: str) -> None:
        super().__init__(expected)
        self.line = line
        self.expected = expected


def _text_of(path: str) -> str:
    with open(path, "rb") as file:
        octets = file.read(LARGEST_FILE + 1)
    if len(octets) > LARGEST_FILE:
        raise _Unreadable(1, "expected a file of 1 MiB at most")
    try:
        return octets.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise _Unreadable(line, "expected text in UTF-8") from None


def _syntax_fault(text: str, message: str) -> tuple[int, str]:
    """Line and text of what :mod:`tomllib` says."""
    match = _TOML_PLACE.search(message)
    reason = message[: match.start()] if match else message
    if match is None or match[1] is None:  # at the end of the document
        return text.rstrip().count("\n") + 1, f"expected TOML: {reason}"
    return int(match[1]), f"expected TOML: {reason}, column {match[2]}"


def _unknown(origin: str, line: int | None, table: str, key: str, value: str) -> Fault:
    known = TABLES[table].settings
    expected = "no such setting" + advice(key, known)
    if expected.endswith("setting"):
        homes = [name for name in TABLES if key in TABLES[name].settings]
        expected += f"; did you mean [{homes[0]}] {key}?" if homes else ""
    return Fault(origin, line, table, key, value, expected)


def _home_of(key: str) -> str:
    """What to say about a setting that stands before any table."""
    homes = [name for name in TABLES if key in TABLES[name].settings]
    table = f"[{homes[0]}]" if homes else "[table]"
    return f"expected {table} on a line before it"


def _misfits(
    kind: Kind, value: object, folder: str
) -> Iterator[tuple[int | None, str]]:
    """What is wrong with *value*: all bad members of a list, by position."""
    if isinstance(kind, ListOf) and isinstance(value, list) and value:
        for position, member in enumerate(value):
            for _, expected in _misfits(kind.member, member, folder):
                yield position, expected
        return
    try:
        kind.read(value, folder)
    except Unfit as unfit:
        yield None, str(unfit)


def _meanings(kind: Kind, text: str) -> Iterator[object]:
    """What *text* from the environment may stand for: TOML, or plain text."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        document = {}
    if len(document) == 1:
        yield document["value"]
    yield text.replace(",", " ").split() if isinstance(kind, ListOf) else text


def _contradictions(config: Config) -> Iterator[tuple[str, str, str]]:
    """Settings that are right one by one, but not together: table, key, why."""
    tls = config.tls
    if tls.certificate and not tls.key:
        yield "tls", "certificate", "expected a key beside it"
    if tls.key and not tls.certificate:
        yield "tls", "key", "expected a certificate beside it"
    if config.files.forward and not config.files.origin:
        yield "files", "forward", "expected an origin beside it"
    taken: dict[str, str] = {}
    for service in PORTS:
        for endpoint in config.listen.endpoints(service):
            place = str(endpoint)
            other = taken.get(place)
            taken[place] = service
            if other is None or place.endswith(":0"):  # 0: any free port
                continue
            chosen = getattr(config.listen, service) is not None
            key, rival = (service, other) if chosen else (other, service)
            yield "listen", key, f"expected {place} once, but {rival} uses it, too"
