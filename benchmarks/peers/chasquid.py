"""chasquid before Dovecot."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .base import DOMAIN, HOST, PASSWORD, CannotStart, run, seeing
from .dovecot import BelowMTA

CONFIGURATION = """\
hostname: "mx.{domain}"
max_data_size_mb: 50
smtp_address: "{host}:{smtp}"
submission_address: "{host}:{submission}"
monitoring_address: ""
data_dir: "{folder}/chasquid-data"
mail_log_path: "{folder}/chasquid-mail.log"
mail_delivery_agent_bin: "{agent}"
mail_delivery_agent_args: "--addr"
mail_delivery_agent_args: "{folder}/lmtp.sock"
mail_delivery_agent_args: "-f"
mail_delivery_agent_args: "%from%"
mail_delivery_agent_args: "-d"
mail_delivery_agent_args: "%to%"
"""
#: It looks up SPF for every message, which cannot be turned off.  The names here
#: exist nowhere; it is told so at once, instead of waiting for a DNS that is far.
NAME_SERVER = "127.0.0.77"
NO_NAMES = Path(__file__).with_name("no_names.py")


class Chasquid(BelowMTA):
    """chasquid, which hands everything to Dovecot's LMTP by its mda-lmtp."""

    name = "chasquid-dovecot"
    is_slow = True

    def program(self, name: str) -> Path:
        """A program of its package, unpacked or installed.

        :raises CannotStart: there is none.
        """
        unpacked = self.place.programs.get("unpacked", Path("/nonexistent"))
        for path in (unpacked / "usr/bin" / name, Path("/usr/bin") / name):
            if path.exists():
                return path
        raise CannotStart(f"chasquid-dovecot: no {name}: run with --install")

    def configure_mta(self) -> None:
        self.make_folder(f"chasquid/domains/{DOMAIN}")
        self.make_folder(f"chasquid/certs/mx.{DOMAIN}")
        self.make_folder("chasquid-data")
        for source, target in (("certificate", "fullchain"), ("key", "privkey")):
            shutil.copy(
                self.path(f"{source}.pem"),
                self.path(f"chasquid/certs/mx.{DOMAIN}/{target}.pem"),
            )
        text = CONFIGURATION.format(
            domain=DOMAIN,
            host=HOST,
            folder=self.folder,
            agent=self.program("mda-lmtp"),
            smtp=self.ports["smtp"],
            submission=self.place.port + 87,
        )
        self.write("chasquid/chasquid.conf", text)
        self.write("resolv.conf", f"nameserver {NAME_SERVER}\n")
        for user in self.users:
            run(
                self.program("chasquid-util"),
                f"--configdir={self.path('chasquid')}",
                "user-add",
                user,
                f"--password={PASSWORD}",
            )

    def launch_mta(self) -> None:
        self.spawn([sys.executable, "-I", NO_NAMES, NAME_SERVER], counted=False)
        options = f"-config_dir={self.path('chasquid')}"
        files = {"/etc/resolv.conf": self.path("resolv.conf")}
        self.spawn(seeing(files, [self.program("chasquid"), options]))

    def version(self) -> str:
        words = run(self.program("chasquid"), "--version").split()
        return f"chasquid {words[1] if len(words) > 1 else '?'}, {super().version()}"
