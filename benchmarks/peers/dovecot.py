"""Dovecot, alone (IMAP, POP3, LMTP) and below another server's SMTP."""

from __future__ import annotations

from .base import HOST, PASSWORD, Peer, first_line

#: Login processes that stay and serve many, IMAP processes that are used again:
#: what Dovecot's manual calls the high-performance mode.
TUNED = """
service imap-login {
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 6000
}
service pop3-login {
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 6000
}
service imap {
  service_count = 100
}
"""
#: Limits are raised, nothing else is changed:
#: mail_fsync stays as it is shipped, so deliveries are flushed.
CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap pop3 lmtp
listen = {host}
mail_location = maildir:~/Maildir
mail_home = {folder}/home/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 8
first_valid_gid = 8
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_max_userip_connections = 20000
default_process_limit = 12000
default_client_limit = 14000
default_vsz_limit = 1G
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/passwords
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/home/%u
}}
namespace inbox {{
  inbox = yes
}}
service imap {{
  process_limit = 12000
}}
service anvil {{
  client_limit = 30000
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
  unix_listener {folder}/lmtp.sock {{
    mode = 0666
  }}
}}
{more}
"""


class Dovecot(Peer):
    """IMAP and POP3 with Maildirs, as it is shipped but for its limits."""

    name = "dovecot"
    services: tuple[str, ...] = ("imap", "imaps", "pop3", "pop3s", "lmtp")
    more = ""

    def configure(self) -> None:
        self.make_folder("home", "mail")
        lines = [f"{user}:{{PLAIN}}{PASSWORD}::::::\n" for user in self.users]
        self.write("passwords", "".join(lines))
        certificate, key = self.certificate()
        text = CONFIGURATION.format(
            folder=self.folder,
            host=HOST,
            certificate=certificate,
            key=key,
            more=self.more,
            **self.ports,
        )
        self.write("dovecot.conf", text)

    def launch(self) -> None:
        self.spawn(["/usr/sbin/dovecot", "-F", "-c", self.path("dovecot.conf")])

    def version(self) -> str:
        return f"Dovecot {first_line('/usr/sbin/dovecot', '--version')}"


class TunedDovecot(Dovecot):
    """With login processes that serve more than one connection."""

    name = "dovecot-tuned"
    more = TUNED


class BelowMTA(Dovecot):
    """Takes its mail from the SMTP server of another program, by LMTP."""

    services = (*Dovecot.services, "smtp")

    def configure(self) -> None:
        super().configure()
        self.configure_mta()

    def configure_mta(self) -> None:
        """Write what the SMTP server needs."""
        raise NotImplementedError

    def launch(self) -> None:
        super().launch()
        self.launch_mta()

    def launch_mta(self) -> None:
        """Start the SMTP server."""
        raise NotImplementedError
