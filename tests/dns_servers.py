"""Real name servers on the loopback: Knot with zones that it signs, and Unbound, which
validates them.  Nothing else is known to them, and nothing leaves the machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from mailhub.mail.dns import RecordType
from mailhub.net.dns_exchange import NameServer
from mailhub.net.dns_message import (
    Code,
    encode_name,
    encode_query,
    encode_question,
    is_reply_to,
)

from .programs import require

HOST = "127.0.0.1"
#: Seconds in which a server has to start.
PATIENCE = 20.0

_KNOT = """\
server:
    rundir: "{folder}"
    listen: {host}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: notice
database:
    storage: "{folder}/db"
policy:
  - id: quick
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: "{folder}"
    file: "%s.zone"
    zonefile-sync: -1
zone:
"""
_UNBOUND = """\
server:
    interface: {host}@{port}
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    do-ip6: no
    num-threads: 1
    module-config: "validator iterator"
    do-not-query-localhost: no
    qname-minimisation: no
    local-zone: "." static
remote-control:
    control-enable: no
"""
_ZONE = """\
$ORIGIN {zone}.
$TTL 300
@ SOA ns admin 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
"""


class RealNames:
    """A zone server and a validating resolver in front of it.

    :param zones: for each zone its records, in the master file's syntax.
    :param signed: those that are signed.
    :param forged: those of which the resolver has a key, and which are not signed with
        it: it does not answer for them.
    :param at: where the resolver listens, on the loopback.
    :ivar resolver: the one that validates.
    """

    def __init__(
        self,
        zones: Mapping[str, str],
        signed: tuple[str, ...] = (),
        forged: tuple[str, ...] = (),
        at: tuple[str, int] | None = None,
    ) -> None:
        # A short path: the zone server's UNIX socket is in it (unix(7): 108 octets).
        self._folder = Path(tempfile.mkdtemp(prefix="mailhub-dns-"))
        self._zones = zones
        self._signed = signed
        self._forged = forged
        self._processes: list[subprocess.Popen[bytes]] = []
        self._source = NameServer(HOST, free_port())
        host, port = at or (HOST, free_port())
        self.resolver = NameServer(host, port, trusted=True)

    def start(self) -> None:
        """Returns when both answer."""
        (self._folder / "db").mkdir()
        knot, unbound = require("knotd"), require("unbound")
        self._write_knot()
        self._run([knot, "-c", str(self._folder / "knot.conf")])
        for zone in self._zones:
            wanted = RecordType.SOA if zone not in self._signed else _DNSKEY
            wait_for(self._source, zone, wanted)
        self._write_unbound()
        self._run([unbound, "-d", "-c", str(self._folder / "unbound.conf")])
        for zone in self._zones.keys() - set(self._forged):
            wait_for(self.resolver, zone, RecordType.SOA)

    def stop(self) -> None:
        """Ends both."""
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, command: list[str]) -> None:
        with open(self._folder / "log", "ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            )

    def _write_knot(self) -> None:
        text = _KNOT.format(folder=self._folder, host=HOST, port=self._source.port)
        for zone, records in self._zones.items():
            self._write(f"{zone}.zone", _ZONE.format(zone=zone) + records)
            text += f"  - domain: {zone}\n"
            if zone in self._signed:
                text += "    dnssec-signing: on\n    dnssec-policy: quick\n"
                text += "    journal-content: all\n"
        self._write("knot.conf", text)

    def _write_unbound(self) -> None:
        keys = {zone: self._key(zone) for zone in self._signed}
        any_key = next(iter(keys.values()), "")
        keys |= dict.fromkeys(self._forged, any_key)
        anchors = "".join(
            f"{zone}. 300 IN DNSKEY \\# {key}\n" for zone, key in keys.items()
        )
        self._write("anchors", anchors)
        text = _UNBOUND.format(
            folder=self._folder, host=self.resolver.host, port=self.resolver.port
        )
        clauses = [f'server:\n    trust-anchor-file: "{self._folder}/anchors"\n']
        for zone in self._zones:
            clauses.append(f'    local-zone: "{zone}." transparent\n')
        for zone in self._zones:
            clauses.append(
                f'stub-zone:\n    name: "{zone}"\n'
                f"    stub-addr: {HOST}@{self._source.port}\n"
            )
        self._write("unbound.conf", text + "".join(clauses))

    def _key(self, zone: str) -> str:
        """The key that *zone* is signed with, as plain octets (RFC 3597, section 5)."""
        message = ask(self._source, zone, _DNSKEY)
        # Flags 257, protocol 3, algorithm 13 (RFC 4034, section 2.1; RFC 6605).
        start = message.index(b"\x01\x01\x03\x0d")
        data = message[start : start + 4 + 64]
        return f"{len(data)} {data.hex()}"

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)


_DNSKEY = 48


def free_port() -> int:
    """A port that nobody uses now, neither by UDP nor by TCP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as other:
            stream.bind((HOST, 0))
            port: int = stream.getsockname()[1]
            try:
                other.bind((HOST, port))
            except OSError:
                continue
            return port


def ask(server: NameServer, name: str, kind: int) -> bytes:
    """What *server* answers by UDP.

    :raises OSError: nothing, or not soon.
    """
    question = encode_question(encode_name(name), kind)
    ident = int.from_bytes(os.urandom(2), "big")
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(1.0)
        asking.connect((server.host, server.port))
        asking.send(encode_query(ident, question))
        message = asking.recv(4096)
    if not is_reply_to(message, ident, question):
        raise OSError("an answer to something else")
    return message


def wait_for(server: NameServer, name: str, kind: int) -> None:
    """Ask until there is such a record."""
    end = time.monotonic() + PATIENCE
    while not _has(server, name, kind):
        if time.monotonic() > end:
            raise AssertionError(f"{server} does not answer for {name}")
        time.sleep(0.02)


def _has(server: NameServer, name: str, kind: int) -> bool:
    try:
        message = ask(server, name, kind)
    except OSError:
        return False
    if message[3] & 0x0F != Code.NOERROR:
        return False
    return int.from_bytes(message[6:8], "big") > 0
