"""Everything that changes a store, one operation each, to be killed in."""

from __future__ import annotations

import io
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react

from mailhub.cli.invocation import Terminal
from mailhub.cli.main import run as run_command
from mailhub.config.kinds import Endpoint
from mailhub.config.settings import DNS, PORTS, Config, Listen, Login, Server
from mailhub.mail.account import Delivery, Target
from mailhub.mail.flags import FlagChange
from mailhub.net.limits import Limits
from mailhub.net.spool import Spool
from mailhub.service import build
from mailhub.store.content import BytesContent
from mailhub.store.sqlite import migrations, schema
from mailhub.store.sqlite.store import SQLiteStore

from .ledger import LARGE_EVERY, make_message
from .nursery import Send
from .queue_operations import TASKS, performing
from .subject import HOST, PASSWORD, USERS
from .wire import IMAPWire, SMTPWire

#: Messages of the ledger: some are large, the others small.
LARGE, SMALL = LARGE_EVERY, 1
#: Seconds that a server needs to tidy up when there is nothing else to do.
TIDYING = 0.6
#: Seconds: garbage that old is removed.
LONG_AGO = 3600.0


def _nothing() -> None:
    """The program as it is."""


@dataclass(frozen=True)
class Operation:
    """What is done to a store.

    :ivar perform: in the child; what it sends with ``"answered"`` was promised.
    :ivar drive: in the parent, while a server runs in the child: returns after the
        answer.  Without it, :attr:`perform` does all.
    :ivar client: what :attr:`drive` is given: ``imap`` or ``smtp``.
    :ivar prepare: changes the store beforehand, which was closed in order.
    :ivar leaves_log: whether the store was killed beforehand instead.
    :ivar is_fresh: whether there is no store beforehand.
    :ivar changes: whether anybody can see that it was done.
    :ivar patch: changes the program, but not the one that prepares the store.
    :ivar spared: calls not to be killed at: the store makes many as it is opened,
        which other operations try.
    """

    name: str
    perform: Callable[[Path, Send], None]
    drive: Callable[[IMAPWire | SMTPWire], None] | None = None
    client: str = ""
    prepare: Callable[[SQLiteStore], Awaitable[None]] | None = None
    leaves_log: bool = False
    is_fresh: bool = False
    changes: bool = True
    patch: Callable[[], None] = _nothing
    spared: frozenset[str] = frozenset()


# In the child.


def open_store(
    folder: Path,
    task: Callable[[SQLiteStore], Awaitable[None]],
    *,
    age: float = 0.0,
    close: bool = True,
) -> None:
    """Do *task* with the store in *folder*, in a process without a reactor.

    :param age: seconds that its clock is behind.
    :param close: whether to close it in order; else the process ends here.
    """

    async def work(reactor: Any) -> None:
        store = SQLiteStore(
            str(folder), reactor=reactor, spool=Spool, now=lambda: time.time() - age
        )
        await store.start()
        await task(store)
        if not close:
            os._exit(0)
        await store.stop()

    try:
        react(lambda reactor: ensureDeferred(work(reactor)), [])
    except SystemExit as end:
        if end.code:
            raise


def serve(folder: Path, send: Send) -> None:
    """A whole server, until it is asked to end; sends its ports."""
    from twisted.internet import reactor

    anywhere = (Endpoint(HOST, 0),)
    listen: dict[str, Any] = dict.fromkeys(PORTS, ()) | {
        "smtp": anywhere, "imap": anywhere,
    }
    config = Config(
        server=Server(data=str(folder), host_name="mx.example.org"),
        listen=Listen(**listen),
        limits=Limits(drain=1.0),
        login=Login(delay=0),
        dns=DNS(servers=(Endpoint(HOST, 9),)),
    )
    passwords = InMemoryUsernamePasswordDatabaseDontUse()
    for user in USERS:
        passwords.addUser(user.encode(), PASSWORD.encode())
    service = build(config, reactor, checkers=[passwords])
    service.privilegedStartService()
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    service.started.addCallbacks(
        lambda _: send({name: port for name, (_, port) in service.addresses().items()}),
        lambda failure: (failure.printTraceback(), os._exit(1)),
    )
    reactor.run()


def tidy(folder: Path, send: Send) -> None:
    """Open the store, let it tidy up, close it."""

    async def wait(store: SQLiteStore) -> None:
        from twisted.internet import reactor

        done: Deferred[None] = Deferred()
        reactor.callLater(TIDYING, done.callback, None)
        await done

    open_store(folder, wait)
    send("answered")


def start(folder: Path, send: Send) -> None:
    """Start a server, and stop it as soon as it listens."""
    from twisted.internet import reactor

    def ready(ports: Any) -> None:
        send("answered")
        reactor.callLater(0, reactor.stop)

    serve(folder, ready)


def command(*arguments: str) -> Callable[[Path, Send], None]:
    """The ``mailhub`` command."""

    def perform(folder: Path, send: Send) -> None:
        output = io.StringIO()
        terminal = Terminal(
            io.StringIO(PASSWORD), output, output, {}, str(folder.parent)
        )
        code = run_command([*arguments, "--data", str(folder)], terminal)
        if code:
            raise RuntimeError(output.getvalue())
        send("answered")

    return perform


