"""``postqueue`` and ``mailq``: show the queue, and have it tried.

::

    postqueue -p | -j | -f | -i ID | -s SITE
"""

from __future__ import annotations

from collections.abc import Sequence
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
            for message in messages(invocation):
                invocation.terminal.stdout.write(f"{json_line(message)}\n")
        case "f":
            flush(invocation)
        case "i":
            flush(invocation, queue_ids=[value])
        case "s":
            flush(invocation, destination=value.lower())


def mailq(invocation: Invocation, arguments: Sequence[str]) -> None:
    """``mailq``; ``-Ac`` asks for a queue of submissions, which is the same here."""
    letters = dict.fromkeys("v", Takes.NOTHING) | dict.fromkeys("ACOoq", Takes.VALUE)
    read(arguments, letters)
    show(invocation)


def show(invocation: Invocation) -> None:
    """The listing."""
    for line in listing(messages(invocation)):
        invocation.terminal.stdout.write(f"{line}\n")


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
