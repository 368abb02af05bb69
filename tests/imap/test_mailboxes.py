"""Commands about mailboxes by name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap import responses

from .fixture import Server, run


class CreateTests(SynchronousTestCase):
    """CREATE, DELETE, RENAME (RFC 3501, section 6.3; RFC 6154)."""

    def names(self, server):
        return [info.name for info in run(server.account.mailboxes())]

    def test_a_separator_at_the_end_is_allowed(self):
        server = Server()
        server.logged_in().ok(b"CREATE Work/")
        self.assertIn("Work", self.names(server))

    def test_names_in_any_script(self):
        server = Server()
        client = server.logged_in()
        client.ok(b'CREATE "&1VyuAA-"')
        self.assertIn("\ud55c\uae00", self.names(server))
        self.assertIn(b'"/" &1VyuAA-\r\n', client.ok(b'LIST "" "&1VyuAA-"'))

    def test_names_with_spaces_and_quotes(self):
        client = Server().logged_in()
        client.ok(b'CREATE "a \\"b\\" c"')
        self.assertIn(b'"/" "a \\"b\\" c"\r\n', client.ok(b'LIST "" "a *"'))

    def test_a_special_use_can_be_asked_for(self):
        client = Server().logged_in()
        client.ok(b"CREATE Spam (USE (\\Junk))")
        self.assertIn(b"\\Junk", client.ok(b'LIST "" Spam'))

    def test_special_uses_that_are_none_or_many_are_refused(self):
        client = Server().logged_in()
        for uses in (b"\\All", b"\\Junk \\Sent", b"\\What"):
            status = client.status(b"CREATE x (USE (" + uses + b"))")
            self.assertEqual(status, responses.BAD_SPECIAL_USE)
        for text in (b"x (USE (Junk))", b"x (USED (\\Junk))", b"x (USE \\Junk)"):
            self.assertTrue(client.status(b"CREATE " + text).startswith(b"BAD"))

    def test_what_cannot_be_done_has_its_code(self):
        client = Server().logged_in()
        for command, code in (
            (b"CREATE INBOX", b"ALREADYEXISTS"), (b"CREATE Sent", b"ALREADYEXISTS"),
            (b"DELETE nowhere", b"NONEXISTENT"), (b"DELETE INBOX", b"CANNOT"),
            (b"RENAME nowhere x", b"NONEXISTENT"),
            (b"RENAME Sent Trash", b"ALREADYEXISTS"), (b"CREATE a//b", b"CANNOT"),
            (b"STATUS nowhere (MESSAGES)", b"NONEXISTENT"),
        ):  # fmt: skip
            status = client.status(command)
            self.assertTrue(status.startswith(b"NO [" + code + b"]"), (command, status))

    def test_renaming_inbox_moves_its_messages(self):
        server = Server()
        server.deliver()
        server.logged_in().ok(b"RENAME INBOX old")
        self.assertEqual(server.uids(), [])
        self.assertEqual(len(server.uids("old")), 1)

    def test_renaming_takes_children_along(self):
        server = Server()
        client = server.logged_in()
        client.ok(b"CREATE a/b/c")
        client.ok(b"RENAME a x/")
        self.assertEqual(
            [name for name in self.names(server) if name[0] in "ax"],
            ["x", "x/b", "x/b/c"],
        )


class ListTests(SynchronousTestCase):
    """LIST, LSUB, STATUS (RFC 3501, section 6.3; RFC 3348; RFC 6154)."""

    def test_an_empty_name_asks_for_the_separator(self):
        client = Server().logged_in()
        for text in (b'LIST "" ""', b'LIST "x" ""'):
            self.assertEqual(client.ok(text), b'* LIST (\\Noselect) "/" ""\r\n')
        self.assertEqual(client.ok(b'LSUB "" ""'), b'* LSUB (\\Noselect) "/" ""\r\n')

    def test_children_and_special_uses_are_shown(self):
        client = Server().logged_in()
        client.ok(b"CREATE a/b")
        rows = client.ok(b'LIST "" *').splitlines()
        self.assertIn(b'* LIST (\\HasChildren) "/" a', rows)
        self.assertIn(b'* LIST (\\HasNoChildren) "/" a/b', rows)
        self.assertIn(b'* LIST (\\HasNoChildren \\Sent) "/" Sent', rows)
        self.assertIn(b'* LIST (\\HasNoChildren) "/" INBOX', rows)

    def test_a_reference_stands_before_the_name(self):
        client = Server().logged_in()
        client.ok(b"CREATE a/b")
        self.assertEqual(
            client.ok(b'LIST a/ %'), b'* LIST (\\HasNoChildren) "/" a/b\r\n'
        )

    def test_special_use_as_an_option(self):
        client = Server().logged_in()
        plain = client.ok(b'LIST "" *')
        self.assertEqual(client.ok(b'LIST "" * RETURN (SPECIAL-USE)'), plain)
        self.assertEqual(client.ok(b'LIST "" * RETURN (CHILDREN)'), plain)
        special = client.ok(b'LIST (SPECIAL-USE) "" *').splitlines()
        self.assertEqual(len(special), 5)
        for text in (
            b'(SPICY) "" *', b'"" * RETURN (SPICY)', b'"" * RETURN', b'"" * x',
        ):  # fmt: skip
            self.assertTrue(client.status(b"LIST " + text).startswith(b"BAD"), text)

    def test_subscriptions_come_and_go(self):
        client = Server().logged_in()
        client.ok(b"SUBSCRIBE nowhere/deep")
        self.assertEqual(
            client.ok(b'LSUB "" nowhere/*'), b'* LSUB () "/" nowhere/deep\r\n'
        )
        self.assertEqual(
            client.ok(b'LSUB "" nowher%'), b'* LSUB (\\Noselect) "/" nowhere\r\n'
        )
        self.assertEqual(client.ok(b'LIST "" nowhere*'), b"")
        client.ok(b"UNSUBSCRIBE nowhere/deep")
        self.assertEqual(client.ok(b'LSUB "" nowhere*'), b"")

    def test_status_answers_what_is_asked_in_that_order(self):
        server = Server()
        server.deliver()
        client = server.logged_in()
        self.assertEqual(
            client.ok(b"STATUS inbox (UNSEEN messages UIDNEXT RECENT UIDVALIDITY)"),
            b"* STATUS INBOX (UNSEEN 1 MESSAGES 1 UIDNEXT 2 RECENT 1"
            b" UIDVALIDITY 1000001)\r\n",
        )
        for items in (b"()", b"(SPICES)", b"MESSAGES", b"(MESSAGES"):
            self.assertTrue(client.status(b"STATUS INBOX " + items).startswith(b"BAD"))


class SessionTests(SynchronousTestCase):
    """CAPABILITY, ID, ENABLE, NAMESPACE, LOGOUT."""

    def test_namespace(self):
        """RFC 2342."""
        self.assertEqual(
            Server().logged_in().ok(b"NAMESPACE"), b'* NAMESPACE (("" "/")) NIL NIL\r\n'
        )

    def test_id_is_answered_before_and_after_login(self):
        """RFC 2971."""
        for client in (Server().connect(), Server().logged_in()):
            for text in (b"ID NIL", b'ID ("name" "x" "version" NIL)', b"ID ()"):
                self.assertEqual(client.ok(text), b'* ID ("name" "mailhub")\r\n')
        for text in (b"ID", b"ID x", b'ID ("name")', b'ID ("a" "b"'):
            self.assertTrue(client.status(text).startswith(b"BAD"), text)

    def test_id_has_30_fields_at_most(self):
        client = Server().connect()
        client.ok(b"ID (" + b" ".join([b'"a" "b"'] * 30) + b")")
        status = client.status(b"ID (" + b" ".join([b'"a" "b"'] * 31) + b")")
        self.assertTrue(status.startswith(b"BAD"))

    def test_enable_says_what_was_enabled(self):
        """RFC 5161: nothing is, of what we do not know."""
        client = Server().logged_in()
        self.assertEqual(client.ok(b"ENABLE CONDSTORE X-Y"), b"* ENABLED\r\n")
        self.assertTrue(client.status(b"ENABLE").startswith(b"BAD"))

    def test_logout_says_goodbye(self):
        for client in (Server().connect(), Server().selected()):
            client.send(b"a LOGOUT\r\nb NOOP\r\n")
            self.assertEqual(
                client.received(), b"* BYE Logging out\r\na OK LOGOUT completed\r\n"
            )
            self.assertTrue(client.closed)
