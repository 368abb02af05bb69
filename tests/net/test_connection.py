"""Tests of the base of every line protocol."""

from __future__ import annotations

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.connection import Connection
from mailhub.net.endings import BareNewline, Ending, InputBeforeTLS, LineTooLong
from mailhub.net.factory import LAST_WAIT, ConnectionFactory, network_of
from mailhub.net.limits import Limits

LIMIT = 32


class Wire(StringTransport):
    """A transport in memory that can start TLS, be stalled and be cut."""

    def __init__(self, host: str = "192.0.2.1") -> None:
        super().__init__()
        self.host = host
        self.aborted = False
        self.tls_started = 0
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        super().write(data)

    def getPeer(self):
        peer = super().getPeer()
        return type(peer)("TCP", self.host, 40000)

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def startTLS(self, creator) -> None:
        self.tls_started += 1


class Talk(Connection):
    """Answers each line with what it was; some words do something."""

    async def serve(self) -> None:
        self.send(b"hello\r\n")
        self.seen: list[bytes] = []
        while True:
            try:
                line = await self.read_line(LIMIT)
            except LineTooLong:
                self.send(b"too long\r\n")
                continue
            except BareNewline:
                self.send(b"bare\r\n")
                continue
            self.seen.append(line)
            if not await self.perform(line):
                return

    async def perform(self, line: bytes) -> bool:
        word, _, rest = line.partition(b" ")
        if word == b"quit":
            self.send(b"bye\r\n")
            return False
        if word == b"slow":
            self.pending: Deferred[bytes] = Deferred()
            line = await self.pending
        elif word == b"data":
            line = await self.take(int(rest))
        elif word == b"tls":
            try:
                self.send(b"go\r\n")
                await self.start_tls()
            except InputBeforeTLS:
                return False
            return True
        elif word == b"careful":
            self.pending = Deferred()
            try:
                line = await self.pending
            except LookupError:
                line = b"not found"
        elif word == b"bug":
            raise ZeroDivisionError("a bug")
        elif word == b"much":
            for _ in range(10):
                self.send(b"x" * 1000)
                await self.drain()
        elif word == b"idle":
            await self.wait()
            line = b"woken"
        self.send(line + b"\r\n")
        return True

    async def take(self, length: int) -> bytes:
        got = b""
        while len(got) < length:
            got += await self.read_some(length - len(got))
        self.end_stream()
        return b"%d" % len(got)

    def farewell(self, ending: Ending) -> bytes:
        return b"421 " + ending.name.encode() + b"\r\n"

    def ended(self) -> None:
        self.endings = getattr(self, "endings", 0) + 1


class TalkFactory(ConnectionFactory):
    protocol = Talk


class ConversationCase(SynchronousTestCase):
    """A factory on a virtual clock, and connections in memory."""

    limits = Limits(
        login_idle=300, record=100, read_ahead=1000, discard=200, write_stall=60
    )

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = TalkFactory(
            Portal(None),  # type: ignore[arg-type]
            service="smtp",
            limits=self.limits,
            clock=self.clock,
            certificates=object(),
        )

    def connect(self, host: str = "192.0.2.1") -> tuple[Talk, Wire]:
        connection = self.factory.buildProtocol(None)
        wire = Wire(host)
        connection.makeConnection(wire)
        return connection, wire

    def said(self, wire: Wire) -> bytes:
        value = wire.value()
        wire.clear()
        return value

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)


