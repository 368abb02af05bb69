"""The administration socket: the end of a command.

Nothing here needs Twisted, so that a command starts quickly.
"""

from __future__ import annotations

import json
import os
import select
import socket
from typing import Any

from ..store.unixpath import address_of
from .outcome import Exit, Failure
from .wire import FOLDER, MAX_ANSWER, MAX_QUESTION, NAME

#: Seconds that the server may take for an answer.
PATIENCE = 90.0


class TooLong(Exception):
    """A question that no server takes."""


class Server:
    """The server that runs in a data folder.

    :param connection: to its administration socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, question: str, **details: Any) -> dict[str, Any]:
        """Its answer.

        :raises Failure: it says that it cannot, or goes away.
        :raises TooLong: see :data:`mailhub.admin.wire.MAX_QUESTION`.
        """
        asked = {"ask": question, "details": details}
        data = json.dumps(asked, ensure_ascii=False).encode() + b"\n"
        if len(data) > MAX_QUESTION:
            raise TooLong(f"{len(data)} octets")
        try:
            self._connection.sendall(data)
            reply = json.loads(self._line())
        except (OSError, ValueError) as error:
            text = f"the server does not answer: {error}"
            raise Failure(Exit.TRY_AGAIN, text) from None
        if "failure" in reply:
            failure = reply["failure"]
            raise Failure(Exit(failure["code"]), failure["text"])
        answer: dict[str, Any] = reply["answer"]
        return answer

    def wait_for_end(self, pid: int, patience: float) -> bool:
        """Wait until the process *pid* of the server has ended.

        -> whether it has, within *patience* seconds
        """
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        except (OSError, AttributeError):
            # Not here: the end of the connection is next to the end of the process.
            return bool(select.select([self._connection], [], [], patience)[0])
        try:
            return bool(select.select([process], [], [], patience)[0])
        finally:
            os.close(process)

    def _line(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while not parts or not parts[-1].endswith(b"\n"):
            part = self._connection.recv(1 << 20)
            if not part:
                raise ConnectionResetError("it has closed the connection")
            parts.append(part)
            total += len(part)
            if total > MAX_ANSWER:
                raise ValueError("it says more than anybody would read")
        return b"".join(parts)


def find(data: str) -> Server | None:
    """The server that runs in the data folder *data*.

    ``None`` where none does, or it is not for this user to talk to it: the kernel
    tells an abandoned socket from one where somebody listens.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE)
    try:
        with address_of(os.path.join(data, FOLDER), NAME) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        return None
    return Server(connection)
