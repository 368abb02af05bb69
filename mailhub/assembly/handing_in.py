"""A place to bring mail to, for whoever calls: the store, or the folder for users."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from zope.interface import implementer

from ..config.folder import as_owner_of
from ..config.settings import Config
from ..errors import LocalFault, MailError
from ..interfaces import ISubmission
from ..mail.address import Address
from ..mail.envelope import Envelope
from ..net.spool import Spool
from ..smtp.batch import Batch
from .drop_box import DropBox, box_for_users, spare_box
from .posts import Post, Posted
from .programs import pieces_of, post_office


@implementer(ISubmission)
class Leaving:
    """An office whose mail goes into a *box*, and the avatar that takes it.

    The attributes are those of :class:`.programs.PostOffice`.
    """

    queues = False

    def __init__(self, box: DropBox) -> None:
        self._box = box
        self.local_name = box.local_name
        self.spool = Spool
        self.submission = self

    async def send(self, post: Post, pieces: Iterable[bytes]) -> Posted:
        """See :meth:`.programs.PostOffice.send`."""
        return Posted(self._box.leave(post.batch, pieces))

    async def sender(self, envelope: Envelope) -> None:
        """Anybody; the server says what it thinks of that in the message."""

    async def recipient(self, envelope: Envelope, address: Address) -> None:
        """Anybody."""

    async def message(
        self, envelope: Envelope, content: Any
    ) -> list[MailError | None]:
        """See :meth:`.drop_box.DropBox.leave`."""
        recipients = tuple(envelope.recipients)
        self._box.leave(
            Batch(envelope.sender, recipients, envelope.parameters, envelope.wishes),
            await pieces_of(content),
        )
        return [None] * len(recipients)


@asynccontextmanager
async def nearest_office(config: Config, reactor: Any) -> AsyncIterator[Any]:
    """A :class:`.programs.PostOffice`, or a :class:`Leaving`.

    What the store cannot take now goes into the drop box, if there is one, and the
    server tries again.

    :raises ConfigError: the data folder cannot be used.
    :raises MailError: there is no place.
    """
    users = box_for_users(config)
    if users is not None:
        yield Leaving(users)
        return
    box = spare_box(config)
    with as_owner_of(config.server.data):
        async with AsyncExitStack() as stack:
            office: Any
            try:
                opening = post_office(config, reactor)
                office = await stack.enter_async_context(opening)
                office.box = box
            except LocalFault:
                if box is None:
                    raise
                office = Leaving(box)
            yield office
