"""Stores of older versions, made from their frozen dumps."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from mailhub.store.sqlite.schema import FILE_NAME

HERE = Path(__file__).parent
#: Versions that there are dumps of.
VERSIONS = sorted(int(path.stem) for path in HERE.glob("*.sql"))

_LARGE = (
    b"From: Bob <bob@example.org>\r\nTo: alice@example.org\r\nSubject: large\r\n"
    b"Date: Sat, 21 Nov 2026 01:46:40 +0000\r\n\r\n" + b"0123456789abcdef" * 5000
    + b"\r\n"
)
#: Bodies that lie in files, the same in all versions.
BODIES = (_LARGE, _LARGE + b"another\r\n")


def load(folder: str, version: int) -> str:
    """Make a store of an older version in *folder*.  -> its database file"""
    os.makedirs(f"{folder}/blobs", 0o700)
    database = f"{folder}/{FILE_NAME}"
    os.close(os.open(database, os.O_CREAT | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=off")
        connection.executescript((HERE / f"{version}.sql").read_text("utf-8"))
    for body in BODIES:
        name = sha256(body).hexdigest()
        path = Path(f"{folder}/blobs/{name[:2]}/{name}")
        path.parent.mkdir(0o700, exist_ok=True)
        path.touch(0o600)
        path.write_bytes(body)
    return database
