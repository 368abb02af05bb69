"""Addresses of senders in the header of mail that is submitted here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from ..errors import SyntaxFault
from ..mail.address import Address, format_mailbox, parse_mailbox
from ..mail.addressspans import Span, address_spans
from ..mail.headers import MAX_LINE, FieldSpan, field_spans, header_end
from ..store.content import READ_SIZE

#: Where Postfix looks for addresses of senders, and Resent-Reply-To, which Sendmail
#: takes for one: RFC 5322, sections 3.6.2, 3.6.6 and 4.5.6; RFC 8098, section 2.1.
SENDER_FIELDS = frozenset({
    b"from", b"sender", b"reply-to", b"resent-from", b"resent-sender",
    b"resent-reply-to", b"errors-to", b"return-receipt-to",
    b"disposition-notification-to", b"mail-followup-to",
})  # fmt: skip
#: Who has signed a header has decided what is in it (RFC 6376, section 3.5).
_SIGNATURES = frozenset({b"dkim-signature", b"arc-seal"})
#: Octets of a header, and of all those fields together, that are looked at; people's
#: have some kibibytes, and some hundred octets.
MAX_HEADER = 1024 * 1024
MAX_FIELDS = 16_384

Rewrite = Callable[[Address], Awaitable[Address]]


async def rewritten(
    content: Any, spool: Callable[[], Any], rewrite: Rewrite, *, utf8: bool
) -> Any:
    """*content* with other addresses of senders in its header.

    Only addresses change; everything else stays as it is, to the octet.  A message that
    is signed stays so altogether.

    :param content: :class:`mailhub.interfaces.IContent`.
    :param spool: makes an ``ISpool``, where it changes.
    :param rewrite: what an address becomes.
    :param utf8: whether addresses in UTF-8 may be written (RFC 6532).

    -> another ``IContent``, which the caller closes, or ``None``: it stays as it is
    """
    head = await _head(content)
    header = head[: header_end(head)]
    if len(header) >= MAX_HEADER:
        return None
    new = await _new_header(header, rewrite, utf8)
    if new is None:
        return None
    place = spool()
    try:
        place.write(new + head[len(header) :])
        for start in range(len(head), content.size, READ_SIZE):
            place.write(await content.read(start, start + READ_SIZE))
        return place.finish()
    finally:
        place.close()


async def _head(content: Any) -> bytes:
    """The beginning, with all of the header if that is no longer than allowed."""
    data: bytes | None = content.data
    if data is not None:
        return data
    head = b""
    while len(head) < min(MAX_HEADER, content.size):
        head += await content.read(len(head), len(head) + READ_SIZE)
        if header_end(head) < len(head):
            break
    return head


async def _new_header(header: bytes, rewrite: Rewrite, utf8: bool) -> bytes | None:
    fields = list(field_spans(header))
    if not _SIGNATURES.isdisjoint(field.name for field in fields):
        return None
    known: dict[bytes, bytes] = {}
    pieces, done = [], 0
    for field in _of_senders(fields):
        value = header[field.value : field.stop]
        new = await _new_value(value, known, rewrite, utf8)
        if new != value and _fits(header[field.start : field.value] + new):
            pieces += [header[done : field.value], new]
            done = field.stop
    if not pieces:
        return None
    return b"".join([*pieces, header[done:]])


def _of_senders(fields: list[FieldSpan]) -> Iterator[FieldSpan]:
    room = MAX_FIELDS
    for field in fields:
        if field.name in SENDER_FIELDS:
            room -= field.stop - field.value
            if room < 0:
                return
            yield field


async def _new_value(
    value: bytes, known: dict[bytes, bytes], rewrite: Rewrite, utf8: bool
) -> bytes:
    """
    :param known: what addresses have become before.
    """
    pieces, done = [], 0
    for span in address_spans(value):
        if span.text not in known:
            known[span.text] = await _new_address(span, rewrite, utf8)
        pieces += [value[done : span.start], known[span.text] or _same(value, span)]
        done = span.stop
    return b"".join([*pieces, value[done:]])


def _fits(field: bytes) -> bool:
    """Whether other servers may not refuse it for its long lines."""
    return all(len(line) <= MAX_LINE for line in field.splitlines())


def _same(value: bytes, span: Span) -> bytes:
    return value[span.start : span.stop]


async def _new_address(span: Span, rewrite: Rewrite, utf8: bool) -> bytes:
    """What is to stand there instead; nothing, if it stays."""
    try:
        address = parse_mailbox(span.text, smtputf8=True)
    except SyntaxFault:
        return b""
    if not address.domain:
        return b""
    new = await rewrite(address)
    written = format_mailbox(new)
    if new == address or not (utf8 or written.isascii()):
        return b""
    return written
