"""``sendmail``: the way in for programs, and a door to everything else.

A message is read from standard input and put into the store, whether a server runs or
not; one that runs hears of it at once.  Of users who may not write in the store it goes
into the folder that ``[local] drop`` names, where the server finds it.
"""

from __future__ import annotations

import getpass
import os
import pwd
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from ...errors import MailError, SyntaxFault, UnknownRecipient
from ...mail.address import Address, parse_mailbox
from ...mail.envelope import MailParameters, RecipientParameters
from ...mail.headers import MAX_HEADER
from ...mail.line_ends import PIECE, lines_of
from ...store.sqlite.schema import FILE_NAME as STORE_NAME
from ..invocation import Invocation
from ..outcome import Exit, Failure
from .composing import from_field, read_header
from .postqueue import flush, show
from .sendmail_options import Call, parse

if TYPE_CHECKING:
    from ...assembly.posts import Post, Posted
    from ...config.settings import Config

T = TypeVar("T")


def main(invocation: Invocation, arguments: Sequence[str]) -> None:
    """
    :raises Failure: it was not done, or not for everybody.
    """
    _perform(invocation, parse(arguments))


def mailq(invocation: Invocation, arguments: Sequence[str]) -> None:
    """``mailq``: ``sendmail -bp``, with all its options."""
    _perform(invocation, parse(arguments, "list"))


def _perform(invocation: Invocation, call: Call) -> None:
    # A folder that another mail server has left has nothing of ours.
    if call.folder and os.path.exists(os.path.join(call.folder, STORE_NAME)):
        invocation.options.data = call.folder
    _MODES[call.mode](invocation, call)


def _send(invocation: Invocation, call: Call) -> None:
    from ...assembly.drop_box import box_for_users  # others do without
    from ...assembly.posts import Post
    from ...config.naming import server_name

    config = invocation.config()
    source: BinaryIO = invocation.terminal.stdin.buffer
    header, named, pieces = _opened(lines_of(source, dot_ends=call.dot_ends))
    texts = [*call.recipients]
    if call.reads_recipients:
        texts += [each.decode("utf-8", "surrogateescape") for each in named.recipients]
    if not texts:
        raise Failure(Exit.USAGE, "no recipient was named")
    host, user = server_name(config), caller()
    sender = _sender(call, user, host)
    own = b"" if b"from" in named.names else _from(call, sender, host, user)
    post = Post(
        user,
        sender,
        tuple(_address(text, host) for text in texts),
        MailParameters(
            body=call.body, ret=call.ret, envid=call.envid,
            smtputf8=not all(map(str.isascii, texts)),
        ),
        RecipientParameters(call.notify),
    )  # fmt: skip
    whole = chain((own + header,), pieces)
    box = box_for_users(config)
    if box is not None:
        box.leave(post.batch, whole)
        return
    _complain(_run(lambda reactor: _brought(config, reactor, post, whole)).refused)


async def _brought(
    config: Config, reactor: Any, post: Post, pieces: Iterator[bytes]
) -> Posted:
    from ...assembly.handing_in import nearest_office

    async with nearest_office(config, reactor) as office:
        posted: Posted = await office.send(post, pieces)
        return posted


def _opened(pieces: Iterator[bytes]) -> tuple[bytes, Any, Iterator[bytes]]:
    """The header and what is told by it; the rest follows."""
    octets = b""
    for piece in pieces:
        octets += piece
        if octets.endswith(b"\r\n\r\n") or piece == b"\r\n" or len(octets) > MAX_HEADER:
            break
    draft, rest = read_header(octets)
    return draft.header, draft, chain((rest,), pieces)


