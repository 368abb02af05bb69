"""``postqueue`` and ``mailq``: show the queue, and have it tried.

::

    postqueue -p | -j | -f | -i ID | -s SITE
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from ..invocation import Invocation
from ..outcome import Exit, Failure
from ..queue_access import messages, perform
from ..queue_text import json_line, listing
from .options import Takes, read

_USAGE = "postqueue -f | -i ID | -j | -p | -s SITE"
_LETTERS = dict.fromkeys("fjpv", Takes.NOTHING) | dict.fromkeys("cis", Takes.VALUE)


def main(invocation: Invocation, arguments: Sequence[str]) -> None:
    """
    :raises Failure: nothing was asked for, or it was not done.
    """
    options, others = read(arguments, _LETTERS)
    wanted = [(letter, value) for letter, value in options if letter not in "cv"]
    if len(wanted) != 1 or others:
        raise Failure(Exit.USAGE, f"usage: {_USAGE}")
    [(letter, value)] = wanted
    match letter:
        case "p":
            show(invocation)
        case "j":
            for message in chain(messages(invocation), left(invocation)):
                invocation.terminal.stdout.write(f"{json_line(message)}\n")
        case "f":
            flush(invocation)
        case "i":
            flush(invocation, queue_ids=[value])
        case "s":
            flush(invocation, destination=value.lower())


def show(
    invocation: Invocation,
    selection: dict[str, Any] | None = None,
    *,
    left_only: bool = False,
) -> None:
    """The listing.

    :param selection: of what is in the queue.
    :param left_only: only what users have left that the server has not taken yet.
    """
    found = left(invocation)
    if not left_only:
        queued = messages(invocation, selection)
        found = queued if selection else chain(queued, found)
    for line in listing(found):
        invocation.terminal.stdout.write(f"{line}\n")


def left(invocation: Invocation) -> Iterator[dict[str, Any]]:
    """What users have left in the folder of ``[local] drop``, as messages are told of.

    :raises OSError: it is not for this user to look.
    """
    config = invocation.config()
    if not os.path.isdir(config.local.drop):
        return
    from ...assembly.left_mail import DropFolder  # others do without
    from ...mail.address import format_mailbox
    from ...net.spool import Spool

    folder = DropFolder(config.local.drop, Spool, config.limits.message_size)
    for waiting, size, batch in folder.listed():
        sender = "" if batch.sender is None else format_mailbox(batch.sender).decode()
        addresses = [format_mailbox(each).decode() for each in batch.recipients]
        yield {
            "id": waiting.name, "arrived": waiting.left, "size": size,
            "sender": sender,
            "recipients": [
                {"address": address, "state": "maildrop", "hold": "", "reply": ""}
                for address in addresses
            ],
        }  # fmt: skip


def flush(invocation: Invocation, **selection: Any) -> int:
    """Have what is selected, and not held, tried now.  -> the number of recipients

    :raises Failure: a message that was named is not there.
    """
    chosen = {"held": False, **selection}
    answer = perform(
        invocation, "change", selection=chosen, alteration={"retry": True}
    )
    if "queue_ids" in selection and not answer["changed"]:
        [queue_id] = selection["queue_ids"]
        raise Failure(Exit.UNAVAILABLE, f"no message {queue_id} waits in the queue")
    changed: int = answer["changed"]
    return changed
