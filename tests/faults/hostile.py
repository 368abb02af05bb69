"""Messages and commands that cost as much as anybody can make them cost.

They are those of rows 37 to 87 of the list of attacks, as far as there is something
to attack; ``tests/attacks.txt`` names the tests that say what is answered.
"""

from __future__ import annotations

from collections.abc import Callable

MIB = 1 << 20
_HEAD = b"From: a@far.example\r\nSubject: x\r\n"


def _multipart(boundary: bytes, body: bytes) -> bytes:
    kind = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n" % boundary
    return _HEAD + kind + body


def _nested_multiparts() -> bytes:
    levels = 10_000
    starts = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1)
        for n in range(levels)
    )
    return _multipart(b"b0", starts)


def _nested_messages() -> bytes:
    return _HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 5_000


def _one_boundary() -> bytes:
    part = b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return _multipart(b"b", part * 100_000)


def _large_nest() -> bytes:
    """Multiparts in multiparts around a large text: each level is searched anew."""
    levels = 90
    starts = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1)
        for n in range(levels)
    )
    text = b"--almost a delimiter, over and over again\r\n" * 900_000
    return _multipart(b"b0", starts + text)


def _filled(head: bytes, line: bytes, octets: int) -> bytes:
    return head + line * (octets // len(line)) + b"\r\n"


def _field(name: bytes, piece: bytes, pieces: int) -> bytes:
    return _HEAD + name + b": " + piece * pieces + b"\r\n\r\nbody\r\n"


#: By name: what makes the octets, so that only one message is in memory at a time.
MESSAGES: dict[str, Callable[[], bytes]] = {
    "10,000 nested multiparts": _nested_multiparts,
    "5,000 nested messages": _nested_messages,
    "100,000 parts of one boundary": _one_boundary,
    "90 levels around 38 MiB of hyphens": _large_nest,
    "100,000 empty parts": lambda: _multipart(b"b", b"--b\r\n\r\n\r\n" * 100_000),
    "10,000 messages in a digest": lambda: _HEAD + (
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n"
        + b"--b\r\n\r\nTo: a@x, b@y, c@z\r\n\r\n" * 10_000
    ),
    "45 MiB of delimiters that are none": lambda: _multipart(
        b"b", b"--bx\r\n" * (45 * MIB // 6)
    ),
    "45 MiB of empty lines": lambda: _multipart(b"b", b"\r\n" * (45 * MIB // 2)),
    "45 MiB of text": lambda: _filled(_HEAD + b"\r\n", b"lorem ipsum " * 6 + b"\r\n",
                                      45 * MIB),
    "45 MiB of base64": lambda: _filled(
        _HEAD + b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n",
        b"w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8\r\n", 45 * MIB,
    ),
    "20 MiB of quoted-printable": lambda: _filled(
        _HEAD + b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        b"=C3=BC" * 11 + b"=\r\n", 20 * MIB,
    ),
    "20 MiB in utf-7": lambda: _filled(
        _HEAD + b"Content-Type: text/plain; charset=utf-7\r\n\r\n",
        b"+APwA/AD8APwA/AD8APwA/AD8APwA/AD8- x\r\n", 20 * MIB,
    ),
    "20 MiB in a charset nobody knows": lambda: _filled(
        _HEAD + b"Content-Type: text/plain; charset=" + b"x" * 900 + b"\r\n\r\n",
        b"\xfc" * 70 + b"\r\n", 20 * MIB,
    ),
    "a header of 9.5 MiB": lambda: _filled(
        _HEAD, b"X-Filler: " + b"x" * 900 + b"\r\n", 9 * MIB + MIB // 2
    ),
    "a million fields": lambda: _HEAD + b"X:\r\n" * 1_000_000 + b"\r\nbody\r\n",
    "a field of 2 MiB, folded": lambda: _HEAD + (
        b"To: a@x" + b",\r\n a@x" * (2 * MIB // 7) + b"\r\n\r\nbody\r\n"
    ),
    "300,000 addresses": lambda: _field(b"To", b"a@b,\r\n ", 300_000),
    "100,000 groups": lambda: _field(b"Cc", b"g:a@b;,\r\n ", 100_000),
    "comments in comments": lambda: _field(b"From", b"(\r\n ", 200_000),
    "quotes without end": lambda: _field(b"From", b'"\\\r\n ', 200_000),
    "100,000 parameters": lambda: _field(
        b"Content-Type: text/plain;\r\n a", b"*0*=x;\r\n a", 100_000
    ),
    "200,000 encoded words": lambda: _field(
        b"Subject", b"=?utf-8?q?=C3=BC?=\r\n ", 200_000
    ),
    "100,000 languages": lambda: _field(b"Content-Language", b"de,\r\n ", 100_000),
    "100,000 references": lambda: _field(b"References", b"<a@b>\r\n ", 100_000),
}  # fmt: skip

#: What is asked for of each message once it is stored.
FETCHES = (
    "ENVELOPE", "BODYSTRUCTURE", "(FLAGS BODY)", "BODY.PEEK[HEADER]",
    "BODY.PEEK[HEADER.FIELDS (" + " ".join(f"X-{n}" for n in range(200)) + ")]",
    "BODY.PEEK[HEADER.FIELDS.NOT (" + " ".join(f"X-{n}" for n in range(200)) + ")]",
    "(" + " ".join(["BODY.PEEK[HEADER]"] * 20) + ")", "BODY.PEEK[TEXT]",
    "(" + " ".join(f"BODY.PEEK[HEADER.FIELDS (A{n})]" for n in range(10)) + ")",
    "BODY.PEEK[1]", "BODY.PEEK[" + ".".join(["1"] * 90) + "]",
    "(" + " ".join(f"BODY.PEEK[{n}.MIME]" for n in range(1, 200)) + ")",
    "(" + " ".join(["BODY.PEEK[]<0.100>"] * 100) + ")",
)  # fmt: skip
SEARCHES = (
    "TEXT nowhere", "BODY ipsuz", 'SUBJECT "\xfc"', "FROM nobody", "CC nobody",
    "HEADER X-Filler nowhere", "NOT TEXT a", "SENTSINCE 1-Jan-2030",
    "OR " * 45 + "SUBJECT a" + " TEXT b" * 45,
    "HEADER References nowhere HEADER To nowhere HEADER Cc nowhere",
    " ".join("TEXT " + "ab"[n % 2] * (n + 1) for n in range(60)),
)  # fmt: skip

_NAMES = " ".join(f"k{n}" for n in range(3_000))
#: Commands of a user who is logged in and has a mailbox with 20,000 messages open.
COMMANDS: dict[str, bytes] = {
    "8,000 parentheses": b"SEARCH " + b"(" * 8_000 + b"ALL" + b")" * 8_000,
    "a set of 10,000 numbers": b"FETCH "
    + b",".join(b"%d" % n for n in range(1, 20_000, 2))[:60_000].rpartition(b",")[0]
    + b" FLAGS",
    "overlapping ranges": b"FETCH " + b",".join([b"1:*"] * 10_000) + b" FLAGS",
    "a search for sets": b"SEARCH " + b" ".join([b"NOT 1:*"] * 7_000),
    "wildcards": b'LIST "" "' + b"*%" * 400 + b'x"',
    "a list of all flags": b"FETCH 1:* FLAGS",
    "flags for all": b"STORE 1:* +FLAGS (\\Flagged)",
    "no flags for all": b"STORE 1:* FLAGS ()",
    "3,000 keywords": b"STORE 1 +FLAGS (" + _NAMES.encode() + b")",
    "everything of all": b"FETCH 1:* ALL",
    "a thousand levels": b'CREATE "' + b"a/" * 1_000 + b'b"',
    "search in all": b"SEARCH TEXT nowhere",
    "search headers of all": b"SEARCH SUBJECT nowhere FROM nowhere",
    "copy all": b"COPY 1:* Archive",
    "move all": b"MOVE 1:* Trash",
}
#: What is not answered with OK.
REFUSED = {
    "8,000 parentheses": b"BAD",
    "a search for sets": b"NO [LIMIT]",
    "3,000 keywords": b"NO [LIMIT]",
    "a thousand levels": b"NO [CANNOT]",
}
