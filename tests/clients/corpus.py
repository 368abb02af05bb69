"""Messages to send: what they are must be what comes back."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from functools import cache
from random import Random
from zlib import crc32

ALICE = "alice@example.org"
BOB = "bob@example.net"
MIB = 1024 * 1024

KOREAN_TEXT = "안녕하세요, 회의 자료를 보내 드립니다.\n오늘 저녁에 만나요.\n"
KOREAN_SUBJECT = "회의 자료입니다: 대한민국 만세"
KOREAN_FILE = "보고서.txt"


def _new(subject: str) -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = f"Bob <{BOB}>"
    message["To"] = f"Alice <{ALICE}>"
    message["Subject"] = subject
    message["Date"] = "Sat, 21 Nov 2026 01:46:40 +0000"
    message["Message-ID"] = f"<{crc32(subject.encode()):x}@example.net>"
    return message


def small(number: int) -> bytes:
    """A message of some hundred octets that no other is like."""
    message = _new(f"small {number}")
    message["X-Number"] = str(number)
    lines = [f"line {line} of {number}" for line in range(number % 20)]
    # A dot at the start of a line is what SMTP and POP3 have to hide.
    message.set_content("\n".join([*lines, ".", ".." + "x" * (number % 7), ""]))
    return message.as_bytes()


@cache
def korean() -> bytes:
    """Text and HTML in UTF-8, and an attachment with a Korean name in EUC-KR."""
    message = _new(KOREAN_SUBJECT)
    message.set_content(KOREAN_TEXT)
    message.add_alternative(f"<p>{KOREAN_TEXT}</p>", subtype="html")
    message.add_attachment(
        KOREAN_TEXT.encode("euc-kr"),
        maintype="text",
        subtype="plain",
        filename=KOREAN_FILE,
        params={"charset": "euc-kr"},
    )
    return message.as_bytes()


@cache
def huge() -> bytes:
    """35 MiB with three attachments of random octets."""
    random = Random(35)
    message = _new("huge")
    message.set_content("See the attachments.\n")
    for number, size in enumerate((15 * MIB, 10 * MIB, 600 * 1024)):
        message.add_attachment(
            random.randbytes(size),
            maintype="application",
            subtype="octet-stream",
            filename=f"attachment-{number}.bin",
        )
    return message.as_bytes()
