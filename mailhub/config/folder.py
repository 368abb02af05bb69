"""The data folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..store.sqlite.durable import make_directory
from .faults import ConfigError
from .settings import Config

_WRITABLE_BY_OTHERS = 0o022


def prepare_folder(config: Config) -> None:
    """Make the data folder, for its owner only.

    :raises ConfigError: it cannot be made, or others may write there.
    """
    path = config.server.data
    try:
        make_directory(path)
        mode = os.stat(path).st_mode
    except OSError as error:
        text = f"{error.filename or path}: {error.strerror}"
        raise ConfigError([config.fault("server", "data", text)]) from None
    if mode & _WRITABLE_BY_OTHERS:
        text = f"others may write in {path}; run: chmod 700 {path}"
        raise ConfigError([config.fault("server", "data", text)])


@contextmanager
def as_owner_of(data: str) -> Iterator[None]:
    """Root writes in a server's store as the server's user: what it made under its own
    name the server could not read.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        owner = os.stat(data)
    except OSError:
        owner = None
    if user != 0 or owner is None or owner.st_uid == 0:
        yield
        return
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
