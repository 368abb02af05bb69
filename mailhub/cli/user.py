"""``mailhub user``: who has a mailbox here."""

from __future__ import annotations

from argparse import ArgumentParser

from ..config.kinds import Unfit, octets
from .directory import perform
from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Exit, Failure, Result
from .passwords import read_hash
from .spelling import canonical_address

#: What a quota may be: one small message at least.
QUOTA = octets(1 << 10, 1 << 50)


def add_arguments(parser: ArgumentParser) -> None:
    actions = add_actions(parser)
    action = add_action(actions, "add", add, "add a user, or many from a file")
    action.add_argument("address", metavar="ADDRESS", nargs="?")
    _add_password_option(action)
    action.add_argument("--quota", metavar="SIZE", help='such as "2 GiB"')
    action.add_argument(
        "--from-file",
        metavar="FILE",
        help='lines of address:password, "-" for standard input; all or none is added',
    )
    action.add_argument(
        "--hashed",
        action="store_true",
        help="the passwords in the file are {SCHEME} hashes",
    )
    action = add_action(actions, "passwd", passwd, "give a user another password")
    action.add_argument("address", metavar="ADDRESS")
    _add_password_option(action)
    action = add_action(actions, "remove", remove, "remove a user and all the mail")
    action.add_argument("address", metavar="ADDRESS")
    action.add_argument("--yes", action="store_true", help="do not ask")
    action = add_action(actions, "show", show, "show what is known of a user")
    action.add_argument("address", metavar="ADDRESS")
    add_action(actions, "list", list_all, "show all users")


def _add_password_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="take the password from the first line of standard input",
    )


def add(invocation: Invocation) -> Result:
    """JSON: ``{"added": [ADDRESS, ...]}``."""
    options = invocation.options
    quota = _quota(options.quota)
    if (options.address is None) == (options.from_file is None):
        raise Failure(Exit.USAGE, "expected either ADDRESS or --from-file FILE")
    if options.from_file is not None:
        from .users_file import read_users  # not for one user

        users = read_users(invocation)
    else:
        address = canonical_address(options.address)
        users = [(address, read_hash(invocation, address))]
    data = perform(invocation, "user add", users=users, quota=quota)
    added = data["added"]
    text = f"added {added[0]}" if len(added) == 1 else f"added {len(added)} users"
    return Result(data, text)


def passwd(invocation: Invocation) -> Result:
    """JSON: ``{"address": ADDRESS}``."""
    address = canonical_address(invocation.options.address)
    perform(invocation, "user show", address=address)
    password = read_hash(invocation, address)
    data = perform(invocation, "user passwd", address=address, password=password)
    return Result(data, f"{address} has a new password")


def remove(invocation: Invocation) -> Result:
    """JSON: ``{"address": ADDRESS}``."""
    address = canonical_address(invocation.options.address)
    perform(invocation, "user show", address=address)
    if not invocation.options.yes:
        _confirm(invocation, address)
    data = perform(invocation, "user remove", address=address)
    return Result(data, f"removed {address}")


def show(invocation: Invocation) -> Result:
    """JSON: as in ``list``, and ``"aliases": [ADDRESS, ...]`` that go to the user."""
    address = canonical_address(invocation.options.address)
    data = perform(invocation, "user show", address=address)
    lines = [
        f"address   {address}",
        f"enabled   {'yes' if data['enabled'] else 'no'}",
        f"password  {data['password']}",
        f"quota     {_quota_text(data['quota'])}",
        f"aliases   {', '.join(data['aliases']) or 'none'}",
    ]
    return Result(data, "\n".join(lines))


def list_all(invocation: Invocation) -> Result:
    """JSON: ``{"users": [{"address", "enabled", "password": SCHEME, "quota"}]}``.

    ``quota`` is in octets, or null.
    """
    data = perform(invocation, "user list")
    return Result(data, "\n".join(user["address"] for user in data["users"]))


def _quota(text: str | None) -> int | None:
    """The option ``--quota`` in octets."""
    if text is None:
        return None
    try:
        return int(QUOTA.read(int(text) if text.isdecimal() else text, ""))
    except (Unfit, ValueError) as error:
        raise Failure(Exit.USAGE, f"--quota {text}: {error}") from None


def _quota_text(quota: int | None) -> str:
    return "none" if quota is None else QUOTA.show(quota).strip('"')


def _confirm(invocation: Invocation, address: str) -> None:
    """Ask at the terminal whether the mail may go."""
    terminal = invocation.terminal
    if not terminal.stdin.isatty():
        text = f"expected --yes: all mail of {address} goes with the user"
        raise Failure(Exit.USAGE, text)
    terminal.stderr.write(f"Remove {address} and all the mail? [y/N] ")
    terminal.stderr.flush()
    if terminal.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failure(Exit.DATA_WRONG, "nothing was removed")
