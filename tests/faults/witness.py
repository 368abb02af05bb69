"""Clients that go on whatever they are told, and write down each word of it."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock

from .subject import PASSWORD
from .wire import Gone, IMAPWire, Refused, Wire

#: What a fault of the server's may be answered with (RFC 5321, section 4.2.3; RFC
#: 3463): try again later.
TRY_AGAIN = (b"451 4.3.0", b"452 4.3.1")


class Notes:
    """What was said.

    :ivar replies: how often, by code and enhanced code of SMTP, or status and
        response code of IMAP, or ``+OK`` and ``-ERR`` of POP3.
    :ivar cuts: connections that ended without a word.
    """

    def __init__(self) -> None:
        self.replies: Counter[bytes] = Counter()
        self.cuts: list[str] = []
        self._lock = Lock()

    def hear(self, reply: bytes) -> bytes:
        """Count a reply of SMTP.  -> what counts of it"""
        words = reply.split(b" ")
        code = words[0][:3]
        enhanced = len(words) > 1 and words[1].count(b".") == 2
        key = b" ".join([code, words[1]]) if enhanced else code
        return self.note(key)

    def note(self, key: bytes) -> bytes:
        """Count *key*."""
        with self._lock:
            self.replies[key] += 1
        return key

    def cut(self, where: str) -> None:
        """A connection has ended."""
        with self._lock:
            self.cuts.append(where)

    def number(self, *starts: bytes) -> int:
        """Of replies that begin with one of *starts*."""
        return sum(n for key, n in self.replies.items() if key.startswith(starts))

    def others(self, allowed: Sequence[bytes]) -> dict[str, int]:
        """The replies that do not begin with one of *allowed*."""
        return {
            key.decode(errors="replace"): number
            for key, number in sorted(self.replies.items())
            if not key.startswith(tuple(allowed))
        }

    def __str__(self) -> str:
        return ", ".join(
            f"{key.decode(errors='replace')}: {number}"
            for key, number in sorted(self.replies.items())
        )


class Sender:
    """Sends over SMTP, on one connection while that is open."""

    def __init__(self, port: int, notes: Notes) -> None:
        self._port = port
        self._notes = notes
        self._wire: Wire | None = None

    def send(
        self,
        sender: str,
        recipient: str,
        data: bytes,
        size: bool = True,
        before_end: Callable[[], object] | None = None,
    ) -> bool:
        """One transaction.  -> whether the message was taken

        :param size: tell it before (RFC 1870).
        :param before_end: called when all of the message but its end has been sent.
        """
        try:
            if not self._begin(sender, recipient, data, size):
                return False
            return self._send_data(data, before_end)
        except Gone as gone:
            if not str(gone):
                self._notes.cut("SMTP")
        except OSError as error:
            self._notes.cut(f"SMTP: {error}")
        self.close()
        return False

    def _begin(self, sender: str, recipient: str, data: bytes, size: bool) -> bool:
        """-> whether the message may be sent"""
        if self._wire is None:
            self._wire = Wire(self._port)
            self._reply()
            self.ask(b"EHLO client.example.net")
        announced = b" SIZE=%d" % len(data) if size else b""
        for command, code in (
            (b"MAIL FROM:<%b>%b" % (sender.encode(), announced), b"250"),
            (b"RCPT TO:<%b>" % recipient.encode(), b"250"),
            (b"DATA", b"354"),
        ):
            if not self.ask(command).startswith(code):
                if command[:4] != b"MAIL":
                    self.ask(b"RSET")
                return False
        return True

    def _send_data(self, data: bytes, before_end: Callable[[], object] | None) -> bool:
        assert self._wire is not None
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        if before_end is not None:
            self._wire.send(stuffed)
            before_end()
            stuffed = b""
        self._wire.send(stuffed + b".\r\n")
        return self._reply().startswith(b"250")

    def ask(self, command: bytes) -> bytes:
        """A command.  -> what counts of its reply"""
        assert self._wire is not None
        self._wire.send(command + b"\r\n")
        return self._reply()

    def _reply(self) -> bytes:
        assert self._wire is not None
        line = self._wire.line()
        while line[3:4] == b"-":
            line = self._wire.line()
        key = self._notes.hear(line)
        if key.startswith(b"421"):
            raise Gone(line.decode(errors="replace"))
        return key

    def close(self) -> None:
        """End the connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


class Keeper:
    """An IMAP client that stays logged in.

    :ivar wire: its connection.
    """

    def __init__(self, port: int, user: str, notes: Notes) -> None:
        self.wire = IMAPWire(port, user, PASSWORD)
        self._notes = notes

    def ask(self, command: str, literal: bytes | None = None) -> list[list[bytes]]:
        """A command.  -> what it brought; nothing where it was refused"""
        try:
            responses = self.wire.command(command, literal)
        except Refused as refused:
            status = str(refused).rpartition(": ")[2].encode()
            words = status.split(b" ")
            code = words[1] if len(words) > 1 and words[1].startswith(b"[") else b""
            self._notes.note(b"%b %b" % (words[0], code))
            return []
        except (Gone, OSError) as error:
            self._notes.cut(f"IMAP: {command}: {error}")
            return []
        self._notes.note(b"OK")
        return responses

    def append(self, mailbox: str, data: bytes) -> bool:
        """-> whether it was taken"""
        return bool(self.ask(f"APPEND {mailbox}", data))

    def close(self) -> None:
        """End the connection."""
        self.wire.close()


class Reader:
    """A POP3 client.

    :ivar wire: its connection.
    """

    def __init__(self, port: int, user: str, notes: Notes) -> None:
        self.wire = Wire(port)
        self._notes = notes
        self.wire.line()
        secret = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self.ask(f"AUTH PLAIN {secret}")

    def ask(self, command: str) -> bool:
        """A command with one line for an answer.  -> whether it is ``+OK``"""
        with suppress(OSError, Gone):
            self.wire.send(command.encode() + b"\r\n")
            answer = self.wire.line()
            self._notes.note(answer.split(b" ")[0])
            return answer.startswith(b"+OK")
        self._notes.cut(f"POP3: {command}")
        return False

    def retrieve(self, number: int) -> bytes | None:
        """A message, or ``None``."""
        if not self.ask(f"RETR {number}"):
            return None
        lines = []
        try:
            while (line := self.wire.line()) != b".":
                lines.append(line.removeprefix(b".") if line[:2] == b".." else line)
        except (OSError, Gone) as error:
            self._notes.cut(f"POP3: RETR {number}: {error}")
            return None
        return b"\r\n".join(lines) + b"\r\n"

    def close(self) -> None:
        """End the connection."""
        self.wire.close()
