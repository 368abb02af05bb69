"""What programs on this machine want to be sent, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import MailError
from ..mail.address import Address
from ..mail.envelope import MailParameters, RecipientParameters
from ..smtp.batch import Batch


@dataclass(frozen=True, slots=True)
class Post:
    """What a program wants to be sent.

    :ivar user: whose program it is.
    :ivar wishes: for all recipients alike.
    """

    user: str
    sender: Address | None
    recipients: tuple[Address, ...]
    parameters: MailParameters = MailParameters()
    wishes: RecipientParameters = RecipientParameters()

    @property
    def batch(self) -> Batch:
        """Its envelope, without the user."""
        recipients = tuple(dict.fromkeys(self.recipients))
        wishes = dict.fromkeys(recipients, self.wishes)
        return Batch(self.sender, recipients, self.parameters, wishes)


@dataclass(slots=True)
class Posted:
    """What became of it.

    :ivar queue_id: its name in the log and in the queue.
    :ivar refused: why somebody does not get it.
    """

    queue_id: str
    refused: dict[Address, MailError] = field(default_factory=dict)
