"""Files of large bodies that no row points to, and what else lies there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from functools import partial

from ..change import Change
from .findings import Finding, Kind
from .structure import mode_of
from .view import View

#: Seconds for which a file may wait for the row that points to it.  It is written
#: before that, and the server removes what a crash left when it starts again.
GRACE = 3600

_NAME = re.compile(r"[0-9a-f]{64}\Z")
_DIRECTORIES = frozenset(f"{number:02x}" for number in range(256))


class Files:
    """One directory after the other."""

    name = "files"
    pieces = "select 257"

    def scopes(self, view: View) -> Iterator[str]:
        if view.account_id is None:
            yield ""
            yield from sorted(_DIRECTORIES)

    def look(self, view: View, scope: str) -> list[Finding]:
        directory = f"{view.files.directory}/{scope}".rstrip("/")
        try:
            with os.scandir(directory) as entries:
                names = sorted(entry.name for entry in entries)
        except FileNotFoundError:
            return []
        if not scope:
            return [
                _strange(f"{directory}/{name}")
                for name in names
                if name not in _DIRECTORIES
            ]
        found = mode_of(directory)
        for name in names:
            if not _NAME.match(name) or name[:2] != scope:
                found.append(_strange(f"{directory}/{name}"))
            else:
                found += _look_at(view, bytes.fromhex(name))
        return found


def _strange(path: str) -> Finding:
    return Finding(Kind.STRANGE_FILE, f"{path} is not the store's", what=path)


def _look_at(view: View, digest: bytes) -> Iterator[Finding]:
    if view.rows(
        "select 1 from blob where digest = ?1 and data is null"
        " union all select 1 from doomed_file where digest = ?1", digest
    ):
        return
    path = view.files.path(digest)
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(facts.st_mode):
        yield _strange(path)
    elif view.now - max(facts.st_mtime, facts.st_ctime) >= GRACE:
        yield Finding(
            Kind.ORPHAN_FILE, f"no message has the {facts.st_size} octets of {path}",
            blob=digest.hex(),
            repair=None if view.lost_blobs else partial(_remove, digest),
        )


def _remove(digest: bytes, change: Change) -> None:
    # Whoever commits a row that points to a file looks for it in that transaction.
    change.files.remove(digest)
