"""Mail servers in Python: aiosmtpd (SMTP) and pymap (IMAP)."""

from __future__ import annotations

from pathlib import Path

from .base import HOST, PASSWORD, Peer, first_line, run

_AIOSMTPD = Path(__file__).with_name("aiosmtpd_server.py")
_VERSION = "from importlib.metadata import version; print(version({!r}))"
#: One round of SHA-256, so that logins cost next to nothing.
_HASH = (
    "from pysasl.hashing import BuiltinHash;"
    f"print(BuiltinHash(hash_name='sha256', salt_len=8, rounds=1).hash({PASSWORD!r}))"
)


class InVenv(Peer):
    """A server of a package from PyPI.

    :cvar package: its name there.
    """

    package = ""

    def program(self, name: str) -> Path:
        """A program of the environment that the packages are installed in."""
        return self.place.programs["peers"] / "bin" / name

    def version(self) -> str:
        code = _VERSION.format(self.package)
        return f"{self.package} {first_line(self.program('python'), '-c', code)}"


class Aiosmtpd(InVenv):
    """aiosmtpd with a flushed Maildir for each user."""

    name = package = "aiosmtpd"
    services = ("smtp",)

    def configure(self) -> None:
        pass

    def launch(self) -> None:
        port = str(self.ports["smtp"])
        mail = self.path("mail")
        self.spawn([self.program("python"), _AIOSMTPD, port, mail])

    def count(self, user: str) -> int:
        maildir = self.path("mail", user)
        return sum(1 for part in ("new", "cur") for _ in maildir.glob(f"{part}/*"))


class Pymap(InVenv):
    """pymap with Maildirs."""

    name = package = "pymap"
    services = ("imap",)
    largest = 200

    def configure(self) -> None:
        digest = run(self.program("python"), "-c", _HASH).strip()
        users = "".join(f"{user}:x::::{user}:\n" for user in self.users)
        shadow = "".join(f"{user}:{digest}:::::::\n" for user in self.users)
        self.write("mail/pymap-etc-passwd", users, 0o600)
        self.write("mail/pymap-etc-shadow", shadow, 0o600)
        self.write("mail/pymap-etc-group", "", 0o600)

    def launch(self) -> None:
        port = str(self.ports["imap"])
        where = ["--host", HOST, "--port", port, "--no-tls"]
        self.spawn([self.program("pymap"), *where, "maildir", self.path("mail")])
