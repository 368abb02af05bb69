"""Messages made for tests, and their structure as text."""

from __future__ import annotations

from hypothesis import strategies as st

from mailhub.mail.mime import Part


def crlf(text: str) -> bytes:
    """*text* with the line ends of the wire."""
    return text.replace("\n", "\r\n").encode()


#: The structure that RFC 3501, section 6.4.5, explains section numbers with.
RFC_EXAMPLE = crlf("""\
Subject: outer
Content-Type: multipart/mixed; boundary=outer

preamble
--outer
Content-Type: text/plain; charset=utf-8

one
--outer
Content-Type: application/octet-stream
Content-Transfer-Encoding: BASE64

dHdv
--outer
Content-Type: message/rfc822

Subject: three
Content-Type: multipart/mixed; boundary=three

--three

three.one
--three
Content-Type: application/octet-stream

three.two
--three--
--outer
Content-Type: multipart/mixed; boundary=four

--four
Content-Type: image/gif
Content-ID: <gif>

four.one
--four
Content-Type: message/rfc822

Subject: four.two
Content-Type: multipart/mixed; boundary=fourtwo

--fourtwo
Content-Type: text/plain

four.two.one
--fourtwo
Content-Type: multipart/alternative; boundary=fourtwotwo

--fourtwotwo
Content-Type: text/plain

four.two.two.one
--fourtwotwo
Content-Type: text/richtext

four.two.two.two
--fourtwotwo--
--fourtwo--
--four--
--outer--
epilogue
""")

PLAIN = crlf("Subject: x\n\nline 1\nline 2\n")


def types(tree: Part) -> list[str]:
    """The types of the parts, the outermost message's first."""
    return [
        f"{part.type.decode()}/{part.subtype.decode()}" for part in tree.walk()
    ][1:]


def bodies(octets: bytes, parts: tuple[Part, ...]) -> list[bytes]:
    """What stands in each of *parts*."""
    return [octets[part.body_start : part.stop] for part in parts]


def multipart(body: str, parameters: str = "; boundary=b") -> bytes:
    """A multipart message with CRLF line ends."""
    return crlf(f"Content-Type: multipart/mixed{parameters}\n\n{body}")


#: Messages of pieces that mean something to a parser of MIME.
pieces = st.lists(
    st.sampled_from([
        b"--", b"--a", b"--b", b"--a--", b"--b--", b"\r\n", b"\n", b"\r", b" ", b"x",
        b"Content-Type: multipart/mixed; boundary=a", b"\n\n", b"\r\n\r\n", b":",
        b"Content-Type: multipart/digest; boundary=b", b"Content-Type: text/plain",
        b"Content-Type: message/rfc822", b"boundary=", b"\0", b"\xff", b"--ab",
        b"Content-Transfer-Encoding: base64",
    ]),
    max_size=40,
).map(b"".join)
