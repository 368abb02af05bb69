"""Giving up the rights of root, once the sockets are bound."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd

from ..config.faults import ConfigError
from ..config.settings import Config

#: Of prctl(2).
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


def drop(config: Config) -> None:
    """Become ``[server] user`` and ``group`` for good; the data folder is theirs.

    Without root's rights nothing has to be given up, and nothing is.

    :raises ConfigError: there is no such user or group.
    """
    if os.geteuid() == 0 and config.server.user:
        user, group = _user_of(config), _group_of(config)
        _give_folder(config.server.data, user.pw_uid, group)
        os.initgroups(user.pw_name, group)
        os.setresgid(group, group, group)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    _lock_down()


def _user_of(config: Config) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(config.server.user)
    except KeyError:
        text = f"no user {config.server.user!r} on this machine"
        raise ConfigError([config.fault("server", "user", text)]) from None


def _group_of(config: Config) -> int:
    if not config.server.group:
        return _user_of(config).pw_gid
    try:
        return grp.getgrnam(config.server.group).gr_gid
    except KeyError:
        text = f"no group {config.server.group!r} on this machine"
        raise ConfigError([config.fault("server", "group", text)]) from None


def _give_folder(path: str, user: int, group: int) -> None:
    """Make the data folder where it is missing, and give it to its user.

    What lies in a folder that was there before is its user's business: the rights of
    root are not lent to whoever could put a link there.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    os.chown(path, user, group)


def _lock_down() -> None:
    """No rights by way of setuid programs, no memory in core dumps or debuggers."""
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return  # Not Linux.
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
