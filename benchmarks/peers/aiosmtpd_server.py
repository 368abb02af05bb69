"""An SMTP server of aiosmtpd: ``aiosmtpd_server.py PORT FOLDER``.

Each recipient has a Maildir below FOLDER; ``mailbox.Maildir`` flushes every file.
There is no queue, no index and no log: a bound for what needs those.
"""

from __future__ import annotations

import asyncio
import mailbox
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP


class Maildirs:
    """Takes what aiosmtpd has received."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, mailbox.Maildir] = {}
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Store a message for all its recipients."""
        for recipient in envelope.rcpt_tos:
            if recipient not in self._open:
                self._open[recipient] = mailbox.Maildir(self._folder / recipient)
            self._open[recipient].add(envelope.content)
        return "250 OK"


async def main(port: int, folder: Path) -> None:
    """Serve for ever."""
    loop, maildirs = asyncio.get_running_loop(), Maildirs(folder)
    server = await loop.create_server(
        lambda: SMTP(
            maildirs, loop=loop, hostname="mx.bench.test", data_size_limit=50_000_000
        ),
        "127.0.0.1",
        port,
        backlog=1024,
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
