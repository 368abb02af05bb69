"""Mail from programs on this machine, into the store itself: no server has to run."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from ..config.folder import prepare_folder
from ..config.naming import server_name
from ..config.settings import Config
from ..errors import MailError, MessageTooLarge
from ..mail.address import Address
from ..mail.envelope import Envelope, Peer, RecipientParameters
from ..routing.dispatching import Dispatching, random_id
from ..routing.planning import InTurn
from ..routing.submission import ProgramSubmission
from ..routing.successes import Successes
from ..smtp.batch import Batch
from ..smtp.trace import received_locally
from ..store.content import READ_SIZE
from .posts import Post, Posted
from .stores import make_store, router_of
from .tables import Tables

#: What stands for the listener in envelopes.
SERVICE = "sendmail"


class Box(Protocol):
    """Where mail is left: :class:`.handing_in.DropBox`."""

    def leave(self, batch: Batch, pieces: Iterable[bytes]) -> str: ...


class PostOffice:
    """Takes mail as long as it is open.

    :ivar submission: the avatar that takes it.
    :ivar local_name: what this machine calls itself.
    :ivar spool: makes a place for a message.
    :ivar queues: whether all extensions that need a queue can be had.
    :ivar box: takes what cannot be had now, for the server to try again; ``None``:
        nobody does, and who brings it is told.
    """

    queues = True
    box: Box | None = None

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
        later = self._later(posted)
        if not (envelope.recipients or later):
            return posted
        now = int(time.time())
        envelope.trace = received_locally(envelope, post.user, now)
        content = self._content(pieces)
        try:
            await self._leave(post, later, content)
            if envelope.recipients:
                await self._submit(post, envelope, content)
        finally:
            content.close()
        for address in later:
            del posted.refused[address]
        return posted

    def _later(self, posted: Posted) -> list[Address]:
        """Those who may have it another time, where somebody sees to that."""
        if self.box is None:
            return []
        refused = posted.refused.items()
        return [address for address, error in refused if not error.permanent]

    async def _submit(self, post: Post, envelope: Envelope, content: Any) -> None:
        try:
            await self.submission.message(envelope, content)
        except MailError as error:
            if error.permanent or self.box is None:
                raise
            await self._leave(post, envelope.recipients, content)

    async def _leave(
        self, post: Post, recipients: Sequence[Address], content: Any
    ) -> None:
        if recipients and self.box is not None:
            some = replace(post, recipients=tuple(recipients))
            self.box.leave(some.batch, await pieces_of(content))

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


async def pieces_of(content: Any) -> list[bytes]:
    """All octets of an ``IContent``."""
    return [
        await content.read(start, start + READ_SIZE)
        for start in range(0, content.size, READ_SIZE)
    ]


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
