"""Looking for a text in the body of a message: in what a person can read there."""

from __future__ import annotations

from collections.abc import Iterator

from .headers import Octets
from .mime import Part
from .needle import Needle
from .transfer import decode_transfer


def body_has(
    needle: Needle, tree: Part, content: Octets, *, part_headers: bool = False
) -> bool:
    """Whether the body has *needle*: in a text, or in the name of a file.

    Texts are ``text/*``, reports such as ``message/delivery-status``, and those
    inside of messages, with these messages' headers.  They are decoded first;
    anything else, a picture in base64 say, is not even read.

    :param tree: of the message, as :func:`mailhub.mail.mime.parse` has it.
    :param content: its octets; only slices are taken.
    :param part_headers: the whole headers of parts count, not only file names.
    """
    [message] = tree.parts
    for part, is_message in _walk(message):
        start = part.body_start
        if part.start < start and part is not message:
            header = bytes(content[part.start : start])
            whole = part_headers or is_message
            if needle.in_header(header) if whole else needle.in_file_name(header):
                return True
        if part.type == b"text" or (part.type == b"message" and not part.parts):
            octets = bytes(content[start : part.stop])
            if part.encoding == b"base64" or b"=" in octets:
                octets = decode_transfer(octets, part.encoding)
            if needle.in_octets(octets, part.charset):
                return True
    return False


def _walk(message: Part) -> Iterator[tuple[Part, bool]]:
    """All parts in order, and whether each is a message."""
    waiting = [(message, True)]
    while waiting:
        part, is_message = waiting.pop()
        yield part, is_message
        if part.parts:
            inside_message = part.type == b"message"
            waiting += [(inner, inside_message) for inner in reversed(part.parts)]
