"""All that a server shows of its store, read by IMAP."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing

from .crowd import MAILBOXES
from .ledger import Ledger, recognise
from .promises import FLAGS, Found
from .subject import PASSWORD, USERS, Ports
from .wire import Gone, IMAPWire, Refused

#: Messages to ask for at a time.
BATCH = 200

_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_UID = re.compile(rb"UID (\d+)")
_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]")
_EXISTS = re.compile(rb"(\d+) EXISTS")


class Inspector:
    """Reads what is new each time; a UID never means another message.

    :param ledger: knows every message.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[tuple[str, str], dict[int, int]] = {}
        self._validity: dict[tuple[str, str], int] = {}

    def forget(self) -> None:
        """Read every octet the next time."""
        self._known.clear()

    def read(self, ports: Ports) -> Found:
        """Every mailbox of every user."""
        found = Found()
        for user in USERS:
            for mailbox in MAILBOXES:
                _Visit(self, ports, user, mailbox, found).read()
        return found

    def check_validity(self, place: tuple[str, str], validity: int) -> bool:
        """Whether a mailbox's UIDVALIDITY is what it always was."""
        return self._validity.setdefault(place, validity) == validity

    def known(self, place: tuple[str, str]) -> dict[int, int]:
        """Numbers of messages that were right when they were read, by UID."""
        return self._known.setdefault(place, {})

    def recognise(self, data: bytes) -> tuple[int, bool]:
        """See :func:`.ledger.recognise`."""
        return recognise(self._ledger, data)


class _Visit:
    """One mailbox, read once."""

    def __init__(
        self, inspector: Inspector, ports: Ports, user: str, mailbox: str, found: Found
    ) -> None:
        self._inspector = inspector
        self._ports = ports
        self._place = (user, mailbox)
        self._found = found

    def read(self) -> None:
        user, mailbox = self._place
        with closing(self._session()) as client:
            responses = client.command(f"EXAMINE {mailbox}")
            exists = _number(_EXISTS, responses)
            validity = _number(_VALIDITY, responses)
            flags = dict(_flags(client)) if exists else {}
        if len(flags) != exists:
            self._complain(f"{exists} messages exist, {len(flags)} are there")
        if not self._inspector.check_validity(self._place, validity):
            self._complain("UIDVALIDITY has changed")
        known = self._inspector.known(self._place)
        self._fetch([uid for uid in flags if uid not in known])
        for uid, words in flags.items():
            if uid in known:
                kept = tuple(flag for flag in FLAGS if flag in words)
                self._found.places[known[uid], user].append((mailbox, kept))

    def _fetch(self, uids: list[int]) -> None:
        for start in range(0, len(uids), BATCH):
            batch = uids[start : start + BATCH]
            try:
                self._fetch_batch(batch)
            except (Gone, Refused):
                # The server cannot give one of them.
                for uid in batch:
                    self._fetch_one(uid)

    def _fetch_one(self, uid: int) -> None:
        try:
            self._fetch_batch([uid])
        except (Gone, Refused) as error:
            self._complain(f"UID {uid} cannot be read: {error}")

    def _fetch_batch(self, uids: list[int]) -> None:
        known, missing = self._inspector.known(self._place), set(uids)
        with closing(self._session()) as client:
            client.command(f"EXAMINE {self._place[1]}")
            for response in client.command(
                f"UID FETCH {','.join(map(str, uids))} (UID BODY.PEEK[])"
            ):
                found = _UID.search(response[0])
                if len(response) < 2 or found is None:
                    continue
                number, is_whole = self._inspector.recognise(response[1])
                missing.discard(int(found[1]))
                if is_whole:
                    known[int(found[1])] = number
                else:
                    self._complain(f"UID {int(found[1])}: {len(response[1])} octets")
        for uid in missing:
            self._complain(f"UID {uid} is listed, and not given")

    def _session(self) -> IMAPWire:
        return IMAPWire(self._ports.imap, self._place[0], PASSWORD)

    def _complain(self, text: str) -> None:
        self._found.damage.append(f"{self._place}: {text}")


def _flags(client: IMAPWire) -> Iterator[tuple[int, list[str]]]:
    for response in client.command("UID FETCH 1:* (UID FLAGS)"):
        uid, flags = _UID.search(response[0]), _FLAGS.search(response[0])
        if uid and flags:
            yield int(uid[1]), flags[1].decode().split()


def _number(pattern: re.Pattern[bytes], responses: Iterable[list[bytes]]) -> int:
    [found] = filter(None, (pattern.search(each[0]) for each in responses))
    return int(found[1])