class ReadingTests(ConversationCase):
    """Lines and octets arrive in any pieces."""

    def test_any_cut_gives_the_same_answers(self) -> None:
        script = b"one\r\ndata 5\r\nab\r\ncdtwo\r\nbad\nthree\r\n"
        script += b"y" * 50 + b"\r\nend\r\n"
        expected = None
        for size in (1, 2, 3, 7, len(script)):
            connection, wire = self.connect()
            for at in range(0, len(script), size):
                connection.dataReceived(script[at : at + size])
            answer = self.said(wire)
            expected = expected or answer
            self.assertEqual(answer, expected, size)
        self.assertEqual(
            expected,
            b"hello\r\none\r\n5\r\ndtwo\r\nbare\r\nthree\r\ntoo long\r\nend\r\n",
        )

    def test_a_line_of_exactly_the_limit_passes_and_one_more_does_not(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        connection.dataReceived(b"a" * (LIMIT - 2) + b"\r\n")
        self.assertEqual(self.said(wire), b"a" * (LIMIT - 2) + b"\r\n")
        connection.dataReceived(b"a" * (LIMIT - 1) + b"\r\n")
        self.assertEqual(self.said(wire), b"too long\r\n")

    def test_an_endless_line_is_cut_and_never_kept(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        most = 0
        for _ in range(100):
            connection.dataReceived(b"a" * 100)
            most = max(most, len(connection._input))
        self.assertLessEqual(most, LIMIT + 200)
        self.assertEqual(self.said(wire), b"421 FLOOD\r\n")
        self.assertTrue(wire.disconnecting)

    def test_a_line_is_thrown_away_up_to_a_limit(self) -> None:
        for octets, said in ((200, b"too long\r\n"), (201, b"421 FLOOD\r\n")):
            for size in (1, 50, 500):
                connection, wire = self.connect()
                self.said(wire)
                line = b"a" * octets + b"\r\n"
                for at in range(0, octets, size):
                    connection.dataReceived(line[:octets][at : at + size])
                connection.dataReceived(line[octets:])
                self.assertEqual(self.said(wire), said, (octets, size))

    def test_carriage_return_inside_a_line_is_refused(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        connection.dataReceived(b"a\rb\r\n\n\r\r\nok\r\n")
        self.assertEqual(self.said(wire), b"bare\r\nbare\r\nbare\r\nok\r\n")

    def test_replies_to_pipelined_commands_leave_in_one_write(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        connection.dataReceived(b"a\r\nb\r\nc\r\n")
        self.assertEqual(wire.writes, [b"hello\r\n", b"a\r\nb\r\nc\r\n"])

    def test_a_later_command_waits_for_a_slow_one(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        connection.dataReceived(b"slow\r\nfast\r\n")
        self.assertEqual(self.said(wire), b"")
        connection.pending.callback(b"done")
        self.assertEqual(self.said(wire), b"done\r\nfast\r\n")

    def test_reading_stops_while_much_waits_and_goes_on_after(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"slow\r\n")
        connection.dataReceived(b"x\r\n" * 400)
        self.assertEqual(wire.producerState, "paused")
        connection.pending.callback(b"done")
        self.assertEqual(wire.producerState, "producing")
        self.assertEqual(len(connection.seen), 401)

    def test_input_without_an_end_after_the_last_word_still_gets_answers(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"slow\r\nlast\r\n")
        connection.readConnectionLost()
        self.said(wire)
        connection.pending.callback(b"done")
        self.assertEqual(self.said(wire), b"done\r\nlast\r\n")
        self.assertTrue(wire.disconnecting)


class WritingTests(ConversationCase):
    """What the peer does not read is not produced."""

    def test_a_peer_that_does_not_read_stops_the_conversation(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        connection.pauseProducing()
        connection.dataReceived(b"much\r\nlater\r\n")
        self.assertEqual(len(self.said(wire)), 1000)
        connection.resumeProducing()
        self.assertTrue(self.said(wire).endswith(b"much\r\nlater\r\n"))

    def test_a_peer_that_never_reads_is_dropped(self) -> None:
        connection, wire = self.connect()
        connection.pauseProducing()
        connection.dataReceived(b"much\r\n")
        self.pass_time(59)
        self.assertFalse(wire.aborted)
        self.pass_time(3)
        self.assertTrue(wire.aborted)

    def test_pipelined_commands_wait_while_output_is_stuck(self) -> None:
        connection, wire = self.connect()
        connection.pauseProducing()
        connection.dataReceived(b"a\r\n")
        connection.dataReceived(b"b\r\n")
        self.assertEqual(connection.seen, [b"a"])
        connection.resumeProducing()
        self.assertEqual(connection.seen, [b"a", b"b"])


    def test_small_pieces_are_not_held_back_by_tcp(self) -> None:
        for host, expected in (("192.0.2.1", [True]), ("", [])):
            connection = self.factory.buildProtocol(None)
            wire = Wire(host)
            asked: list[bool] = []
            wire.setTcpNoDelay = asked.append  # type: ignore[attr-defined]
            if not host:
                wire.getPeer = lambda: UNIXAddress(None)  # type: ignore[method-assign]
            connection.makeConnection(wire)
            self.assertEqual(asked, expected)


class TimeTests(ConversationCase):
    """Nobody holds a connection for nothing (attack: slowloris)."""

    def test_silence_ends_with_a_farewell(self) -> None:
        _, wire = self.connect()
        self.said(wire)
        self.pass_time(299)
        self.assertEqual(self.said(wire), b"")
        self.pass_time(2)
        self.assertEqual(self.said(wire), b"421 IDLE\r\n")

    def test_an_octet_now_and_then_does_not_buy_time(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        for _ in range(9):
            connection.dataReceived(b"a")
            self.pass_time(10)
        self.assertFalse(wire.disconnecting)
        connection.dataReceived(b"a")
        self.pass_time(12)
        self.assertEqual(self.said(wire), b"421 IDLE\r\n")

    def test_data_below_the_minimum_rate_is_cut(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"data 1000000\r\n")
        self.said(wire)
        for _ in range(12):
            connection.dataReceived(b"a" * 40)
            self.pass_time(10)
        self.assertEqual(self.said(wire), b"421 SLOW\r\n")

    def test_data_at_the_minimum_rate_is_not_cut(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"data 1000000\r\n")
        self.said(wire)
        for _ in range(200):
            connection.dataReceived(b"a" * 501)
            self.pass_time(1)
        self.assertEqual(self.said(wire), b"")

    def test_the_minimum_rate_to_the_octet(self) -> None:
        rate = self.limits.minimum_rate
        for octets, said in ((rate, b""), (rate - 1, b"421 SLOW\r\n")):
            connection, wire = self.connect()
            connection.dataReceived(b"data 1000000000\r\n")
            self.said(wire)
            self.pass_time(self.limits.record)
            for _ in range(20):
                connection.dataReceived(b"a" * octets)
                self.pass_time(1)
            self.assertEqual(self.said(wire), said)

    def test_work_of_ours_is_not_the_peers_silence(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"slow\r\n")
        self.said(wire)
        self.pass_time(1000)
        connection.pending.callback(b"done")
        self.assertEqual(self.said(wire), b"done\r\n")

    def test_a_closed_connection_that_lingers_is_dropped(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"quit\r\n")
        self.pass_time(self.limits.linger - 1)
        self.assertFalse(wire.aborted)
        self.pass_time(2)
        self.assertTrue(wire.aborted)


class EndingTests(ConversationCase):
    """However it ends, it ends once and in order."""

    def test_a_bug_is_logged_once_and_ends_with_a_farewell(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        connection.dataReceived(b"bug\r\nnever\r\n")
        self.assertEqual(self.said(wire), b"421 FAULT\r\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(connection.seen, [b"bug"])

    def test_the_failure_of_a_deferred_is_raised_where_it_is_awaited(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"careful\r\nnext\r\n")
        self.said(wire)
        connection.pending.errback(LookupError())
        self.assertEqual(self.said(wire), b"not found\r\nnext\r\n")

    def test_a_peer_that_goes_during_work_ends_it_after_the_work(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"slow\r\n")
        connection.connectionLost(Failure(UnauthorizedLogin()))
        self.assertEqual(getattr(connection, "endings", 0), 0)
        self.assertEqual(len(self.factory.connections), 1)
        connection.pending.callback(b"done")
        self.assertEqual(connection.endings, 1)
        self.assertEqual(len(self.factory.connections), 0)

    def test_a_logout_that_fails_is_logged_and_keeps_nothing_else(self) -> None:
        connection, wire = self.connect()
        logged_out: list[bool] = []

        def broken() -> None:
            raise ZeroDivisionError("a bug")

        connection._logouts += [broken, lambda: logged_out.append(True)]
        connection.dataReceived(b"quit\r\n")
        connection.connectionLost()
        self.assertEqual(logged_out, [True])
        self.assertEqual(connection.endings, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.factory.connections, set())

    def test_a_transport_that_is_lost_is_left_alone(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"slow\r\n")
        connection.connectionLost()
        wire.unregisterProducer = wire.loseConnection = self.fail
        connection.pending.callback(b"done")
        self.assertEqual(connection.endings, 1)

    def test_shutdown_lets_a_command_finish_and_says_goodbye(self) -> None:
        busy, busy_wire = self.connect()
        idle, idle_wire = self.connect()
        busy.dataReceived(b"slow\r\nnext\r\n")
        self.said(busy_wire), self.said(idle_wire)
        done = self.factory.shutdown()
        self.assertEqual(self.said(idle_wire), b"421 SHUTDOWN\r\n")
        self.assertEqual(self.said(busy_wire), b"")
        busy.pending.callback(b"done")
        self.assertEqual(self.said(busy_wire), b"done\r\n421 SHUTDOWN\r\n")
        self.assertNoResult(done)
        busy.connectionLost()
        idle.connectionLost()
        self.successResultOf(done)

    def test_shutdown_drops_who_does_not_finish(self) -> None:
        busy, wire = self.connect()
        busy.dataReceived(b"slow\r\n")
        done = self.factory.shutdown()
        self.pass_time(self.limits.drain - 1)
        self.assertFalse(wire.aborted)
        self.pass_time(1)
        self.assertTrue(wire.aborted)
        busy.connectionLost()
        busy.pending.callback(b"done")
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_shutdown_does_not_wait_for_work_that_never_ends(self) -> None:
        busy, wire = self.connect()
        busy.dataReceived(b"slow\r\n")
        done = self.factory.shutdown()
        self.pass_time(self.limits.drain)
        busy.connectionLost()
        self.pass_time(LAST_WAIT - 1)
        self.assertNoResult(done)
        self.pass_time(1)
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        busy.pending.callback(b"done")
        self.assertEqual(self.factory.connections, set())

    def test_wake_ends_a_wait(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"idle\r\n")
        self.said(wire)
        connection.wake()
        self.assertEqual(self.said(wire), b"woken\r\n")

    def test_wake_before_a_wait_is_remembered(self) -> None:
        connection, wire = self.connect()
        connection.wake()
        self.said(wire)
        connection.dataReceived(b"idle\r\n")
        self.assertEqual(self.said(wire), b"woken\r\n")


class TLSTests(ConversationCase):
    """RFC 3207, section 6: nothing in clear text counts after STARTTLS."""

    def test_input_behind_starttls_is_never_read(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        connection.dataReceived(b"tls\r\ninjected\r\n")
        self.assertEqual(connection.seen, [b"tls"])
        self.assertEqual(wire.tls_started, 0)
        self.assertTrue(wire.disconnecting)

    def test_starttls_alone_starts_tls_after_the_go_ahead(self) -> None:
        connection, wire = self.connect()
        self.said(wire)
        connection.dataReceived(b"tls\r\n")
        self.assertEqual(self.said(wire), b"go\r\n")
        self.assertEqual(wire.tls_started, 1)

    def test_a_handshake_that_never_comes_is_cut(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"tls\r\n")
        self.said(wire)
        self.pass_time(self.limits.handshake + 2)
        self.assertTrue(wire.aborted)

    def test_implicit_tls_says_nothing_before_the_handshake(self) -> None:
        self.factory.implicit_tls = True
        connection, wire = self.connect()
        self.assertEqual(self.said(wire), b"")
        self.pass_time(self.limits.handshake + 2)
        self.assertTrue(wire.aborted)


class AdmissionTests(ConversationCase):
    """Connections are limited per address, and loopback is not counted."""

    limits = Limits(connections_per_address=3, connections=6)

    def test_one_more_than_the_limit_is_turned_away(self) -> None:
        wires = [self.connect()[1] for _ in range(4)]
        self.assertEqual([self.said(w) for w in wires[:3]], [b"hello\r\n"] * 3)
        self.assertEqual(self.said(wires[3]), b"421 CROWDED\r\n")

    def test_a_place_becomes_free_again(self) -> None:
        connections = [self.connect() for _ in range(4)]
        for connection, _ in connections[2:]:
            connection.connectionLost()
        self.assertEqual(self.said(self.connect()[1]), b"hello\r\n")

    def test_one_ipv6_network_counts_as_one_address(self) -> None:
        wires = [self.connect(f"2001:db8::{n}")[1] for n in range(1, 5)]
        self.assertEqual(self.said(wires[3]), b"421 CROWDED\r\n")
        self.assertEqual(self.said(self.connect("2001:db8:0:1::1")[1]), b"hello\r\n")

    def test_loopback_is_only_limited_in_all(self) -> None:
        wires = [self.connect("127.0.0.1")[1] for _ in range(7)]
        self.assertEqual(self.said(wires[5]), b"hello\r\n")
        self.assertEqual(self.said(wires[6]), b"421 CROWDED\r\n")

    def test_no_timer_is_left_when_all_have_gone(self) -> None:
        connection, _ = self.connect()
        connection.dataReceived(b"quit\r\n")
        connection.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class NetworkTests(SynchronousTestCase):
    """What counts as one peer."""

    def test_networks(self) -> None:
        for host, network in (
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("", ""),
        ):
            self.assertEqual(network_of(host), network)
