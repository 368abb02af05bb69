"""``IDirectory`` over a connection: every answer is there at once.

Nothing here needs Twisted: it serves the writer's thread, and commands that run while
no server does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from .directory import Directory

P = ParamSpec("P")
T = TypeVar("T")


def _awaitable(
    method: Callable[Concatenate[Directory, P], T],
) -> Callable[Concatenate[DirectoryAtOnce, P], Awaitable[T]]:
    async def answer(self: DirectoryAtOnce, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self.directory, *args, **kwargs)

    return answer


class DirectoryAtOnce:
    """The methods of ``IDirectory``, which never suspend."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def version(self) -> None:
        """Not counted: nobody asks for long."""

    is_local_domain = _awaitable(Directory.is_local_domain)
    find_account = _awaitable(Directory.find_account)
    find_alias = _awaitable(Directory.find_alias)
    domains = _awaitable(Directory.domains)
    accounts = _awaitable(Directory.accounts)
    aliases = _awaitable(Directory.aliases)
    add_domain = _awaitable(Directory.add_domain)
    remove_domain = _awaitable(Directory.remove_domain)
    add_account = _awaitable(Directory.add_account)
    remove_account = _awaitable(Directory.remove_account)
    set_password = _awaitable(Directory.set_password)
    set_alias = _awaitable(Directory.set_alias)
    remove_alias = _awaitable(Directory.remove_alias)
    find_forward = _awaitable(Directory.find_forward)
    forwards = _awaitable(Directory.forwards)
    set_forward = _awaitable(Directory.set_forward)
    remove_forward = _awaitable(Directory.remove_forward)


def perform_at_once(
    work: Callable[[Any], Awaitable[T]], directory: Directory
) -> T:
    """What *work*, a coroutine function of an ``IDirectory``, comes to.

    :raises RuntimeError: it waits for something else than the directory.
    """
    return result_of(work(DirectoryAtOnce(directory)))


def result_of(work: Awaitable[T]) -> T:
    """What *work* comes to, all of whose answers are there at once.

    :raises RuntimeError: they are not.
    """
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("work at once waits for nothing")
