"""The messages that are sent: made anew, and the same, in every run.

``plain`` is 4 KiB of text.  ``mix`` is 70 % of those, 25 % of 30 KiB in
multipart/alternative and 5 % of 500 KiB with an attachment in base64: 35 KiB in the
mean.  Lines end with CRLF and none begins with a dot.
"""

from __future__ import annotations

import base64
import random
from functools import cache

_SYLLABLES = tuple(
    consonant + vowel for consonant in "bdfklmnprstvwz" for vowel in "aeiou"
)
#: In the text of every hundredth message.
RARE = "xylophone"
#: In the subject of every hundredth message.
RARE_SUBJECT = "zeppelin"
#: Different messages of a set; workloads go through them again and again.
SET_SIZE = 400
SETS = ("plain", "mix")


@cache
def _words() -> tuple[str, ...]:
    choice = random.Random("words")
    return tuple(
        "".join(choice.choices(_SYLLABLES, k=choice.randint(1, 4))) for _ in range(400)
    )


def _text(choice: random.Random, size: int) -> str:
    lines: list[str] = []
    length = 0
    while length < size:
        lines.append(" ".join(choice.choices(_words(), k=11)))
        length += len(lines[-1]) + 2
    return "\r\n".join(lines)[:size].rstrip() + "\r\n"


def _head(choice: random.Random, number: int, content_type: str) -> str:
    sender, other = choice.randrange(400), choice.randrange(400)
    host = f"mail{sender}.example"
    subject = " ".join(choice.choices(_words(), k=6))
    if number % 100 == 7:
        subject += f" {RARE_SUBJECT}"
    moment = f"{1 + number % 28:02d} Jun 2026 {number % 24:02d}:{number % 60:02d}:00"
    references = "".join(
        f"\r\n <ref{choice.randrange(10**9)}.{number}@{host}>"
        for _ in range(choice.randrange(4))
    )
    lines = [
        f"Received: from {host} ({host} [192.0.2.{sender % 250}])",
        f"\tby mx.bench.test with ESMTPS id {choice.randrange(10**12):012x};",
        f"\t{moment} +0000",
        f"From: Sender Number {sender} <sender{sender}@{host}>",
        f"To: User <user{other}@bench.test>, other{other}@bench.test",
        f"Subject: {subject}",
        f"Date: {moment} +0000",
        f"Message-ID: <{choice.randrange(10**15)}.{number}@{host}>",
    ]
    if references:
        lines.append(f"References:{references}")
    lines += ["MIME-Version: 1.0", f"Content-Type: {content_type}"]
    return "\r\n".join(lines) + "\r\n"


def _rare(number: int) -> str:
    return f"{RARE} " if number % 100 == 3 else ""


def _plain(choice: random.Random, number: int) -> str:
    head = _head(choice, number, "text/plain; charset=utf-8")
    head += "Content-Transfer-Encoding: 7bit\r\n\r\n"
    return head + _rare(number) + _text(choice, 4096 - len(head))


def _alternative(choice: random.Random, number: int) -> str:
    mark = f"=_alternative{number:06d}"
    paragraphs = "".join(
        f'<p class="c{choice.randrange(9)}">{line}</p>\r\n'
        for line in _text(choice, 17_500).split("\r\n")
    )
    return (
        _head(choice, number, f'multipart/alternative; boundary="{mark}"')
        + f"\r\n--{mark}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + f"{_rare(number)}{_text(choice, 8_000)}\r\n--{mark}\r\n"
        + "Content-Type: text/html; charset=utf-8\r\n\r\n"
        + f"<html><body>\r\n{paragraphs}</body></html>\r\n--{mark}--\r\n"
    )


def _attachment(choice: random.Random, number: int) -> str:
    mark = f"=_mixed{number:06d}"
    data = base64.encodebytes(choice.randbytes(360_000)).decode()
    return (
        _head(choice, number, f'multipart/mixed; boundary="{mark}"')
        + f"\r\n--{mark}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        + f"{_rare(number)}{_text(choice, 3_000)}\r\n--{mark}\r\n"
        + f'Content-Type: application/pdf; name="file{number}.pdf"\r\n'
        + f'Content-Disposition: attachment; filename="file{number}.pdf"\r\n'
        + "Content-Transfer-Encoding: base64\r\n\r\n"
        + data.replace("\n", "\r\n")
        + f"\r\n--{mark}--\r\n"
    )


def message(number: int, kind: str) -> bytes:
    """Message *number* of the set *kind*."""
    choice = random.Random(f"{kind}{number}")
    if kind == "mix" and number % 20 == 19:
        text = _attachment(choice, number)
    elif kind == "mix" and number % 20 in (1, 3, 7, 11, 15):
        text = _alternative(choice, number)
    else:
        text = _plain(choice, number)
    return text.encode()


@cache
def messages(kind: str) -> tuple[bytes, ...]:
    """The set *kind*, one of :data:`SETS`."""
    return tuple(message(number, kind) for number in range(SET_SIZE))


def small(number: int) -> bytes:
    """A message of a few hundred octets, for filling a store."""
    return (
        f"From: Sender <sender{number % 997}@mail.example>\r\n"
        f"To: user@bench.test\r\nSubject: number {number}\r\n"
        f"Date: {1 + number % 28:02d} Jun 2026 12:00:00 +0000\r\n"
        f"Message-ID: <{number}@mail.example>\r\n\r\n"
        f"The text of message {number}.\r\n"
    ).encode()
