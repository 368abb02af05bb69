"""A name server that knows no names: ``no_names.py ADDRESS``, on port 53 (UDP).

Every question is answered at once with NXDOMAIN (RFC 1035, section 4.1.1).
"""

from __future__ import annotations

import socket
import sys

PORT = 53
#: A response, recursion available, "name error"; RD and the rest as asked.
RESPONSE, NO_SUCH_NAME = 0x80, 0x83
HEADER_OCTETS = 12


def answer(query: bytes) -> bytes:
    """What to say to *query*; ``b""`` where it is none."""
    if len(query) < HEADER_OCTETS:
        return b""
    flags = bytes([query[2] | RESPONSE, NO_SUCH_NAME])
    # One question, and no answers nor anything further.
    counts = query[4:6] + bytes(6)
    end = query.find(b"\0", HEADER_OCTETS) + 5
    return query[:2] + flags + counts + query[HEADER_OCTETS:end]


def main(address: str) -> None:
    """Answer for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, PORT))
        while True:
            query, client = server.recvfrom(4096)
            server.sendto(answer(query), client)


if __name__ == "__main__":
    main(sys.argv[1])
