"""Postfix and Exim as people run them: names from DNS, TLS with those only whom DNSSEC
proves, users who log in to send, and Dovecot, where they read.

Each has an address of its own in 127.0.0.0/8, with the ports that everybody knows, and
a name server of its own: an ``/etc/resolv.conf`` that nobody else sees.  They begin as
root, as they always do.
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

from benchmarks.peers.postfix import SERVICES

from ..outbound.authority import Issued
from ..processes.fleet import until
from ..programs import require
from ..servers import PASSWORD

#: Whose mail ends there.
DOMAIN = "peer.example"
USER = f"al@{DOMAIN}"
#: Seconds until a server listens.
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
mynetworks =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = inline:{{ {user}=mail/ }}
virtual_mailbox_base = {folder}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/auth
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_received_header = yes
smtpd_tls_chain_files = {folder}/tls.pem
smtp_dns_support_level = dnssec
smtp_host_lookup = dns
smtp_tls_security_level = dane-only
smtpd_peername_lookup = no
minimal_backoff_time = 1s
queue_run_delay = 2s
alias_maps =
"""
_MAILBOXES = "virtual unix - - - virtual"
_SUBMISSION = (
    "-o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes"
    " -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject"
)
_EXIM = """\
exim_path = {binary}
primary_hostname = mx.{domain}
spool_directory = {folder}/queue
log_file_path = {folder}/queue/log-%s
exim_user = mail
exim_group = mail
daemon_smtp_ports = 25 : 587
local_interfaces = {address}
acl_smtp_rcpt = taken
tls_advertise_hosts = *
dsn_advertise_hosts = *
tls_certificate = {folder}/tls.pem
tls_privatekey = {folder}/tls.pem
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}}}
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
begin acl
taken:
  accept authenticated = *
  deny domains = ! {domain}
       message = relay not permitted
  deny local_parts = ! al
       message = no such user
  accept
begin routers
there:
  driver = dnslookup
  domains = ! {domain}
  transport = away
  dnssec_request_domains = *
here:
  driver = accept
  domains = {domain}
  local_parts = al
  transport = folder
begin transports
away:
  driver = smtp
  interface = {address}
  hosts_require_dane = *
folder:
  driver = appendfile
  maildir_format
  directory = {folder}/mail
  create_directory
  user = mail
begin retry
* * F,1h,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if eq{{$auth2 $auth3}}{{{user} {password}}}}}
  server_set_id = $auth2
"""
_DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log-dovecot
protocols = imap pop3
listen = {address}
mail_location = maildir:{folder}/mail
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
disable_plaintext_auth = no
auth_mechanisms = plain scram-sha-256
ssl = yes
ssl_cert = <{folder}/tls.pem
ssl_key = <{folder}/tls.pem
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = home={folder}/mail
}}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
"""


class Peer:
    """A mail server of others.

    :param address: of its own.
    :param resolver: the address of the name server that it asks.
    :param issued: its certificate.
    """

    def __init__(
        self, folder: str, address: str, resolver: str, issued: Issued
    ) -> None:
        # The paths of its sockets would be too long in the folder of a test.
        self.folder = Path(folder)
        self.folder.chmod(0o755)
        self._address = address
        self._resolver = resolver
        self._issued = issued
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Begin, and Dovecot with it; wait until both listen."""
        self._make_folders()
        self._run(*self._command(), ports=(25, 587))
        config = self.folder / "dovecot.conf"
        config.write_text(self._filled(_DOVECOT))
        self._run(require("dovecot"), "-F", "-c", str(config), ports=(143, 995))

    def stop(self) -> None:
        """End all that it has started."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where users send and read, as a server of ours has it."""
        ports = {"submission": 587, "imap": 143, "pop3s": 995}
        return {name: (self._address, port) for name, port in ports.items()}

    def _command(self) -> tuple[str, ...]:
        """Write its settings.  -> what starts it"""
        raise NotImplementedError

    def _filled(self, text: str, **more: object) -> str:
        return text.format(
            folder=self.folder, domain=DOMAIN, user=USER, password=PASSWORD,
            address=self._address, **more,
        )  # fmt: skip

    def _make_folders(self) -> None:
        for name in ("queue", "data", "mail"):
            (self.folder / name).mkdir(mode=0o755)
        shutil.chown(self.folder / "mail", "mail", "mail")
        self._write("tls.pem", self._issued.pem.decode())
        self._write("resolv.conf", f"nameserver {self._resolver}\noptions trust-ad\n")

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def _run(self, *command: str, ports: tuple[int, ...]) -> None:
        script = f'mount --bind {self.folder}/resolv.conf /etc/resolv.conf; exec "$@"'
        alone = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", script)
        process = subprocess.Popen(
            [*alone, "sh", *command], cwd=self.folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._processes.append(process)
        until(lambda: all(map(self._listens, ports)), PATIENCE)

    def _listens(self, port: int) -> bool:
        with socket.socket() as trying:
            return trying.connect_ex((self._address, port)) == 0


class Postfix(Peer):
    """Postfix."""

    def _command(self) -> tuple[str, ...]:
        require("postfix")
        mail = pwd.getpwnam("mail")
        config = self.folder / "etc"
        config.mkdir()
        main = self._filled(_MAIN, uid=mail.pw_uid, gid=mail.pw_gid)
        self._write("etc/main.cf", main)
        lines = [f"{self._address}:25 inet n - n - - smtpd"]
        lines += [f"{self._address}:587 inet n - n - - smtpd {_SUBMISSION}"]
        for line in (*SERVICES.splitlines(), _MAILBOXES):
            name, kind, private, wake, most, program = line.split()
            # Only who writes in the folders of users keeps its rights.
            rights = "n" if program == "virtual" else "-"
            lines.append(
                f"{name} {kind} {private} {rights} n {wake} {most} {program}"
            )
        self._write("etc/master.cf", "\n".join(lines) + "\n")
        daemons = subprocess.run(
            ["postconf", "-c", str(config), "-h", "daemon_directory"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        shutil.chown(self.folder / "data", "postfix")
        # It makes the folders of the queue.
        subprocess.run(
            ["postfix", "-c", str(config), "check"], check=True, capture_output=True
        )
        return f"{daemons}/master", "-c", str(config), "-d"


class Exim(Peer):
    """Exim, which needs no account of its own here."""

    def _command(self) -> tuple[str, ...]:
        binary = require("exim4")
        config = self._write("exim.conf", self._filled(_EXIM, binary=binary))
        for name in ("queue", "tls.pem"):
            shutil.chown(self.folder / name, "mail")
        return binary, "-C", str(config), "-bdf", "-q2s"


PEERS: dict[str, Callable[[str, str, str, Issued], Peer]] = {
    "Postfix": Postfix, "Exim": Exim
}  # fmt: skip
