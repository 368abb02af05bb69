"""A decision explained, for people and programs."""

from __future__ import annotations

from typing import Any

from ..errors import MailError
from ..mail.address import Address, format_mailbox, parse_mailbox
from ..smtp.replies import reply_for
from .decision import Decision, Departure, Outcome
from .router import Router


async def explain(
    router: Router, address: Address, sender: Address | None = None
) -> dict[str, Any]:
    """Where mail for *address* goes, and why, as JSON can carry it.

    Nothing is sent, and no check is asked.  ``steps``: how the decision came about,
    each with ``address`` and ``found``; ``outcome`` and its ``meaning``;
    ``mailboxes``: of which ``user`` and ``mailbox``; ``leaves``: ``recipient``,
    ``destination``, ``sender`` (``null``: the message's own) and ``via``; ``hold``;
    ``strangers`` and ``users``: what a client that has not logged in, or that has, is
    told at RCPT, ``null`` where it is accepted.

    :param sender: the reverse-path that mail would have; ``None`` for none.
    :raises LocalFault: nobody can tell now.
    """
    decision = await router.resolve(address)
    steps = [(step.address, step.found) for step in decision.steps]
    if sender is not None:
        rewritten = await router.sender(sender)
        if rewritten != sender:
            found = f"as the sender, rewritten to {rewritten}"
            steps.insert(0, (str(sender), found))
        sender = rewritten
    users = {account.account_id: account.address for account in decision.accounts}
    refusal = decision.objection()
    return {
        "address": decision.address,
        "outcome": decision.outcome.name.lower(),
        "meaning": decision.outcome.value,
        "steps": [{"address": address, "found": found} for address, found in steps],
        "mailboxes": [
            {"user": users[target.account_id], "mailbox": target.mailbox}
            for target in decision.targets
        ],
        "leaves": [
            await _described(router, departure, sender)
            for departure in decision.departures
        ],
        "hold": decision.hold,
        "strangers": _told(refusal),
        "users": _told(None if _is_elsewhere(decision) else refusal),
    }


def _is_elsewhere(decision: Decision) -> bool:
    return decision.outcome is Outcome.ELSEWHERE


async def _described(
    router: Router, departure: Departure, sender: Address | None
) -> dict[str, Any]:
    used = departure.owner
    if sender is not None:
        used = await router.forwarder(sender, departure)
        if used == format_mailbox(sender).decode():
            used = None
    return {
        "recipient": departure.recipient,
        "destination": departure.destination,
        "sender": used,
        "via": list(departure.via),
    }


def _told(error: MailError | None) -> str | None:
    return None if error is None else reply_for(error).wire.decode().rstrip()


async def trace(router: Router, address: str, sender: str) -> dict[str, Any]:
    """The same for addresses as text; ``""`` is the null sender.

    :raises MalformedAddress: one of them is none.
    """
    return await explain(
        router,
        parse_mailbox(address.encode(), smtputf8=True),
        parse_mailbox(sender.encode(), smtputf8=True) if sender else None,
    )
