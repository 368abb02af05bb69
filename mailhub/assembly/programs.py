"""Mail from programs on this machine, into the store itself: no server has to run."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..config.folder import prepare_folder
from ..config.identity import server_name
from ..config.settings import Config
from ..errors import MailError, MessageTooLarge
from ..mail.address import Address
from ..mail.envelope import Envelope, MailParameters, Peer, RecipientParameters
from ..routing.dispatching import Dispatching, random_id
from ..routing.planning import InTurn
from ..routing.submission import ProgramSubmission
from ..routing.successes import Successes
from ..smtp.trace import received_locally
from .stores import make_store, router_of
from .tables import Tables

#: What stands for the listener in envelopes.
SERVICE = "sendmail"


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


@dataclass(slots=True)
class Posted:
    """What became of it.

    :ivar queue_id: its name in the log and in the queue.
    :ivar refused: why somebody does not get it.
    """

    queue_id: str
    refused: dict[Address, MailError] = field(default_factory=dict)


class PostOffice:
    """Takes mail as long as it is open.

    :ivar submission: the avatar that takes it.
    :ivar local_name: what this machine calls itself.
    :ivar spool: makes a place for a message.
    :ivar queues: whether all extensions that need a queue can be had.
    """

    queues = True

    def __init__(self, config: Config, store: Any) -> None:
        router = router_of(config, store.directory, Tables.here(config).sources)
        self.local_name = server_name(config)
        dispatching = Dispatching(router, self.local_name, limits=config.queue)
        self.submission = ProgramSubmission(
            store, router, outlet=InTurn(), limits=config.queue,
            tell_success=Successes(self.local_name, dispatching.dispatch),
        )  # fmt: skip
        self.spool = store.spool
        self._largest = config.limits.message_size

    async def send(self, post: Post, pieces: Iterable[bytes]) -> Posted:
        """Take a message for all recipients who can have it.

        :param pieces: its octets, lines ended by CRLF.
        :raises MailError: nobody gets it.
        """
        envelope = Envelope(
            random_id(), Peer("", 0, SERVICE, self.local_name), post.user, post.sender,
            post.parameters,
        )  # fmt: skip
        posted = Posted(envelope.id)
        await self.submission.sender(envelope)
        for address in dict.fromkeys(post.recipients):
            await self._add(envelope, address, post.wishes, posted)
        if not envelope.recipients:
            return posted
        now = int(time.time())
        envelope.trace = received_locally(envelope, post.user, now)
        content = self._content(pieces)
        try:
            await self.submission.message(envelope, content)
        finally:
            content.close()
        return posted

    async def _add(
        self,
        envelope: Envelope,
        address: Address,
        wishes: RecipientParameters,
        posted: Posted,
    ) -> None:
        if wishes != RecipientParameters():
            envelope.wishes[address] = wishes
        try:
            await self.submission.recipient(envelope, address)
        except MailError as error:
            posted.refused[address] = error
        else:
            envelope.recipients.append(address)

    def _content(self, pieces: Iterable[bytes]) -> Any:
        """
        :raises MessageTooLarge:
        """
        spool = self.spool()
        try:
            for piece in pieces:
                spool.write(piece)
                if spool.size > self._largest:
                    raise MessageTooLarge(f"more than {self._largest} octets")
            return spool.finish()
        finally:
            spool.close()


@asynccontextmanager
async def post_office(config: Config, reactor: Any) -> AsyncIterator[PostOffice]:
    """A place to bring mail to.

    :raises ConfigError: the data folder cannot be used.
    :raises MailError: the store cannot be opened.
    """
    prepare_folder(config)
    store = make_store(config, reactor)
    await store.start()
    try:
        yield PostOffice(config, store)
    finally:
        await store.stop()
