"""How fast two processes of this machine talk, in clear and over TLS."""

from __future__ import annotations

import os
import socket
import ssl
import time
from pathlib import Path

from ..wire import CHUNK, client_tls

#: Octets of one send.
SENT = 65_536


def _serve(server: socket.socket, seconds: float, tls: ssl.SSLContext | None) -> None:
    """Send to one client for some time; in a process that ends then."""
    client, _ = server.accept()
    stream = tls.wrap_socket(client, server_side=True) if tls else client
    data, end = bytes(SENT), time.monotonic() + seconds
    while time.monotonic() < end:
        stream.sendall(data)
    stream.close()


def _rate(seconds: float, tls: ssl.SSLContext | None) -> float:
    """MB/s."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = os.fork()
        if child == 0:
            try:
                _serve(server, seconds, tls)
            finally:
                os._exit(0)
        plain = socket.create_connection(server.getsockname())
        total, begin, chunk = 0, time.perf_counter(), bytearray(CHUNK)
        with client_tls().wrap_socket(plain) if tls else plain as client:
            while count := _receive(client, chunk):
                total += count
        gone = time.perf_counter() - begin
        os.waitpid(child, 0)
    return total / gone / 1e6


def _receive(client: socket.socket, chunk: bytearray) -> int:
    try:
        return client.recv_into(chunk)
    except ssl.SSLEOFError:  # the sender just ends
        return 0


def in_clear(folder: Path, seconds: float) -> float:
    """64 KiB at a time, MB/s."""
    return _rate(seconds, None)


def over_tls(folder: Path, seconds: float) -> float:
    """The same over TLS 1.3, one core at each end; *folder* has a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return _rate(seconds, context)
