"""Users in a file, a line each, as Dovecot's ``passwd-file`` has them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import AuthenticationFailed, LocalFault
from .credentials import AvatarId, LoginFailed, login_name
from .identity import canonical_login
from .verifier import PasswordVerifier
from .workers import BlockingWorkers

#: Largest file in octets: a hundred thousand users.
MAX_FILE = 16 * 1024 * 1024
_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO
#: Extra fields that restrict a login in ways this server does not know.
_RESTRICTIONS = ("nologin", "allow_nets", "allow_real_nets", "proxy")


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a file said when it looked like *signature*."""

    signature: tuple[int, int, int]
    hashes: dict[str, str]
    faults: list[str]


@implementer(ICredentialsChecker)
class PasswdFileChecker:
    """Checks against lines ``user:{SCHEME}hash:uid:gid:gecos:home:shell:extra``.

    Only user and hash are used.  A line with an extra field that restricts
    logins (``nologin``, ``allow_nets``) never lets anybody in.  The file is read
    again when it changes.

    :ivar verifier: shared with other checkers to share its threads.
    """

    credentialInterfaces = (IUsernamePassword,)
    log = Logger()

    def __init__(self, path: str, verifier: PasswordVerifier | None = None) -> None:
        self._path = path
        self.verifier = verifier or PasswordVerifier(BlockingWorkers())
        self._contents = _Contents((0, 0, 0), {}, [])

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        """The canonical name in UTF-8.

        :raises LoginFailed: (by the Deferred, as all) no such login.
        :raises LocalFault: it could not be checked now.
        """
        return Deferred.fromCoroutine(self._identify(credentials))

    async def _identify(self, credentials: Any) -> AvatarId:
        name = login_name(credentials)
        stored = (await self._hashes()).get(name, "")
        identity = f"{self._path}:{name}"
        if not await self.verifier.verify(identity, stored, credentials.password):
            raise LoginFailed(f"wrong user or password for {name}")
        return name.encode()

    async def _hashes(self) -> dict[str, str]:
        try:
            status = os.stat(self._path)
            if _signature(status) != self._contents.signature:
                self._contents = await self.verifier.workers.run(_read, self._path)
                self._report(status)
        except OSError as error:
            raise LocalFault(f"cannot read {self._path}: {error.strerror}") from None
        return self._contents.hashes

    def _report(self, status: os.stat_result) -> None:
        if status.st_mode & _READABLE_BY_OTHERS:
            self.log.warn(
                "{path} is open to others (mode {mode:04o}); 0600 is right",
                path=self._path, mode=stat.S_IMODE(status.st_mode),
            )
        for fault in self._contents.faults:
            self.log.warn("{path}:{fault}", path=self._path, fault=fault)


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: str) -> _Contents:
    """Read the file, in a worker's thread."""
    with open(path, "rb") as file:
        signature = _signature(os.fstat(file.fileno()))
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise LocalFault(f"{path} is larger than {MAX_FILE} octets")
    hashes: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            name, stored = _parse_line(line.rstrip(b"\r"))
        except (AuthenticationFailed, ValueError) as error:
            faults.append(f"{number}: {error}")
            continue
        hashes[name] = stored
    return _Contents(signature, hashes, faults)


def _parse_line(line: bytes) -> tuple[str, str]:
    """The canonical name, and the hash or ``""``; messages quote no hash."""
    fields = line.split(b":", 7)
    if len(fields) < 2:
        raise ValueError("no colon after the user")
    name = canonical_login(fields[0])
    extra = fields[7].split() if len(fields) == 8 else []
    named = {setting.partition(b"=")[0].decode("ascii", "replace") for setting in extra}
    if named.intersection(_RESTRICTIONS):
        return name, ""
    try:
        return name, fields[1].decode()
    except UnicodeDecodeError:
        raise ValueError("the hash is not UTF-8") from None
