"""Mail addresses as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox address: ``local@domain``.

    :ivar local: the local part, unquoted, as given (case kept).
    :ivar domain: in lower case; A-labels or ``[1.2.3.4]`` literals as given.
        Empty only for ``<postmaster>`` (RFC 5321, section 4.5.1).
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local
