"""Limits that every line protocol shares.  Zero never means "unlimited"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a peer may ask of a connection.  Times are seconds, sizes octets.

    :ivar connections_per_address: from one IPv4 address or one IPv6 /64;
        loopback is not counted (webmail and tests live there).
    :ivar connections: of one listener in all.
    :ivar handshake: for TLS to be agreed on.
    :ivar login_idle: without input before a login, and between SMTP commands
        (RFC 5321, section 4.5.3.2.7, asks for five minutes).
    :ivar idle: without input after a login (RFC 3501, section 5.4: at least 30
        minutes).
    :ivar record: from the first octet of a line to its end, so that a peer that
        sends an octet now and then holds nothing (attack: slowloris).
    :ivar minimum_rate: octets per second of message data, after a *record* time
        of grace.
    :ivar write_stall: without the peer reading anything of our output.
    :ivar read_ahead: octets taken in while earlier commands are worked on.
    :ivar discard: octets of an over-long line that are thrown away in the hope
        of its end before the connection is cut.
    :ivar linger: for our last words to be read after the conversation is over.
    :ivar drain: for sessions to finish their command when the server stops.
    :ivar login_failures: wrong passwords before the connection is cut.
    :ivar message_size: of one message, by SMTP, LMTP or APPEND.
    :ivar free_space: that a message may not use of the store's volume: what is left
        is for removing mail, and for whoever else writes there.
    :ivar recipients: of one message (RFC 5321, section 4.5.3.1.8: at least 100).
    :ivar stranger_recipients: of one from a server or program that has not logged in;
        it sends to the others in its next transaction (attack: as many as there may be,
        each another one, over each of ten thousand connections).
    """

    connections_per_address: int = 30
    connections: int = 10_000
    handshake: float = 10.0
    login_idle: float = 300.0
    idle: float = 1860.0
    record: float = 100.0
    minimum_rate: int = 500
    write_stall: float = 300.0
    read_ahead: int = 65_536
    discard: int = 65_536
    linger: float = 30.0
    drain: float = 30.0
    login_failures: int = 3
    message_size: int = 52_428_800
    free_space: int = 67_108_864
    recipients: int = 1_000
    stranger_recipients: int = 100
