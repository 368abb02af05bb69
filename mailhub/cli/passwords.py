"""Passwords come from a prompt or from standard input, never from an argument.

An argument can be read by every user of the machine while the command runs, and
stays in the shell's history.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..auth.identity import canonical_password
from ..errors import AuthenticationFailed
from .invocation import Invocation
from .outcome import Exit, Failure


def read_hash(invocation: Invocation, address: str) -> str:
    """A ``{SCHEME}`` hash of the password that is typed, or is on standard input."""
    if invocation.options.password_stdin:
        line = invocation.terminal.stdin.readline()
        if not line:
            raise EOFError
        password = line.rstrip("\r\n")
    else:
        ask = invocation.terminal.ask_secret
        password = ask(f"Password for {address}: ")
        if ask("Once more: ") != password:
            raise Failure(Exit.DATA_WRONG, "these were two different passwords")
    check_password(password)
    from ..auth.schemes import hash_password  # slow to import

    return hash_password(password)


def check_password(password: str) -> None:
    """
    :raises Failure: nobody can have this password.
    """
    try:
        canonical_password(password.encode())
    except (AuthenticationFailed, UnicodeEncodeError):
        text = "expected a password of 1 to 1024 octets"
        raise Failure(Exit.DATA_WRONG, text) from None


def hash_many(invocation: Invocation, passwords: Sequence[str]) -> list[str]:
    """Hashes of *passwords* in their order; tells how far it is.

    A hash takes some 25 ms of one processor on purpose; they are computed on all.
    """
    from concurrent.futures import ThreadPoolExecutor

    from ..auth.schemes import hash_password

    hashed: list[str] = []
    step = max(len(passwords) // 10, 100)
    with ThreadPoolExecutor() as threads:
        for each in threads.map(hash_password, passwords):
            hashed.append(each)
            if len(hashed) % step == 0:
                invocation.terminal.tell(f"{len(hashed)} of {len(passwords)} passwords")
    return hashed
