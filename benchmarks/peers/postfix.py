"""Postfix before Dovecot."""

from __future__ import annotations

from pathlib import Path

from .base import DOMAIN, FOREIGN, HOST, NEXT, first_line, run
from .dovecot import BelowMTA

#: Queue, flushes and concurrency as they are shipped; no DNS, as nothing here has a
#: name; clients are not throttled, as there is one.
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = mx.{domain}
mydestination =
inet_interfaces = {host}
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:ok
virtual_transport = lmtp:unix:{folder}/lmtp.sock
relay_domains = {foreign}
relay_transport = smtp:[{host}]:{next}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
message_size_limit = 50000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
alias_maps =
"""
#: Rows of master.cf: name, type, private, wake-up, most processes, command.
SERVICES = """\
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
error unix - - - error
retry unix - - - error
discard unix - - - discard
lmtp unix - - - lmtp
anvil unix - - 1 anvil
scache unix - - 1 scache
postlog unix-dgram n - 1 postlogd
showq unix n - - showq
"""


class Postfix(BelowMTA):
    """Postfix, which hands everything to Dovecot's LMTP."""

    name = "postfix-dovecot"

    def configure_mta(self) -> None:
        self.make_folder("queue", "root")
        self.make_folder("data", "postfix")
        text = MAIN.format(
            folder=self.folder,
            domain=DOMAIN,
            host=HOST,
            foreign=FOREIGN,
            next=self.place.port + NEXT,
        )
        self.write("postfix/main.cf", text)
        rows = [f"{HOST}:{self.ports['smtp']} inet n - n - - smtpd"]
        for line in SERVICES.splitlines():
            name, kind, private, wake, most, command = line.split()
            rows.append(f"{name} {kind} {private} - n {wake} {most} {command}")
        self.write("postfix/master.cf", "\n".join(rows) + "\n")
        # Makes the folders of the queue; what it says about owners is no matter.
        run("sh", "-c", 'postfix -c "$0" check || true', self._configuration)

    @property
    def _configuration(self) -> Path:
        return self.path("postfix")

    def launch_mta(self) -> None:
        self.spawn(
            ["/usr/lib/postfix/sbin/master", "-c", self._configuration, "-d"],
            environment={"MAIL_CONFIG": str(self._configuration)},
        )

    def version(self) -> str:
        words = first_line("postconf", "-h", "-d", "mail_version")
        return f"Postfix {words}, {super().version()}"
