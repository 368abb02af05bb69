"""The order of commands and replies about one message (RFC 5321, section 3.3)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.smtp.client_replies import MalformedReply, ServerReply
from mailhub.smtp.client_steps import Step
from mailhub.smtp.client_transaction import Move, Transaction

MAIL, ONE, TWO = b"MAIL\r\n", b"RCPT one\r\n", b"RCPT two\r\n"
READ, WRITE, CONTENT, DONE = Move.READ, Move.WRITE, Move.CONTENT, Move.DONE


def reply(code: int) -> ServerReply:
    return ServerReply(code, (b"text",))


class TransactionCase(SynchronousTestCase):
    """What each reply leads to."""

    def begin(self, *recipients, pipelining=True, **more):
        self.dialogue = Transaction(
            MAIL, recipients or (ONE, TWO), pipelining=pipelining, **more
        )
        return self.dialogue

    def take(self, *codes):
        return [self.dialogue.take(reply(code)) for code in codes]

    def verdicts(self):
        return [each and each.code for each in self.dialogue.verdicts]


class PipelinedTests(TransactionCase):
    """RFC 2920."""

    def test_all_leaves_in_one_piece(self):
        dialogue = self.begin()
        self.assertEqual(dialogue.opening, MAIL + ONE + TWO + b"DATA\r\n")
        self.assertEqual(self.take(250, 250, 250, 354), [READ, READ, READ, CONTENT])
        self.assertIs(dialogue.step, Step.END)
        self.assertEqual(self.take(250), [DONE])
        self.assertEqual(self.verdicts(), [250, 250])
        self.assertFalse(dialogue.is_open)

    def test_each_recipient_has_its_own_verdict(self):
        self.begin()
        self.take(250, 550, 250, 354, 250)
        self.assertEqual(self.verdicts(), [550, 250])

    def test_a_final_refusal_is_for_those_who_were_accepted(self):
        self.begin()
        self.take(250, 450, 250, 354, 554)
        self.assertEqual(self.verdicts(), [450, 554])

    def test_data_without_a_recipient_ends_with_a_dot(self):
        """Section 3.1 of RFC 2920."""
        dialogue = self.begin()
        moves = self.take(250, 550, 551, 354)
        self.assertEqual(moves[-1], WRITE)
        self.assertEqual(dialogue.outgoing, b".\r\n")
        self.assertEqual(self.take(554), [DONE])
        self.assertEqual(self.verdicts(), [550, 551])

    def test_a_message_accepted_for_nobody_is_not_delivered(self):
        self.begin()
        self.take(250, 550, 551, 354, 250)
        self.assertEqual(self.verdicts(), [550, 551])

    def test_a_refused_data_leaves_a_transaction_to_forget(self):
        dialogue = self.begin()
        self.assertEqual(self.take(250, 550, 550, 503)[-1], DONE)
        self.assertTrue(dialogue.is_open)

    def test_the_reply_to_data_counts_for_those_who_were_accepted(self):
        self.begin()
        self.take(250, 250, 550, 451)
        self.assertEqual(self.verdicts(), [451, 550])

    def test_a_refused_mail_is_for_everybody(self):
        dialogue = self.begin()
        self.assertEqual(self.take(451, 503, 503, 503), [READ, READ, READ, DONE])
        self.assertEqual(self.verdicts(), [451, 451])
        self.assertFalse(dialogue.is_open)

    def test_recipients_accepted_behind_a_refused_mail_are_not(self):
        dialogue = self.begin()
        self.assertEqual(self.take(550, 250, 250, 354)[-1], WRITE)
        self.assertEqual(dialogue.outgoing, b".\r\n")
        self.take(250)
        self.assertEqual(self.verdicts(), [550, 550])


class StepwiseTests(TransactionCase):
    """Without PIPELINING."""

    def test_each_command_waits_for_the_reply_before(self):
        dialogue = self.begin(pipelining=False)
        written = [dialogue.opening]
        for code in (250, 250, 450):
            self.assertEqual(self.take(code), [WRITE])
            written.append(dialogue.outgoing)
        self.assertEqual(written, [MAIL, ONE, TWO, b"DATA\r\n"])
        self.assertEqual(self.take(354, 250), [CONTENT, DONE])
        self.assertEqual(self.verdicts(), [250, 450])

    def test_a_refused_mail_ends_it(self):
        dialogue = self.begin(pipelining=False)
        self.assertEqual(self.take(550), [DONE])
        self.assertEqual(self.verdicts(), [550, 550])
        self.assertFalse(dialogue.is_open)

    def test_without_a_recipient_there_is_no_data(self):
        dialogue = self.begin(pipelining=False)
        self.assertEqual(self.take(250, 550, 450), [WRITE, WRITE, DONE])
        self.assertEqual(self.verdicts(), [550, 450])
        self.assertTrue(dialogue.is_open)


class ChunkTests(TransactionCase):
    """RFC 3030."""

    def test_the_message_leaves_with_the_commands(self):
        dialogue = self.begin(chunk=b"BDAT 1 LAST\r\nx")
        self.assertEqual(dialogue.opening, MAIL + ONE + TWO + b"BDAT 1 LAST\r\nx")
        self.assertEqual(self.take(250, 250, 550, 250), [READ, READ, READ, DONE])
        self.assertEqual(self.verdicts(), [250, 550])

    def test_its_reply_counts_for_nobody_where_all_were_refused(self):
        self.begin(chunk=b"BDAT 1 LAST\r\nx")
        self.assertEqual(self.take(250, 550, 551, 503)[-1], DONE)
        self.assertEqual(self.verdicts(), [550, 551])

    def test_one_that_was_refused_leaves_a_transaction_to_forget(self):
        for codes in ((250, 550, 551, 503), (250, 250, 250, 452), (552, 503, 503, 503)):
            dialogue = self.begin(chunk=b"BDAT 1 LAST\r\nx")
            self.take(*codes)
            self.assertTrue(dialogue.is_open, codes)
        dialogue = self.begin(chunk=b"BDAT 1 LAST\r\nx")
        self.take(250, 250, 550, 250)
        self.assertFalse(dialogue.is_open)

    def test_it_waits_for_recipients_without_pipelining(self):
        dialogue = self.begin(ONE, chunk=b"BDAT 1 LAST\r\nx", pipelining=False)
        self.take(250, 250)
        self.assertEqual(dialogue.outgoing, b"BDAT 1 LAST\r\nx")
        self.assertEqual(self.take(250), [DONE])


class OneByOneTests(TransactionCase):
    """LMTP (RFC 2033, section 4.2)."""

    def test_each_recipient_has_a_reply_after_the_data(self):
        self.begin(one_by_one=True)
        self.take(250, 250, 250, 354)
        self.assertEqual(self.take(250, 452), [READ, DONE])
        self.assertEqual(self.verdicts(), [250, 452])

    def test_those_who_were_refused_have_none(self):
        self.begin(one_by_one=True)
        self.take(250, 550, 250, 354)
        self.assertEqual(self.take(250), [DONE])
        self.assertEqual(self.verdicts(), [550, 250])


class OddServerTests(TransactionCase):
    """Replies that make no sense, and servers that go."""

    def test_421_ends_it_and_decides_nothing(self):
        for codes in ((421,), (250, 421), (250, 550, 421), (250, 550, 250, 354, 421)):
            dialogue = self.begin()
            self.assertIs(self.take(*codes)[-1], DONE)
            assert dialogue.closing is not None
            self.assertEqual(dialogue.closing.code, 421)
            decided = [550] if 550 in codes else [None]
            self.assertEqual(self.verdicts(), [*decided, None])

    def test_a_reply_of_another_kind_is_an_error(self):
        for codes in ((354,), (250, 354), (250, 250, 250, 250),
                      (250, 250, 250, 354, 354)):  # fmt: skip
            self.begin()
            self.assertRaises(MalformedReply, self.take, *codes)
