"""What has to be there before anything is measured: programs and packages."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .peers.base import CannotStart, run

ROOT = Path(__file__).resolve().parent.parent
#: Debian's packages that are installed; those that would replace another mail server
#: are only unpacked.
INSTALLED = ("postfix", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "openssl")
UNPACKED = ("exim4-daemon-light", "chasquid")
#: Libraries that Exim is linked with.
LIBRARIES = ("libgnutls-dane0", "libidn12", "libnsl2", "libdb5.3", "libpcre2-8-0")
#: Where a program of each package is.
PROGRAMS = {
    "postfix": "/usr/sbin/postfix",
    "dovecot-imapd": "/usr/lib/dovecot/imap",
    "dovecot-pop3d": "/usr/lib/dovecot/pop3",
    "dovecot-lmtpd": "/usr/lib/dovecot/lmtp",
    "openssl": "/usr/bin/openssl",
}
PYTHON_PEERS = ("aiosmtpd", "pymap", "uvloop")
#: Extras of mailhub that the measured server has, where it offers them.
EXTRAS = ("argon2", "fast")
#: Keeps packages from starting their servers.
POLICY = Path("/usr/sbin/policy-rc.d")
#: Debian's own interpreter, trained with profiles, is what most people run.
DEBIAN_PYTHON = Path("/usr/bin/python3")


def missing_packages(work: Path) -> list[str]:
    """Debian's packages that are neither installed nor unpacked."""
    missing = [name for name, path in PROGRAMS.items() if not Path(path).exists()]
    programs = {"exim4-daemon-light": "usr/sbin/exim4", "chasquid": "usr/bin/chasquid"}
    for name in UNPACKED:
        places = (work / "unpacked", Path("/"))
        if not any((place / programs[name]).exists() for place in places):
            missing.append(name)
    return missing


def install(work: Path) -> None:
    """Install or unpack what is missing; needs root.

    :raises CannotStart: apt fails.
    """
    missing = missing_packages(work)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    system = [name for name in missing if name in INSTALLED]
    if missing:
        run("apt-get", "-q", "update", environment=quiet)
        if "exim4-daemon-light" in missing:
            system += LIBRARIES
    if system:
        with _no_services():
            command = ("apt-get", "-q", "-y", "install", "--no-install-recommends")
            run(*command, *system, environment=quiet)
    for name in missing:
        if name in UNPACKED:
            _unpack(name, work)


@contextmanager
def _no_services() -> Iterator[None]:
    """Nothing that is installed meanwhile starts a server."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _unpack(name: str, work: Path) -> None:
    packages = work / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "-q", "download", name], cwd=packages, check=True)
    [package, *_] = sorted(packages.glob(f"{name}_*.deb"))
    run("dpkg", "-x", package, work / "unpacked")


def make_environments(work: Path) -> dict[str, Path]:
    """Python environments of mailhub and of its peers, made where they are missing.

    ``MAILHUB_BIN`` in the environment stands for mailhub's.

    :returns: folders by name, as a ``Place`` has them.
    """
    python = DEBIAN_PYTHON if DEBIAN_PYTHON.exists() else Path(sys.executable)
    found = {"unpacked": work / "unpacked"}
    given = os.environ.get("MAILHUB_BIN")
    if given:
        found["mailhub"] = Path(given).resolve().parent
    else:
        found["mailhub"] = _environment(work / "mailhub", python, requirements())
    found["peers"] = _environment(work / "peers", python, list(PYTHON_PEERS))
    return found


def requirements() -> list[str]:
    """What mailhub needs, from its ``setup.cfg``."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    texts = [setup["options"]["install_requires"]]
    extras = setup["options.extras_require"]
    texts += [extras[name] for name in EXTRAS if name in extras]
    return [line for text in texts for line in text.split("\n") if line.strip()]


def _environment(folder: Path, python: Path, packages: list[str]) -> Path:
    stamp = folder / "packages.txt"
    wanted = "\n".join(packages)
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    run(python, "-m", "venv", folder)
    run(folder / "bin" / "python", "-m", "pip", "-q", "install", *packages)
    stamp.write_text(wanted)
    return folder


def check(work: Path) -> None:
    """Say what is missing.

    :raises CannotStart: something is; the text says what to do.
    """
    missing = missing_packages(work)
    if missing:
        names = " ".join(missing)
        raise CannotStart(
            f"missing Debian packages: {names}; --install installs what no other mail"
            " server stands in the way of, and unpacks the rest"
        )