def caller() -> str:
    """Whose program this is."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()


def _sender(call: Call, user: str, host: str) -> Address | None:
    if call.sender in ("", "<>"):
        return None
    return _address(call.sender or user, host)


def _address(text: str, host: str) -> Address:
    """
    :raises Failure: no address.
    """
    plain = text.strip().removeprefix("<").removesuffix(">")
    full = plain if "@" in plain else f"{plain}@{host}"
    try:
        return parse_mailbox(full.encode("utf-8", "surrogateescape"), smtputf8=True)
    except SyntaxFault:
        raise Failure(Exit.USAGE, f"no address: {text!r}") from None


def _from(call: Call, sender: Address | None, host: str, user: str) -> bytes:
    name = call.name
    if name is None:
        name = os.environ.get("NAME") or _real_name(user)
    address = sender or Address("MAILER-DAEMON", host)
    try:
        return from_field(str(address), name)
    except SyntaxFault as error:
        raise Failure(Exit.USAGE, str(error)) from None


def _real_name(user: str) -> str | None:
    try:
        return pwd.getpwnam(user).pw_gecos.partition(",")[0] or None
    except KeyError:
        return None


def _complain(refused: dict[Address, MailError]) -> None:
    """
    :raises Failure: somebody does not get it.
    """
    if not refused:
        return
    text = "\n".join(f"{address}: {error}" for address, error in refused.items())
    errors = list(refused.values())
    if not all(error.permanent for error in errors):
        raise Failure(Exit.TRY_AGAIN, text)
    if all(isinstance(error, UnknownRecipient) for error in errors):
        raise Failure(Exit.NO_USER, text)
    raise Failure(Exit.UNAVAILABLE, text)


def _run(work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """What *work* comes to, on a reactor of its own.

    :raises Exception: what it raises.
    """
    from twisted.internet.defer import Deferred
    from twisted.internet.selectreactor import SelectReactor

    reactor = SelectReactor()
    outcome: list[Any] = []

    def begin() -> None:
        done = Deferred.fromCoroutine(work(reactor))
        done.addBoth(outcome.append)
        done.addBoth(lambda _: reactor.callLater(0, reactor.stop))

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    [result] = outcome
    if hasattr(result, "raiseException"):
        result.raiseException()
    found: T = result
    return found


def _speak(invocation: Invocation, call: Call) -> None:
    """SMTP on standard input and output (-bs), with the rights of the caller."""
    from ...assembly.handing_in import nearest_office
    from ...assembly.standard_io import converse

    config = invocation.config()
    source = invocation.terminal.stdin.buffer
    sink = invocation.terminal.stdout.buffer
    ours, theirs = socket.socketpair()
    copying = [
        threading.Thread(target=_copy_in, args=(source, ours), daemon=True),
        threading.Thread(target=_copy_out, args=(ours, sink)),
    ]

    async def speak(reactor: Any) -> None:
        async with nearest_office(config, reactor) as office:
            for thread in copying:
                thread.start()
            await converse(office, theirs, config.limits, reactor)

    _run(speak)
    copying[1].join()
    ours.close()


def _copy_in(source: BinaryIO, connection: socket.socket) -> None:
    read = getattr(source, "read1", source.read)
    try:
        while data := read(PIECE):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return  # The conversation is over.


def _copy_out(connection: socket.socket, sink: BinaryIO) -> None:
    while data := connection.recv(PIECE):
        sink.write(data)
        sink.flush()


def _show(invocation: Invocation, call: Call) -> None:
    """-bp; with -Ac what submitters have left, where they have a folder for it."""
    left_only = call.submission and bool(invocation.config().local.drop)
    show(invocation, _selection(call), left_only=left_only)


def _flush(invocation: Invocation, call: Call) -> None:
    """-q, -qI, -qR and -qS."""
    flush(invocation, **_selection(call))


def _selection(call: Call) -> dict[str, Any]:
    """What -qI, -qR and -qS are about."""
    match call.only:
        case None:
            return {}
        case ("I", text):
            return {"queue_ids": [text]}
        case ("S", text):
            return {"sender": text}
        case (_, text) if "@" in text and not text.startswith("@"):
            return {"recipient": text}
        case (_, text):
            return {"destination": text.removeprefix("@").lower()}


def _start(invocation: Invocation, call: Call) -> None:
    """-bd: become the server."""
    os.execvp("twistd", ["twistd", "mailhub"])


def _nothing(invocation: Invocation, call: Call) -> None:
    """What the server does by itself, or has not."""


def _verify(invocation: Invocation, call: Call) -> None:
    """-bv: where mail for each address would go, in Sendmail's words.

    :raises Failure: nobody gets it; with what a sender would be told.
    """
    from ...config.naming import server_name
    from ...mail.address import format_mailbox
    from ..trace import decided

    if not call.recipients:
        raise Failure(Exit.USAGE, "no recipient was named")
    config = invocation.config()
    told: list[str] = []
    for text in call.recipients:
        address = format_mailbox(_address(text, server_name(config))).decode()
        decision = decided(config, address)
        if decision["users"] is not None:
            told.append(f"{address}... {decision['users']}")
            continue
        for place in _places(decision):
            line = f"{address}... deliverable: mailer {place}\n"
            invocation.terminal.stdout.write(line)
    if told:
        raise Failure(Exit.NO_USER, "\n".join(told))


def _places(decision: dict[str, Any]) -> Iterator[str]:
    for each in decision["mailboxes"]:
        yield f"local, user {each['user']}"
    from ...mail.routes import is_way

    for each in decision["leaves"]:
        mailer, host = "esmtp", each["destination"]
        if is_way(host):
            mailer, _, host = host.partition(":")
        yield f"{mailer}, host {host}, user {each['recipient']}"


def _check_aliases(invocation: Invocation, call: Call) -> None:
    from .newaliases import main as newaliases

    newaliases(invocation, ())


_MODES: dict[str, Callable[[Invocation, Call], None]] = {
    "send": _send,
    "smtp": _speak,
    "list": _show,
    "aliases": _check_aliases,
    "flush": _flush,
    "start": _start,
    "nothing": _nothing,
    "verify": _verify,
}
