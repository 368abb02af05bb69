"""Programs of others that tests drive: mail clients, strace(1)."""

from __future__ import annotations

import os
import shutil
from unittest import SkipTest

#: The Debian packages of the programs, for the message that one is missing.
PACKAGES = {
    "curl": "curl",
    "dovecot": "dovecot-imapd dovecot-pop3d",
    "exim4": "exim4-daemon-light",
    "fetchmail": "fetchmail",
    "knotd": "knot",
    "mbsync": "isync",
    "mkfs.ext4": "e2fsprogs",
    "mutt": "mutt",
    "nc": "netcat-openbsd",
    "openssl": "openssl",
    "postfix": "postfix",
    "promtool": "prometheus",
    "setpriv": "util-linux",
    "strace": "strace",
    "s-nail": "s-nail",
    "swaks": "swaks",
    "systemd-analyze": "systemd",
    "unbound": "unbound",
}


def require(program: str) -> str:
    """The path of *program*.

    Without it a test is skipped, with the reason; where ``CI`` says that everything
    has to be there, it fails.
    """
    path = shutil.which(program)
    if path is not None:
        return path
    reason = f"needs {program}: apt-get install {PACKAGES[program]}"
    if os.environ.get("CI") == "true":
        raise AssertionError(reason)
    raise SkipTest(reason)
