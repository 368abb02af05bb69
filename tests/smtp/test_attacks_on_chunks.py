"""BDAT (RFC 3030) is not offered; whoever sends it all the same is let go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .fixture import Server

REFUSED = b"502 5.5.1 Command not implemented\r\n"
TRANSACTION = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<bob@example.org>\r\n"


class ChunkTests(SynchronousTestCase):
    """Row 6 of the house's list of attacks.

    The octets behind the command are a message's.  A server that goes on reading
    commands there would do what the message's author wants.
    """

    def refused(self, *segments, service="smtp", transaction=TRANSACTION):
        """Each segment is sent, and nothing but the first command is answered."""
        server = Server(service)
        player = server.greeted()
        player.send(transaction)
        player.received()
        asked = list(server.avatar.asked)
        for segment in segments:
            player.send(segment)
        self.assertEqual(player.received(), REFUSED, segments)
        self.assertTrue(player.closed, segments)
        self.assertEqual(server.taken, [])
        self.assertEqual(server.avatar.asked, asked)
        self.assertEqual(server.factory.connections, set())

    def test_sizes_that_are_none_end_the_connection(self):
        for size in (
            b"99999999999999999999", b"-1", b"+5", b"1_0", b"", b"5 5", b"x",
            b"18446744073709551616 LAST", b"4294967296", b"0", b"0 LAST",
        ):  # fmt: skip
            self.refused(b"BDAT " + size + b"\r\nRSET\r\n")
        self.refused(b"BDAT\r\nRSET\r\n")
        self.refused(b"bdat 5 last\r\nRSET\r\n")

    def test_commands_within_a_chunk_never_run(self):
        hidden = b"RSET\r\n" + TRANSACTION + b"DATA\r\n"
        whole = b"BDAT %d LAST\r\n%b" % (len(hidden), hidden)
        self.refused(whole)
        self.refused(*[whole[at : at + 1] for at in range(len(whole))])
        self.refused(b"BDAT %d\r\n" % len(hidden), hidden, b"BDAT 0 LAST\r\n")

    def test_data_after_a_chunk_delivers_nothing(self):
        self.refused(b"BDAT 5\r\nabc\r\n", b"DATA\r\n", b"x\r\n.\r\n")

    def test_a_chunk_outside_of_a_transaction_ends_the_connection_as_well(self):
        self.refused(b"BDAT 6 LAST\r\nRSET\r\n", transaction=b"")

    def test_lmtp_and_submission_take_none_either(self):
        for service in ("lmtp", "submission"):
            self.refused(
                b"BDAT 6 LAST\r\nRSET\r\n", service=service, transaction=b""
            )

    def test_an_end_of_input_in_a_chunk_delivers_nothing(self):
        for way in ("readConnectionLost", "connectionLost"):
            server = Server()
            player = server.greeted()
            player.send(TRANSACTION + b"BDAT 5 LAST\r\nabcd")
            getattr(player.protocol, way)()
            self.assertEqual(server.taken, [])
            self.assertEqual(server.factory.connections, set())

    def test_chunking_is_not_offered(self):
        for service in ("smtp", "submission", "lmtp"):
            player = Server(service).connect()
            player.received()
            player.send((b"LHLO" if service == "lmtp" else b"EHLO") + b" x\r\n")
            self.assertNotIn(b"CHUNKING", player.received())
