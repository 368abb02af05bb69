"""Looking for a text in the body of a message: in what a person can read there."""

from __future__ import annotations

from .headers import Octets
from .mime import Part
from .needle import Needle
from .transfer import decode_transfer


def body_has(needle: Needle, tree: Part, content: Octets) -> bool:
    """Whether the body has *needle* in a text, or in the header of a part.

    Texts are ``text/*``, reports such as ``message/delivery-status``, and those
    inside of messages.  They are decoded first; anything else, a picture in
    base64 say, is not even read.

    :param tree: of the message, as :func:`mailhub.mail.mime.parse` has it.
    :param content: its octets; only slices are taken.
    """
    [message] = tree.parts
    for part in message.walk():
        start = part.body_start
        if part is not message and part.start < start:
            header = bytes(content[part.start : start])
            if needle.in_header(header):
                return True
        if part.type == b"text" or (part.type == b"message" and not part.parts):
            octets = bytes(content[start : part.stop])
            if part.encoding == b"base64" or b"=" in octets:
                octets = decode_transfer(octets, part.encoding)
            if needle.in_octets(octets, part.charset):
                return True
    return False
