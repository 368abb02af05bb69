"""``mailhub queue``: mail that waits to go out."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from typing import Any

from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Exit, Failure, Result
from .queue_access import messages, octets, perform
from .queue_text import listing, reason_of
from .running import columns, lasted
from .trace import decided, written_address

_DAY = 86_400.0
#: Ages in ``stats``, in seconds.
_AGES = (300.0, 3_600.0, 14_400.0, _DAY)
#: Octets of a header that ``show`` looks for.
_MAX_HEADER = 1 << 20


def add_arguments(parser: ArgumentParser) -> None:
    actions = add_actions(parser)
    action = add_action(actions, "list", list_all, "show what waits")
    _add_selection(action)
    action = add_action(actions, "show", show, "show a message and its recipients")
    action.add_argument("id", metavar="ID")
    action.add_argument("--header", action="store_true", help="its header only")
    action.add_argument("--body", action="store_true", help="all of its octets")
    add_action(actions, "flush", flush, "try all that is not held, now")
    for name, run, text in _CHANGES:
        _add_selection(add_action(actions, name, run, text), required=True)
        if name == "hold":
            actions.choices[name].add_argument(
                "--reason", default="held by the administrator"
            )
    action = add_action(actions, "edit", edit, "change messages that wait")
    _add_selection(action, required=True)
    action.add_argument("--new-sender", metavar="ADDRESS", help='"" is nobody')
    action.add_argument("--new-recipient", metavar="ADDRESS")
    action.add_argument("--new-destination", metavar="DOMAIN")
    action.add_argument("--priority", type=int, choices=range(-9, 10), metavar="N")
    action.add_argument("--days", type=float, help="how long from now they may wait")
    add_action(actions, "stats", stats, "show how much waits for whom")


def _add_selection(parser: ArgumentParser, *, required: bool = False) -> None:
    parser.add_argument("ids", metavar="ID", nargs="*", help="of a message")
    if required:
        parser.add_argument("--all", action="store_true", help="whatever there is")
    parser.add_argument("--sender", metavar="ADDRESS", help='"" is the null sender')
    parser.add_argument("--recipient", metavar="ADDRESS")
    parser.add_argument("--destination", metavar="DOMAIN")
    parser.add_argument("--held", action="store_true", default=None)
    parser.add_argument("--deferred", action="store_true", default=None)


def _selection(options: Namespace) -> dict[str, Any]:
    names = ("sender", "recipient", "destination", "held", "deferred")
    chosen = {name: getattr(options, name) for name in names}
    found = {name: value for name, value in chosen.items() if value is not None}
    if "destination" in found:
        found["destination"] = found["destination"].lower()
    if options.ids:
        found["queue_ids"] = options.ids
    return found


def list_all(invocation: Invocation) -> Result:
    """JSON: ``{"messages": [...]}``, see :mod:`mailhub.admin.queue_work`."""
    found = list(messages(invocation, _selection(invocation.options)))
    return Result({"messages": found}, "\n".join(listing(found)))


def show(invocation: Invocation) -> Result:
    """JSON: the message; with ``--header`` or ``--body`` the octets as they are."""
    options = invocation.options
    found = list(messages(invocation, {"queue_ids": [options.id]}))
    if not found:
        text = f"there is no message {options.id} in the queue"
        raise Failure(Exit.UNAVAILABLE, text)
    if options.body or options.header:
        _write(invocation, options.id, header_only=not options.body)
        return Result({}, "")
    return Result(found[0], "\n".join(_described(found[0])))


def _write(invocation: Invocation, queue_id: str, *, header_only: bool) -> None:
    out = getattr(invocation.terminal.stdout, "buffer", sys.stdout.buffer)
    header = b""
    for piece in octets(invocation, queue_id):
        if not header_only:
            out.write(piece)
            continue
        header += piece
        end = header.find(b"\r\n\r\n")
        if end >= 0 or len(header) > _MAX_HEADER:
            out.write(header[: end + 2])
            break
    out.flush()


def _described(message: dict[str, Any]) -> list[str]:
    now = time.time()
    lines = [
        f"message     {message['id']}, {message['size']} octets",
        f"sender      <{message['sender']}>",
        f"arrived     {lasted(now - message['arrived'])} ago",
        f"goes back   in {lasted(max(0.0, message['expires'] - now))}",
        "",
    ]
    rows: list[tuple[object, ...]] = [
        ("recipient", "by way of", "state", "tried", "next", "what was said")
    ]
    for each in message["recipients"]:
        due = each["due"] - now
        when = "-" if each["state"] in ("active", "hold") else lasted(max(0.0, due))
        rows.append(
            (
                each["address"], each["destination"], each["state"],
                each["attempts"], when, reason_of(each),
            )
        )  # fmt: skip
    return lines + columns(rows)


def flush(invocation: Invocation) -> Result:
    """JSON: ``{"changed": RECIPIENTS, "messages": []}``."""
    data = _change(invocation, {"held": False}, retry=True)
    is_or_are = "is" if data["changed"] == 1 else "are"
    return Result(data, f"{_counted(data)} {is_or_are} tried now")


def retry(invocation: Invocation) -> Result:
    """JSON: ``{"changed": RECIPIENTS, "messages": [ID, ...]}``; likewise below."""
    return _changed(invocation, "tried now", retry=True)


def hold(invocation: Invocation) -> Result:
    """Until they are released."""
    return _changed(invocation, "held", hold=invocation.options.reason)


def release(invocation: Invocation) -> Result:
    """They go on waiting for their next attempt, which may be now."""
    return _changed(invocation, "released", hold="")


def delete(invocation: Invocation) -> Result:
    """Nobody is told."""
    return _changed(invocation, "deleted", delete=True)


def edit(invocation: Invocation) -> Result:
    """Sender, recipient, destination, priority, or how long they may wait."""
    options = invocation.options
    expires = None if options.days is None else time.time() + options.days * _DAY
    given = {"sender": options.new_sender, "recipient": None, "destination": None}
    if options.new_sender:
        given["sender"] = written_address(options.new_sender)
    if options.new_recipient is not None:
        given["recipient"] = written_address(options.new_recipient)
    if options.new_destination is not None:
        given["destination"] = _destination(options.new_destination)
    elif given["recipient"] is not None:
        given |= _place_of(invocation, given["recipient"])
    given |= {"priority": options.priority, "expires": expires}
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise Failure(Exit.USAGE, "nothing is to be changed")
    return _changed(invocation, "changed", **changes)


def _destination(text: str) -> str:
    """A domain, an address literal, or a way out.

    :raises Failure: it is none of them.
    """
    from ..errors import MailError
    from ..mail.address import ascii_domain, parse_domain
    from ..mail.routes import is_way, parse_route

    try:
        if is_way(text):
            parse_route(text)
            return text
        return ascii_domain(parse_domain(text.encode(), smtputf8=True)).lower()
    except (MailError, UnicodeEncodeError) as error:
        raise Failure(Exit.DATA_WRONG, f"{text!r} is no destination: {error}") from None


def _place_of(invocation: Invocation, address: str) -> dict[str, Any]:
    """Where a recipient's mail goes who was not thought of before.

    :raises Failure: to no place, or to several.
    """
    decision = decided(invocation.config(), address)
    match decision["leaves"], decision["mailboxes"]:
        case [one], []:
            return {"recipient": one["recipient"], "destination": one["destination"]}
        case [], [_, *_]:
            return {"destination": f"local:{_destination(address.rpartition('@')[2])}"}
    text = f"{address} does not lead to one place: {decision['meaning']}"
    raise Failure(Exit.DATA_WRONG, text)


def _changed(invocation: Invocation, participle: str, **alteration: Any) -> Result:
    options = invocation.options
    selection = _selection(options)
    if not selection and not options.all:
        raise Failure(Exit.USAGE, "name messages, conditions, or --all")
    data = _change(invocation, selection, **alteration)
    if options.ids and not data["changed"]:
        text = f"no such message in the queue: {', '.join(options.ids)}"
        raise Failure(Exit.UNAVAILABLE, text)
    return Result(data, f"{_counted(data)} {participle}")


def _counted(data: dict[str, Any]) -> str:
    return f"{data['changed']} recipient{'' if data['changed'] == 1 else 's'}"


def _change(
    invocation: Invocation, selection: dict[str, Any], **alteration: Any
) -> dict[str, Any]:
    return perform(invocation, "change", selection=selection, alteration=alteration)


def stats(invocation: Invocation) -> Result:
    """JSON: ``bounds`` in seconds and ``destinations``, with a count for each bound
    and one for what is older.
    """
    data = perform(invocation, "ages", bounds=list(_AGES))
    heads = [f"< {lasted(age)}" for age in _AGES] + [f"> {lasted(_AGES[-1])}"]
    rows: list[list[object]] = [["destination", "all", *heads]]
    every = [row["counts"] for row in data["destinations"]]
    totals = [sum(column) for column in zip(*every, strict=True)] or [0] * len(heads)
    rows.append(["(all)", sum(totals), *totals])
    for row in sorted(data["destinations"], key=lambda row: -sum(row["counts"])):
        rows.append([row["destination"], sum(row["counts"]), *row["counts"]])
    return Result(data, "\n".join(columns(rows)))


_CHANGES = (
    ("retry", retry, "try messages now"),
    ("hold", hold, "keep messages back until they are released"),
    ("release", release, "let messages go that were held"),
    ("delete", delete, "remove messages, without a notification"),
)
