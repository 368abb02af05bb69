"""The queue as people and programs have read it for decades.

The listing is Postfix's: one line for a message, with its sender; below it each reason
why recipients still wait, in brackets, and these recipients.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

#: Up to so many characters of a queue id the narrow layout is used.
_NARROW = 11
_ROW = {True: "%-11s %7s %-20s %s", False: "%-17s %8s %-19s %s"}
_HEADING = {
    True: (
        "-Queue ID-", "--Size--", "----Arrival Time----", "-Sender/Recipient-------"
    ),
    False: (
        "----Queue ID-----", "--Size--", "---Arrival Time----",
        "--Sender/Recipient------",
    ),
}  # fmt: skip
#: Where recipients begin, and where reasons end.
_INDENT = {True: 41, False: 47}
_EDGE = 78
_MARKS = {"active": "*", "hold": "!"}
NULL_SENDER = "MAILER-DAEMON"
EMPTY = "Mail queue is empty"

Message = dict[str, Any]


def state_of(message: Message) -> str:
    """Of a message: of all its recipients, the state that tells most."""
    states = {each["state"] for each in message["recipients"]}
    ranking = ("active", "incoming", "deferred", "hold", "maildrop")
    return next((state for state in ranking if state in states), "incoming")


def listing(messages: Iterable[Message]) -> Iterator[str]:
    """Lines; the first appear before the last messages are known."""
    narrow, octets, count = True, 0, 0
    for message in messages:
        if not count:
            narrow = len(message["id"]) <= _NARROW
            yield _ROW[narrow] % _HEADING[narrow]
        yield from _lines(message, narrow)
        yield ""
        octets += message["size"]
        count += 1
    if not count:
        yield EMPTY
    else:
        requests = "Request" if count == 1 else "Requests"
        yield f"-- {octets // 1024} Kbytes in {count} {requests}."


def _lines(message: Message, narrow: bool) -> Iterator[str]:
    arrived = time.strftime("%a %b %e %H:%M:%S", time.localtime(message["arrived"]))
    name = message["id"] + _MARKS.get(state_of(message), "")
    sender = printable(message["sender"]) or NULL_SENDER
    yield _ROW[narrow] % (name, message["size"], arrived, sender)
    indent = _INDENT[narrow]
    for reason, recipients in groupby(message["recipients"], reason_of):
        if reason:
            yield f"{f'({reason})':>{_EDGE}}"
        for recipient in recipients:
            yield f"{'':{indent}}{printable(recipient['address'])}"


def reason_of(recipient: dict[str, Any]) -> str:
    """Why a recipient still waits; ``""`` before the first attempt."""
    return printable(recipient["hold"] or recipient["reply"])


def printable(text: str) -> str:
    """*text* as part of a line (attack: a server whose reply has lines of its own, or
    commands for the terminal of who looks)."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "?" for each in text)


def json_line(message: Message) -> str:
    """A message as an object on a line, with the names that Postfix has for it."""
    found = {
        "queue_name": state_of(message),
        "queue_id": message["id"],
        "arrival_time": int(message["arrived"]),
        "message_size": message["size"],
        "forced_expire": False,
        "sender": message["sender"],
        "recipients": [_json(recipient) for recipient in message["recipients"]],
    }
    return json.dumps(found)


def _json(recipient: dict[str, Any]) -> dict[str, str]:
    reason = reason_of(recipient)
    found = {"address": recipient["address"]}
    return {**found, "delay_reason": reason} if reason else found
