"""How many lines a second bare servers answer, and what each line costs them."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from pathlib import Path

HOST = "127.0.0.1"
SERVER = Path(__file__).with_name("echo_server.py")
LINE = b"MAIL FROM:<someone@example.org>\r\n"
CLIENTS = 50
#: Seconds for a server to listen.
PATIENCE = 10.0
TICK = os.sysconf("SC_CLK_TCK")


def _cpu(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def _connect(port: int) -> socket.socket:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            client = socket.create_connection((HOST, port))
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return client


def echo(
    python: Path, kind: str, port: int, seconds: float, together: int = 1
) -> tuple[float, float]:
    """Lines per second, and microseconds of the server's CPU for each.

    :param kind: one of ``echo_server.KINDS``.
    :param together: lines in one packet.
    """
    server = subprocess.Popen([python, "-I", SERVER, kind, str(port)])
    try:
        clients = {}
        for _ in range(CLIENTS):
            client = _connect(port)
            clients[client.fileno()] = client
        before, begin = _cpu(server.pid), time.perf_counter()
        count = _talk(clients, LINE * together, seconds)
        gone, used = time.perf_counter() - begin, _cpu(server.pid) - before
        for client in clients.values():
            client.close()
        lines = count * together
        return lines / gone, used / max(1, lines) * 1e6
    finally:
        server.terminate()
        server.wait()


def _talk(clients: dict[int, socket.socket], data: bytes, seconds: float) -> int:
    """Ask, and ask again when the answer is there: how many answers."""
    expected = len(data) + 4 * data.count(b"\r\n")
    missing = dict.fromkeys(clients, expected)
    poll, count = select.epoll(), 0
    for number, client in clients.items():
        poll.register(number, select.EPOLLIN)
        client.send(data)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number, _ in poll.poll(0.1):
            missing[number] -= len(clients[number].recv(65_536))
            if missing[number] == 0:
                missing[number] = expected
                clients[number].send(data)
                count += 1
    poll.close()
    return count
