"""Tests of the base of every line protocol: reading, writing, time, endings."""

from __future__ import annotations

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import UNIXAddress
from twisted.python.failure import Failure

from mailhub.net.roll import LAST_WAIT

from .talk import LIMIT, ConversationCase, Wire


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

    def test_tls_is_not_begun_on_a_transport_that_is_lost(self) -> None:
        connection, wire = self.connect()
        connection.dataReceived(b"slow\r\ntls\r\n")
        connection.connectionLost()
        wire.startTLS = self.fail
        connection.pending.callback(b"done")
        self.assertEqual(connection.seen, [b"slow", b"tls"])
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
