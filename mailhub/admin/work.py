"""What the ``mailhub`` command does with users, domains, aliases and forwards.

A piece of work is a coroutine function of an ``IDirectory`` and details that JSON can
carry; it waits for nothing but the directory.  Its answer is what ``--json`` shows.
Names are canonical by now, and passwords are ``{SCHEME}`` hashes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..errors import NotPermitted
from ..mail.account import Account, Forward
from ..routing.targets import Mail, Program, parse_target
from .outcome import Exit, Failure

Details = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece.

    :ivar changes: whether it changes anything, all of which has to become durable
        together.
    """

    do: Callable[[Any, Details], Awaitable[Details]]
    changes: bool


async def add_users(directory: Any, details: Details) -> Details:
    """``users``: ``[[address, hash], ...]``, and their ``quota``: all, or none."""
    users: list[list[str]] = details["users"]
    for address, _ in users:
        if await directory.find_account(address) is not None:
            text = f"there is a user {address} already"
            raise Failure(Exit.CANNOT_CREATE, text)
    for address, password in users:
        await directory.add_account(address, password, details["quota"])
    return {"added": [address for address, _ in users]}


async def set_password(directory: Any, details: Details) -> Details:
    """``password`` of the user ``address``."""
    address: str = details["address"]
    if not await directory.set_password(address, details["password"]):
        raise no_user(address)
    return {"address": address}


async def remove_user(directory: Any, details: Details) -> Details:
    """The user ``address``, and all the mail."""
    address: str = details["address"]
    if not await directory.remove_account(address):
        raise no_user(address)
    return {"address": address}


async def show_user(directory: Any, details: Details) -> Details:
    """The user ``address``."""
    address: str = details["address"]
    account = await directory.find_account(address)
    if account is None:
        raise no_user(address)
    every = await directory.aliases()
    aliases = [alias.address for alias in every if address in alias.targets]
    return {**_described(account), "aliases": aliases}


async def list_users(directory: Any, details: Details) -> Details:
    """All users."""
    return {"users": [_described(each) for each in await directory.accounts()]}


async def add_domain(directory: Any, details: Details) -> Details:
    """The domain ``domain``."""
    domain: str = details["domain"]
    if not await directory.add_domain(domain):
        raise Failure(Exit.CANNOT_CREATE, f"{domain} is there already")
    return {"domain": domain}


async def remove_domain(directory: Any, details: Details) -> Details:
    """The domain ``domain``, which has no users."""
    domain: str = details["domain"]
    try:
        gone = await directory.remove_domain(domain)
    except NotPermitted:
        text = f"{domain} has users; remove them first"
        raise Failure(Exit.DATA_WRONG, text) from None
    if not gone:
        raise Failure(Exit.NO_HOST, f"there is no domain {domain}")
    return {"domain": domain}


async def list_domains(directory: Any, details: Details) -> Details:
    """All domains."""
    return {"domains": await directory.domains()}


async def add_alias(directory: Any, details: Details) -> Details:
    """``address`` goes to ``targets`` from now on; ``replace``: even if it is there.

    The answer also tells which targets are ``elsewhere``.
    """
    address, targets = details["address"], details["targets"]
    domain = address.rpartition("@")[2]
    if not await directory.is_local_domain(domain):
        text = f"there is no domain {domain}; run: mailhub domain add {domain}"
        raise Failure(Exit.NO_HOST, text)
    if not details["replace"] and await directory.find_alias(address) is not None:
        text = f"{address} is there already; --replace gives it new targets"
        raise Failure(Exit.CANNOT_CREATE, text)
    await directory.set_alias(address, targets)
    elsewhere = await _elsewhere(directory, targets)
    return {"address": address, "targets": targets, "elsewhere": elsewhere}


async def _elsewhere(directory: Any, targets: list[str]) -> list[str]:
    """The addresses of other servers among *targets*."""
    found = []
    for target in targets:
        lead = parse_target(target, "")
        if isinstance(lead, Mail) and not await directory.is_local_domain(lead.domain):
            found.append(target)
    return found


async def remove_alias(directory: Any, details: Details) -> Details:
    """The alias ``address``."""
    address: str = details["address"]
    if not await directory.remove_alias(address):
        raise Failure(Exit.NO_USER, f"there is no alias {address}")
    return {"address": address}


async def list_aliases(directory: Any, details: Details) -> Details:
    """All aliases."""
    return {
        "aliases": [
            {"address": alias.address, "targets": [*alias.targets]}
            for alias in await directory.aliases()
        ]
    }


async def set_forward(directory: Any, details: Details) -> Details:
    """Mail of the user ``address`` goes to ``targets``; ``keeps``: and stays, too.

    The answer also tells which targets are ``elsewhere``.
    """
    address, targets, keeps = details["address"], details["targets"], details["keeps"]
    if any(isinstance(parse_target(each, ""), Program) for each in targets):
        raise Failure(Exit.DATA_WRONG, "a forward starts no programs")
    if not await directory.set_forward(address, targets, keeps):
        raise no_user(address)
    elsewhere = await _elsewhere(directory, targets)
    forward = Forward(address, tuple(targets), keeps)
    return {**_forward(forward), "elsewhere": elsewhere}


async def remove_forward(directory: Any, details: Details) -> Details:
    """The forward of the user ``address``."""
    address: str = details["address"]
    if not await directory.remove_forward(address):
        raise Failure(Exit.NO_USER, f"there is no forward of {address}")
    return {"address": address}


async def list_forwards(directory: Any, details: Details) -> Details:
    """All forwards."""
    return {"forwards": [_forward(each) for each in await directory.forwards()]}


def _forward(forward: Forward) -> Details:
    return {
        "address": forward.address,
        "targets": [*forward.targets],
        "keeps": forward.keeps,
    }


def no_user(address: str) -> Failure:
    """What to say where a user is missing."""
    return Failure(Exit.NO_USER, f"there is no user {address}")


def _described(account: Account) -> Details:
    return {
        "address": account.address,
        "enabled": account.enabled,
        "password": scheme_of(account.password),
        "quota": account.quota,
    }


def scheme_of(stored: str) -> str:
    """The scheme of a stored hash, in lower case; ``"none"`` if there is none."""
    if not stored:
        return "none"
    label, brace, _ = stored[1:].partition("}")
    return label.lower() if stored.startswith("{") and brace else "crypt"


#: All pieces, by the name that they have between command and server.
WORK = {
    "user add": Work(add_users, True),
    "user passwd": Work(set_password, True),
    "user remove": Work(remove_user, True),
    "user show": Work(show_user, False),
    "user list": Work(list_users, False),
    "domain add": Work(add_domain, True),
    "domain remove": Work(remove_domain, True),
    "domain list": Work(list_domains, False),
    "alias add": Work(add_alias, True),
    "alias remove": Work(remove_alias, True),
    "alias list": Work(list_aliases, False),
    "forward set": Work(set_forward, True),
    "forward remove": Work(remove_forward, True),
    "forward list": Work(list_forwards, False),
}
