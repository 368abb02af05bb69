"""Giving up the rights of root, once the sockets are bound."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from shlex import quote

from ..config.drop_folder import make_drop_folder
from ..config.faults import ConfigError
from ..config.settings import PORTS, Config
from ..store.sqlite.durable import sync_directory

#: Of prctl(2).
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
#: Of capset(2): _LINUX_CAPABILITY_VERSION_3, whose sets are of two words.
_CAPABILITY_VERSION = 0x20080522


def drop(config: Config) -> None:
    """Become ``[server] user`` and ``group`` for good; what is theirs is given to them.

    Without root's rights nothing has to be given up but what came instead of them,
    such as the right to bind low ports.

    :raises ConfigError: there is no such user or group, or the data folder is
        somebody else's.
    :raises OSError: the data folder cannot be made.
    """
    if os.geteuid() == 0 and config.server.user:
        user, group = _user_of(config), _group_of(config)
        _make_folder(config, user, group)
        make_drop_folder(config, user.pw_uid, group)
        for path in _made_as_root(config):
            _give(path, user.pw_uid, group)
        os.initgroups(user.pw_name, group)
        os.setresgid(group, group, group)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    lock_down()


def lock_down() -> None:
    """No more rights than now, and no memory in core dumps or debuggers.

    A new program has the latter to say anew, so each worker says it for itself.
    """
    try:
        libc = ctypes.CDLL(None)
        prctl, capset = libc.prctl, libc.capset
    except (OSError, AttributeError):
        return  # Not Linux.
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if os.geteuid() != 0:
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        capset((ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)())


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


def _make_folder(config: Config, user: pwd.struct_passwd, group: int) -> None:
    """Make the data folder where it is missing, and give it to its user.

    What lies in a folder that was there before is its user's business: the rights of
    root are not lent to whoever could put a link there.
    """
    path = config.server.data
    parent = os.path.dirname(path) or "."
    _make_way(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if os.stat(path).st_uid == user.pw_uid:
            return
        name = user.pw_name
        text = f"{path} is not {name}'s; run: chown -R {name} {quote(path)}"
        raise ConfigError([config.fault("server", "data", text)]) from None
    os.chown(path, user.pw_uid, group)
    sync_directory(parent)


def _make_way(path: str) -> None:
    """Make missing folders that everybody may pass through."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_way(os.path.dirname(path))
        os.mkdir(path)
    os.chmod(path, 0o755)
    sync_directory(os.path.dirname(path) or ".")


def _made_as_root(config: Config) -> Iterator[str]:
    """Files that this process has made, and that its user goes on with."""
    for service in (*PORTS, "admin"):
        for endpoint in config.listen.endpoints(service):
            if endpoint.path:
                yield endpoint.path
    if config.log.file:
        yield config.log.file


def _give(path: str, user: int, group: int) -> None:
    """Give a socket or a file of root's to *user*, and no other name of it.

    Attack: whoever owns the folder puts a link to somebody else's file there.
    """
    with suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            found = os.fstat(descriptor)
            is_plain = stat.S_IFMT(found.st_mode) in (stat.S_IFSOCK, stat.S_IFREG)
            if is_plain and found.st_uid == 0 and found.st_nlink == 1:
                # fchown(2) does not take such a descriptor.
                os.chown(f"/proc/self/fd/{descriptor}", user, group)
        finally:
            os.close(descriptor)
