"""The folder where users of this machine leave mail for the server."""

from __future__ import annotations

import os
import stat
from shlex import quote

from ..store.sqlite.durable import sync_directory
from .faults import ConfigError
from .settings import Config

#: Everybody may put files there, and nobody may list them (1733); nobody but their
#: owner and the server may remove them (sticky); they come with the server's group
#: (setgid), which alone may read them beside who wrote them.
MODE = 0o3733


def prepare_drop_folder(config: Config) -> None:
    """Make the folder, or make it what it has to be, where one is wished for.

    For the server's own user.

    :raises ConfigError: it is something else, and cannot be changed.
    """
    make_drop_folder(config, os.geteuid(), os.getegid())
    path = config.local.drop
    if not path:
        return
    try:
        fault = _fault(config, path)
    except OSError as error:
        fault = f"{path}: {error.strerror}"
    if fault is not None:
        raise ConfigError([config.fault("local", "drop", fault)])


def make_drop_folder(config: Config, user: int, group: int) -> None:
    """Make the folder where one is wished for and missing.

    :param user: whose it becomes.
    :raises ConfigError: it cannot be made.
    """
    path = config.local.drop
    if not path or os.path.lexists(path):
        return
    try:
        os.mkdir(path, 0o700)
        # By the descriptor: whoever may rename in the folder above cannot have
        # somebody else's changed.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(descriptor, user, group)
            os.fchmod(descriptor, MODE)
        finally:
            os.close(descriptor)
        sync_directory(os.path.dirname(path))
    except OSError as error:
        text = f"{path} cannot be made: {error.strerror}"
        raise ConfigError([config.fault("local", "drop", text)]) from None


def _fault(config: Config, path: str) -> str | None:
    """What is wrong with the folder, after what can be mended has been."""
    found = os.lstat(path)  # a link would be another's word on where mail is taken
    data = os.path.realpath(config.server.data)
    if not stat.S_ISDIR(found.st_mode):
        return f"{path} is no folder"
    if os.path.commonpath([data, os.path.realpath(path)]) == data:
        return "expected a folder outside of [server] data, which is the server's own"
    own = f"install -d -m {MODE:o} -o USER -g GROUP {quote(path)}"
    if found.st_uid != os.geteuid():
        return f"{path} is not the server's; run: {own}"
    if stat.S_IMODE(found.st_mode) != MODE or found.st_gid != os.getegid():
        # What is no mail in it will be removed.
        if os.listdir(path):
            return f"expected a folder that is empty, or was made by a server: {path}"
        os.chown(path, -1, os.getegid())
        os.chmod(path, MODE)
        # Without an error the system leaves setgid out where it does not allow it.
        if stat.S_IMODE(os.lstat(path).st_mode) != MODE:
            return f"{path} cannot be changed to mode {MODE:o}; run: {own}"
    return None