def be_newer() -> None:
    """Let this program have another version of the store, reached in slices."""
    step = migrations.Step("everybody subscribes to News", _subscribe_next)
    migrations.migrate.__defaults__ = ((*migrations.STEPS, step),)
    schema.VERSION += 1


def _subscribe_next(connection: sqlite3.Connection) -> bool:
    """A slice: the next account.  -> whether it was the last"""
    left = connection.execute(
        "select account_id from account where account_id not in"
        " (select account_id from subscription where name = 'News') limit 2"
    ).fetchall()
    connection.executemany("insert into subscription values (?, 'News')", left[:1])
    return len(left) <= 1


# Preparations.


async def fill(store: SQLiteStore) -> None:
    """Accounts with some mail, also large."""
    directory = store.directory
    ids = [(await directory.add_account(user, "")).account_id for user in USERS]
    await directory.set_alias("all@example.org", list(USERS))
    account = await store.open_account(USERS[0])
    for name in ("Work", "Work/old"):
        await account.create(name)
        await account.subscribe(name)
    for number, mailbox in (
        (100, "INBOX"), (101, "INBOX"), (102, "INBOX"), (103, "INBOX"),
        (110, "INBOX"), (111, "Work"), (112, "Work"), (113, "Work/old"),
    ):
        targets = tuple(Target(one, mailbox) for one in ids[:1])
        content = BytesContent(make_message(number))
        await store.deliver(Delivery(content, b"", targets, 0))


async def leave_garbage(store: SQLiteStore) -> None:
    """Expunged messages, one of them large, and a mailbox that was deleted."""
    account = await store.open_account(USERS[0])
    inbox = await account.open("INBOX")
    await inbox.expunge([1, 5], deleted_only=False)
    await account.delete("Work/old")


async def mark_deleted(store: SQLiteStore) -> None:
    """Some messages that wait to be expunged."""
    inbox = await (await store.open_account(USERS[0])).open("INBOX")
    await inbox.set_flags([2, 3, 5], FlagChange.ADD, frozenset({"\\Deleted"}))


# In the parent.


def mail(number: int, *users: str) -> Callable[[Any], None]:
    """A message over SMTP."""

    def drive(client: SMTPWire) -> None:
        client.mail("sender@example.net", users, make_message(number))

    return drive


def imap(text: str, literal: bytes | None = None) -> Callable[[Any], None]:
    """A command of IMAP, INBOX being open."""

    def drive(client: IMAPWire) -> None:
        client.command(text, literal)

    return drive


def _mail(name: str, number: int, *users: str) -> Operation:
    return Operation(f"accept: {name}", serve, mail(number, *users), "smtp")


def _imap(name: str, text: str, literal: bytes | None = None, **more: Any) -> Operation:
    return Operation(name, serve, imap(text, literal), "imap", **more)


_USER_ADD = command("user", "add", "new@example.org", "--password-stdin")

#: In the order of the life of a store.
OPERATIONS = [
    Operation(
        "first start: store and certificate", start, is_fresh=True,
        changes=False,
    ),
    Operation("init: configuration", command("init", "example.org"), is_fresh=True),
    Operation("user add: fresh store", _USER_ADD, is_fresh=True),
    Operation("user add", _USER_ADD),
    Operation("user remove", command("user", "remove", USERS[0], "--yes")),
    Operation("alias add", command("alias", "add", "x@example.org", USERS[0])),
    _mail("small", SMALL, USERS[0]),
    _mail("small, three users", SMALL, *USERS),
    _mail("large", LARGE, USERS[0]),
    _mail("large, three users", LARGE, *USERS),
    _imap("APPEND: small", "APPEND INBOX (\\Seen)", make_message(SMALL)),
    _imap("APPEND: large", "APPEND INBOX (\\Seen)", make_message(LARGE)),
    _imap("COPY", "UID COPY 1:5 Archive"),
    _imap("MOVE", "UID MOVE 1:5 Archive"),
    _imap("EXPUNGE", "EXPUNGE", prepare=mark_deleted),
    _imap("STORE", "UID STORE 1:5 +FLAGS (\\Flagged $Label)"),
    _imap("CREATE", "CREATE New/below/it"),
    _imap("RENAME", "RENAME Work Play"),
    _imap("RENAME: INBOX", "RENAME INBOX Former"),
    _imap("DELETE", "DELETE Work"),
    _imap("SUBSCRIBE", "SUBSCRIBE Elsewhere"),
    Operation("start after a kill", start, leaves_log=True, changes=False),
    Operation("migration: orderly store", start, patch=be_newer),
    Operation("migration: killed store", start, leaves_log=True, patch=be_newer),
    Operation(
        "purge and checkpoint", tidy, prepare=leave_garbage, leaves_log=True,
        changes=False,
    ),
    *(
        Operation(
            name, performing(task, open_store), prepare=prepare,
            spared=frozenset({"mkdir"}),
        )
        for name, (task, prepare) in TASKS.items()
    ),
]
