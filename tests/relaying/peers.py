"""Postfix and Exim, each with a configuration of its own, on a free port of loopback.

Both take mail for a domain into a folder, and send mail for another one to a server of
ours.  They begin as root, as they always do.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from ..outbound.authority import issue
from ..processes.fleet import until
from ..programs import require

#: Whose mail ends there, and whose is ours.
DOMAIN, OURS = "peer.example", "example.org"
USER = f"al@{DOMAIN}"
#: Seconds until one listens.
PATIENCE = 30.0

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = /
myhostname = mx.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = inline:{{ {user}=mail/ }}
virtual_mailbox_base = {folder}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
transport_maps = inline:{{ {ours}=smtp:[127.0.0.1]:{far} }}
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_tls_chain_files = {folder}/tls.pem
smtp_tls_security_level = encrypt
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtputf8_enable = no
minimal_backoff_time = 1s
queue_run_delay = 2s
alias_maps =
"""
#: Name, type, private, wake-up time, most processes, program.
_SERVICES = """\
pickup unix n 60 1 pickup
cleanup unix n - 0 cleanup
qmgr unix n 300 1 qmgr
tlsmgr unix - 1000? 1 tlsmgr
rewrite unix - - - trivial-rewrite
bounce unix - - 0 bounce
defer unix - - 0 bounce
trace unix - - 0 bounce
verify unix - - 1 verify
flush unix n 1000? 0 flush
proxymap unix - - - proxymap
smtp unix - - - smtp
relay unix - - - smtp
showq unix n - - showq
error unix - - - error
retry unix - - - error
discard unix - - - discard
virtual unix - - - virtual
anvil unix - - 1 anvil
scache unix - - 1 scache
postlog unix-dgram n - 1 postlogd
"""
_EXIM = """\
exim_path = {binary}
primary_hostname = mx.{domain}
spool_directory = {folder}/queue
log_file_path = {folder}/queue/log-%s
exim_user = mail
exim_group = mail
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
acl_smtp_rcpt = taken
tls_advertise_hosts = *
tls_certificate = {folder}/tls.pem
tls_privatekey = {folder}/tls.pem
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
begin acl
taken:
  deny domains = {domain}
       local_parts = ! al
       message = no such user
  accept
begin routers
ours:
  driver = manualroute
  domains = {ours}
  transport = away
  route_list = * 127.0.0.1
  self = send
here:
  driver = accept
  domains = {domain}
  transport = folder
begin transports
away:
  driver = smtp
  port = {far}
  hosts_require_tls = *
  hosts_try_dane =
  allow_localhost
folder:
  driver = appendfile
  maildir_format
  directory = {folder}/mail
  create_directory
  user = mail
begin retry
* * F,1h,1s
"""


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


class Peer:
    """A mail server of others.

    :param far: where our server listens for other servers.
    :ivar port: where this one does.
    """

    def __init__(self, folder: str, far: int) -> None:
        # The paths of its sockets would be too long in the folder of a test.
        self.folder = Path(folder)
        self.folder.chmod(0o755)
        self.port = free_port()
        self._far = far
        self._process: subprocess.Popen[bytes] | None = None

    def _make_folders(self, owner: str) -> None:
        for name in ("queue", "data", "mail"):
            (self.folder / name).mkdir(mode=0o755)
            if name != "queue" or owner == "mail":
                shutil.chown(self.folder / name, owner)
        shutil.chown(self.folder / "mail", "mail", "mail")
        pem = self.folder / "tls.pem"
        pem.write_bytes(issue(f"mx.{DOMAIN}").pem)
        if owner == "mail":
            shutil.chown(pem, "mail")
        pem.chmod(0o600)

    def _begin(self, *command: str) -> None:
        self._process = subprocess.Popen(
            command, cwd=self.folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._listens, PATIENCE)

    def _listens(self) -> bool:
        with socket.socket() as trying:
            return trying.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it and all that it has started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def arrived(self) -> bytes:
        """The first message in the folder, as soon as there is one."""
        new = self.folder / "mail" / "new"
        until(lambda: new.is_dir() and any(new.iterdir()), PATIENCE)
        return next(new.iterdir()).read_bytes()

    def log(self) -> str:
        """What it has said."""
        texts = [
            path.read_text()
            for path in sorted(self.folder.rglob("log*")) if path.is_file()
        ]
        return "".join(texts)


class Postfix(Peer):
    """Postfix."""

    def start(self) -> None:
        """Wait until it listens."""
        require("postfix")
        mail = pwd.getpwnam("mail")
        config = self.folder / "etc"
        config.mkdir()
        (config / "main.cf").write_text(
            _MAIN.format(
                folder=self.folder, domain=DOMAIN, ours=OURS, user=USER,
                far=self._far, uid=mail.pw_uid, gid=mail.pw_gid,
            )
        )
        lines = [f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        for line in _SERVICES.splitlines():
            name, kind, private, wake, most, program = line.split()
            # Only who writes in the folders of users keeps its rights.
            rights = "n" if program == "virtual" else "-"
            lines.append(
                f"{name} {kind} {private} {rights} n {wake} {most} {program}"
            )
        (config / "master.cf").write_text("\n".join(lines) + "\n")
        daemons = subprocess.run(
            ["postconf", "-c", str(config), "-h", "daemon_directory"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        self._make_folders("postfix")
        # It makes the folders of the queue.
        subprocess.run(
            ["postfix", "-c", str(config), "check"], check=True, capture_output=True
        )
        self._begin(f"{daemons}/master", "-c", str(config), "-d")


class Exim(Peer):
    """Exim, which needs no account of its own here."""

    def start(self) -> None:
        """Wait until it listens."""
        binary = require("exim4")
        config = self.folder / "exim.conf"
        config.write_text(
            _EXIM.format(
                folder=self.folder, binary=binary, domain=DOMAIN, ours=OURS,
                port=self.port, far=self._far,
            )
        )
        self._make_folders("mail")
        self._begin(binary, "-C", str(config), "-bdf", "-q2s")


PEERS: dict[str, Callable[[str, int], Postfix | Exim]] = {
    "Postfix": Postfix, "Exim": Exim
}  # fmt: skip
