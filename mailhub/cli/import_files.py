"""``mailhub import``: another server's configuration as one of ours."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser
from dataclasses import asdict

from ..config.faults import ConfigError
from ..config.loading import Known, load
from ..config.text import commented
from .import_notes import Carried
from .import_postfix import import_postfix
from .import_sendmail import import_sendmail
from .invocation import Invocation
from .new_file import write_new
from .outcome import Exit, Failure, Result

#: A configuration is some thousand lines; reading a disk by mistake is stopped.
LARGEST_FILE = 4 << 20
_KINDS = {"sendmail": import_sendmail, "postfix": import_postfix}
_SOURCE_OF_SENDMAIL = re.compile(r"^(?:divert|dnl|define|include|FEATURE)\b", re.M)
_SENDMAIL = re.compile(r"^(?:V\d+|O [A-Za-z.]+ *=|D[jwM]|[CF]w|K\w+ |R\S+\t)", re.M)
_PREFIX = re.compile(r"^(?:connect|from|to):")
_POSTFIX = re.compile(r"^[a-z][a-z0-9_]+ *=", re.M)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="sendmail.cf or main.cf")
    parser.add_argument(
        "--from",
        dest="kind",
        choices=tuple(_KINDS),
        help="whose it is, if that is not seen from it",
    )
    parser.add_argument(
        "--output", metavar="PATH", help="write it there, with what belongs beside it"
    )
    parser.set_defaults(run=convert)


def convert(invocation: Invocation) -> Result:
    """JSON: ``{"config": PATH or null, "beside": [PATH], "text": TOML, "left":
    [{"line", "said", "why"}]}``; ``line`` is 0 where no single one is meant."""
    options, folder = invocation.options, invocation.terminal.folder
    source = os.path.join(folder, options.file)
    text = _text_of(source)
    carried = _KINDS[options.kind or _kind_of(text, source)](text)
    _drop_missing(carried)
    output = options.output and os.path.join(folder, options.output)
    beside = _beside(carried, output)
    place = os.path.dirname(output) if output else folder
    _drop_contradictions(carried, place)
    wanted = '[local] drop = "/var/spool/mailhub", a folder that the server can make'
    carried.leave(0, "sendmail for all users of the machine", f"wants {wanted}")
    values = carried.values(place)
    made = _opening(source) + commented(values) + _ending(carried)
    left = [asdict(each) for each in carried.left]
    data = {"config": output, "beside": list(beside), "text": made, "left": left}
    if not output:
        return Result(data, made.rstrip("\n"))
    for path in (output, *beside):
        if os.path.lexists(path):
            raise Failure(Exit.CANNOT_CREATE, f"{path} is there already")
    for path, lines in beside.items():
        write_new(path, "".join(f"{line}\n" for line in lines))
    write_new(output, made)
    told = [f"wrote {path}" for path in (output, *beside)]
    told.append(f"{len(values)} settings; {len(left)} without one, listed at its end")
    return Result(data, "\n".join(told))


def _text_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Failure(Exit.NO_INPUT, f"{path}: {error.strerror}") from None
    if len(data) > LARGEST_FILE:
        raise Failure(Exit.DATA_WRONG, f"{path}: more than {LARGEST_FILE} octets")
    # Comments may be in any character set, and settings are ASCII.
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _kind_of(text: str, path: str) -> str:
    if _SOURCE_OF_SENDMAIL.search(text):
        how = "make sendmail.cf of it first: m4 sendmail.mc > sendmail.cf"
        raise Failure(Exit.DATA_WRONG, f"{path}: {how}")
    if _SENDMAIL.search(text):
        return "sendmail"
    if _POSTFIX.search(text):
        return "postfix"
    raise Failure(Exit.DATA_WRONG, f"{path}: neither a sendmail.cf nor a main.cf")


def _drop_missing(carried: Carried) -> None:
    """Leave files out that are not there: mail would wait for them."""
    for (table, key), paths in list(carried.chosen.items()):
        if table != "files" or not isinstance(paths, list):
            continue
        there = [path for path in paths if os.path.exists(_PREFIX.sub("", path))]
        for path in paths:
            if path not in there:
                carried.leave(0, f"{key} in {path}", "there is no such file")
        carried.chosen[table, key] = there
        if not there:
            del carried.chosen[table, key]


def _drop_contradictions(carried: Carried, folder: str) -> None:
    """Leave out what is right by itself, but not together with the rest."""
    while True:
        text = commented(carried.values(folder))
        known = Known(os.path.join(folder, "mailhub.toml"), text)
        try:
            load(environ={}, folder=folder, known=known)
        except ConfigError as error:
            for fault in error.faults:
                value = carried.chosen.pop((fault.table, fault.key))
                said = f"[{fault.table}] {fault.key} = {value}"
                carried.leave(0, said, fault.expected)
            continue
        return


def _beside(carried: Carried, output: str | None) -> dict[str, list[str]]:
    """Files that the settings need, by their paths; named in the settings.

    Without a place for them what would be in them is left.
    """
    files: dict[str, list[str]] = {}
    for key, name, lines in (
        ("local_host_names", "local-host-names", carried.names),
        ("relay_domains", "relay-networks", carried.networks),
    ):
        lines = list(dict.fromkeys(line for line in lines if line))
        for line in (line for line in lines if "$" in line):
            carried.leave(0, line, "not understood as a name")
        lines = [line for line in lines if "$" not in line]
        if not lines:
            continue
        if output is None:
            why = f"belong into a file of [files] {key}, a line each"
            carried.leave(0, ", ".join(lines), why)
            continue
        path = f"{os.path.splitext(output)[0]}.{name}"
        files[path] = lines
        carried.add("files", key, path, 0, name)
    return files


def _opening(source: str) -> str:
    return (
        f"# Made from {_one_line(source)}.  What that says and mailhub has no setting\n"
        "# for stands at the end.\n#\n"
    )


def _ending(carried: Carried) -> str:
    lines = ["", "", "# Not carried over:"]
    for each in carried.left:
        place = f"line {each.line}: " if each.line else ""
        lines += ["#", f"# {place}{_one_line(each.said)}"]
        lines.append(f"#     {_one_line(each.why)}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """*text* without what would end a comment."""
    return "".join(c if c.isprintable() else " " for c in text)
