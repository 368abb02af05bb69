"""The ``.forward`` files of the machine's users."""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.logger import Logger

from ..errors import LocalFault
from ..tables.forward import MAX_FORWARD, Forward, parse_forward
from ..tables.lines import Entry, Remark
from .shelf import InThread, Shelf

#: Seconds that is kept who the machine's users are.
USERS_SECONDS = 60.0
#: Files that are looked after; users beyond it have theirs read more often.
MAX_FORWARDS = 1_000
#: Names of users that exist: nothing that leads out of a folder (attack: a local part
#: such as ``../../etc/x`` as a part of a path).
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


class Homes:
    """Finds, reads and keeps them.

    What one asks for that is not done here (programs, files, lists) goes to the user's
    own mailbox, and the log tells; so does all mail of one that cannot be followed.

    :param clock: ``IReactorTime``.
    :param pattern: where they are: ``~/.forward``, ``/var/forward/$u``.
    """

    log = Logger()

    def __init__(self, clock: Any, in_thread: InThread, pattern: str) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._pattern = pattern
        self._shelf = Shelf(clock, in_thread, most=MAX_FORWARDS)
        self._users: dict[str, tuple[str, int] | None] = {}
        self._until = float("-inf")
        self._turns = 0

    def version(self) -> int | None:
        """Another number after each change; ``None`` while that is not known."""
        self._forget_users()
        version = self._shelf.version()
        return None if version is None else version + self._turns

    def look_again(self) -> None:
        """Look at once (SIGHUP)."""
        self._until = float("-inf")
        self._shelf.look_again()

    async def find(self, user: str) -> Forward | None:
        """The targets of *user*, or ``None``: mail stays here."""
        self._forget_users()
        if not _USER.fullmatch(user):
            return None
        if user not in self._users:
            found = await self._in_thread(lambda: self._look_up(user))
            if len(self._users) >= MAX_FORWARDS:
                self._users.clear()
            self._users[user] = found
        place = self._users[user]
        if place is None:
            return None
        path, owner = place
        kept = self._shelf.find(path)
        if kept is None:
            kept = self._shelf.keep(
                path,
                partial(_parse, user=user),
                missing=Forward(path),
                most=MAX_FORWARD,
                owner=owner,
            )
        try:
            forward = await self._shelf.value(kept)
        except LocalFault:
            return None  # the log has it
        return forward if forward.entry else None

    def _forget_users(self) -> None:
        if self._clock.seconds() >= self._until:
            self._users.clear()
            self._until = self._clock.seconds() + USERS_SECONDS
            self._turns += 1

    def _look_up(self, user: str) -> tuple[str, int] | None:
        try:
            known = pwd.getpwnam(user)
        except KeyError:
            return None
        path = self._pattern.replace("$u", user)
        if path.startswith("~/"):
            path = os.path.join(known.pw_dir, path[2:])
        return (path, known.pw_uid) if os.path.isabs(path) else None


def _parse(data: bytes, path: str, user: str) -> Forward:
    """A forward without what its owner may not ask for.

    Attack: programs, and files of others as lists, with the server's rights.
    """
    forward = parse_forward(data, path)
    if forward.entry is None:
        return forward
    kept: list[str] = []
    refused: list[str] = []
    for target in forward.entry.targets:
        is_own = target[:1] not in ("|", "/") and ":" not in target
        (kept if is_own or target == "/dev/null" else refused).append(target)
    if not refused:
        return forward
    own = f"\\{user}"
    line = forward.entry.line
    text = f"not done for users, goes to the mailbox instead: {', '.join(refused)}"
    return replace(
        forward,
        entry=Entry(tuple(dict.fromkeys([*kept, own])), line),
        remarks=(Remark(path, line, text),),
    )
