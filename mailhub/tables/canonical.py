"""canonical(5) of Postfix, genericstable of Sendmail: addresses that become others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import MailError
from ..mail.address import Address, parse_domain, parse_mailbox
from .lines import Notes, Remark, pairs, text_of

#: What Sendmail writes for the local part as it was.
_SAME_USER = "%1@"


@dataclass(frozen=True, slots=True)
class Canonical:
    """The entries of a file.

    :ivar entries: by ``user@domain``, ``user`` or ``@domain``, in lower case, the new
        address, or ``@domain`` for the same user there.
    """

    path: str = ""
    entries: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def find(self, address: str, *, is_own: bool) -> str | None:
        """What *address* is to be, in lower case; ``None`` if it stays so.

        :param is_own: whether its domain is one of the machine's own: there keys
            without a domain hold.
        """
        entries = self.entries
        if not entries:
            return None
        local, _, domain = address.rpartition("@")
        new = entries.get(address)
        if new is None and is_own:
            new = entries.get(local)
        if new is None:
            new = entries.get(f"@{domain}")
        if new is not None and new.startswith("@"):
            new = local + new
        return None if new == address else new


def parse_canonical(data: bytes, path: str, origin: str = "") -> Canonical:
    """The entries in a file; of several of a key the first counts.

    :param origin: the domain of new addresses that have none.
    :raises mailhub.tables.lines.MalformedTable: they cannot be followed.
    """
    notes = Notes(path)
    entries: dict[str, str] = {}
    for number, written, text in pairs(text_of(data, path), notes):
        try:
            new = _new(text, origin)
        except (MailError, UnicodeEncodeError) as error:
            notes.fault(number, str(error))
            continue
        if entries.setdefault(written.lower(), new) is not new:
            notes.remark(number, f"{written!r} was there before; the first counts")
    return Canonical(path, entries, notes.done())


def _new(text: str, origin: str) -> str:
    if text.startswith(_SAME_USER):
        text = text[len(_SAME_USER) - 1 :]
    if text.startswith("@"):
        return "@" + parse_domain(text[1:].encode(), smtputf8=True)
    if "@" not in text and origin:
        text = f"{text}@{origin}"
    address: Address = parse_mailbox(text.encode(), smtputf8=True)
    return str(address)
