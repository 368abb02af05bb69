"""Exim before Dovecot."""

from __future__ import annotations

from pathlib import Path

from .base import DOMAIN, FOREIGN, HOST, NEXT, CannotStart, first_line, seeing
from .dovecot import BelowMTA

#: Debian's Exim wants its own user to exist, although it runs as another here.
USER = {
    "passwd": "Debian-exim:x:64999:64999::/nonexistent:/usr/sbin/nologin\n",
    "group": "Debian-exim:x:64999:\n",
}
#: Immediate delivery, one process for each message, as Exim is built; no DNS, no
#: questions about the client, no TLS, as for the others.
CONFIGURATION = """\
exim_path = {program}
primary_hostname = mx.{domain}
spool_directory = {folder}/spool
log_file_path = {folder}/exim-log/%slog
exim_user = mail
exim_group = mail
never_users = root
daemon_smtp_ports = {smtp}
local_interfaces = {host}
domainlist local_domains = {domain}
acl_smtp_rcpt = everything
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 200
smtp_accept_max_per_host = 200
smtp_accept_queue_per_connection = 0
smtp_accept_reserve = 0
queue_run_max = 5
tls_advertise_hosts =
pipelining_advertise_hosts = *
prdr_enable = false
keep_environment =
begin acl
everything:
  accept
begin routers
local:
  driver = accept
  domains = +local_domains
  transport = dovecot
foreign:
  driver = manualroute
  domains = {foreign}
  transport = away
  route_list = * {host}
  self = send
begin transports
away:
  driver = smtp
  port = {next}
  allow_localhost
  hosts_try_dane =
dovecot:
  driver = smtp
  protocol = lmtp
  hosts = {host}
  hosts_override
  allow_localhost
  port = {lmtp}
  hosts_try_dane =
  rcpt_include_affixes
begin retry
* * F,2h,15m
begin rewrite
begin authenticators
"""


class Exim(BelowMTA):
    """Exim, which hands everything to Dovecot's LMTP."""

    name = "exim-dovecot"
    is_slow = True

    @property
    def program(self) -> Path:
        """Exim, unpacked or installed.

        :raises CannotStart: there is none.
        """
        unpacked = self.place.programs.get("unpacked", Path("/nonexistent"))
        for path in (unpacked / "usr/sbin/exim4", Path("/usr/sbin/exim4")):
            if path.exists():
                return path
        raise CannotStart("exim-dovecot: no exim4: run with --install")

    def configure_mta(self) -> None:
        for name in ("spool", "exim-log"):
            self.make_folder(name, "mail")
        text = CONFIGURATION.format(
            program=self.program,
            domain=DOMAIN,
            folder=self.folder,
            host=HOST,
            foreign=FOREIGN,
            next=self.place.port + NEXT,
            **self.ports,
        )
        self.write("exim.conf", text)
        for name, line in USER.items():
            original = Path("/etc", name).read_text()
            self.write(name, original + ("" if line in original else line))

    def _command(self, *options: str | Path) -> list[str | Path]:
        files = {f"/etc/{name}": self.path(name) for name in USER}
        return seeing(files, [self.program, *options])

    def launch_mta(self) -> None:
        self.spawn(self._command("-C", self.path("exim.conf"), "-bdf", "-q5s"))

    def version(self) -> str:
        self.setup(0)
        words = first_line(*self._command("-C", self.path("exim.conf"), "-bV")).split()
        self.remove()
        return f"Exim {words[2] if len(words) > 2 else '?'}, {super().version()}"
