from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub import errors
from mailhub.pop3 import replies
from mailhub.pop3.replies import reply_for

#: RFC 2449, section 8, and RFC 3206.
TABLE = [
    (errors.AuthenticationFailed("x"), b"-ERR [AUTH] "),
    (errors.TooManyAttempts("x"), b"-ERR [SYS/TEMP] "),
    (errors.EncryptionRequired("x"), b"-ERR [SYS/PERM] "),
    (errors.MailboxInUse("x"), b"-ERR [IN-USE] "),
    (errors.LocalFault("x"), b"-ERR [SYS/TEMP] "),
    (errors.Busy("x"), b"-ERR [SYS/TEMP] "),
    (errors.StorageFull("x"), b"-ERR [SYS/TEMP] "),
    (errors.ReadOnlyMailbox("x"), b"-ERR [SYS/PERM] "),
    (errors.SyntaxFault("x"), b"-ERR Malformed"),
    (replies.NoSuchMessage("x"), b"-ERR No such message"),
    (replies.DeletedMessage("x"), b"-ERR Message is marked"),
    (replies.MessageGone("x"), b"-ERR The message has been removed"),
    (replies.NotDeleted("x"), b"-ERR [SYS/TEMP] Some deleted messages"),
    (errors.Refused("gone fishing"), b"-ERR [SYS/PERM] gone fishing\r\n"),
    (errors.Refused("later", permanent=False), b"-ERR [SYS/TEMP] later\r\n"),
]


class Errors(SynchronousTestCase):
    def test_every_kind_of_error_has_its_reply(self) -> None:
        for error, start in TABLE:
            reply = reply_for(error)
            self.assertTrue(reply.startswith(start), (error, reply))

    def test_what_is_for_the_log_is_not_told(self) -> None:
        for error, _ in TABLE:
            if not isinstance(error, errors.Refused):
                self.assertNotIn(b"x\r\n", reply_for(error))

    def test_every_kind_there_is_becomes_one_line(self) -> None:
        kinds = [kind for kind in vars(errors).values()
                 if isinstance(kind, type) and issubclass(kind, errors.MailError)]
        for kind in kinds:
            reply = reply_for(kind("x" * 300))
            self.assertTrue(reply.startswith(b"-ERR "))
            self.assertTrue(reply.endswith(b"\r\n"))
            self.assertEqual(reply.count(b"\n"), 1)


class Texts(SynchronousTestCase):
    """RFC 2449, section 4: 512 octets at most; RFC 1939: CRLF."""

    def test_every_reply_is_one_short_line(self) -> None:
        named = [value for name, value in vars(replies).items() if name.isupper()]
        for reply in [text for text in named if isinstance(text, bytes)]:
            if reply == replies.END:
                continue
            self.assertRegex(reply, rb"\A(\+OK|-ERR)( [ -~]+)?\r\n\Z")
            self.assertLessEqual(len(reply), 512)

    def test_the_texts_that_people_look_for(self) -> None:
        self.assertEqual(replies.LOGGED_IN, b"+OK Logged in.\r\n")
        self.assertEqual(replies.MARKED, b"+OK Marked for deletion\r\n")
        self.assertEqual(replies.LOGGING_OUT, b"+OK Logging out.\r\n")
        self.assertEqual(replies.status(3, 12345), b"+OK 3 12345\r\n")
        self.assertEqual(replies.message(2048), b"+OK 2048 octets\r\n")

    def test_the_greeting_offers_no_apop(self) -> None:
        self.assertNotRegex(replies.greeting("a.example"), rb"<.*>")
