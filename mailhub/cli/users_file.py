"""Many users at once: a file with a line ``address:password`` for each."""

from __future__ import annotations

from ..auth.schemes import verify
from ..errors import MailError
from .invocation import Invocation
from .outcome import Exit, Failure
from .passwords import check_password, hash_many
from .spelling import canonical_address

#: Faults told at once; a file of another kind has one in every line.
MOST_FAULTS = 20


def read_users(invocation: Invocation) -> list[tuple[str, str]]:
    """Addresses and ``{SCHEME}`` hashes of the file in ``--from-file``.

    Empty lines and those that begin with ``#`` are skipped.  With ``--hashed``
    the passwords are hashes already.

    :raises Failure: some lines are wrong: ``FILE:LINE: reason`` for each.
    """
    options = invocation.options
    users: dict[str, str] = {}
    faults: list[str] = []
    name = "standard input" if options.from_file == "-" else options.from_file
    for number, line in enumerate(_lines(invocation), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            address, password = _split(line, options.hashed)
            if address in users:
                raise Failure(Exit.DATA_WRONG, f"{address} is there twice")
            users[address] = password
        except Failure as failure:
            faults.append(f"{name}:{number}: {failure}")
    if faults:
        more = [f"and {len(faults) - MOST_FAULTS} more"]
        told = faults[:MOST_FAULTS] + more * (len(faults) > MOST_FAULTS)
        raise Failure(Exit.DATA_WRONG, "\n".join(told))
    if not users:
        raise Failure(Exit.DATA_WRONG, f"{name}: expected lines of address:password")
    if options.hashed:
        return list(users.items())
    hashed = hash_many(invocation, list(users.values()))
    return list(zip(users, hashed, strict=True))


def _lines(invocation: Invocation) -> list[str]:
    path = invocation.options.from_file
    try:
        if path == "-":
            text = invocation.terminal.stdin.read()
        else:
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
    except OSError as error:
        raise Failure(Exit.NO_INPUT, f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Failure(Exit.DATA_WRONG, f"{path}: expected text in UTF-8") from None
    return text.replace("\r\n", "\n").split("\n")


def _split(line: str, hashed: bool) -> tuple[str, str]:
    """Address and password of *line*; the messages never quote the password."""
    before, colon, password = line.partition(":")
    if not colon:
        raise Failure(Exit.DATA_WRONG, "expected address:password")
    address = canonical_address(before.strip())
    if not hashed:
        check_password(password)
        return address, password
    try:
        verify(password, b"tried")
    except MailError:
        text = f"expected a known {{SCHEME}} hash for {address}"
        raise Failure(Exit.DATA_WRONG, text) from None
    return address, password
