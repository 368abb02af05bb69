"""Senders of forwarded mail, signed and found again."""

from __future__ import annotations

import os
import threading

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault
from mailhub.mail.address import MAX_LOCAL, Address, parse_mailbox
from mailhub.routing.srs import (
    DAY,
    DAYS,
    KEY_FILE,
    KEY_SIZE,
    LIFETIME_DAYS,
    SRS,
    NotOurs,
    load_key,
)

#: 2026-11-21.
NOW = 1_795_226_494.0
KEY = bytes(range(32))
SENDER = Address("Al", "example.net")
HERE = "example.org"


class SigningTests(SynchronousTestCase):
    """``SRS0``: this server is the first that forwards."""

    def setUp(self):
        self.srs = SRS(lambda: KEY)

    def refused(self, local, now=NOW):
        with self.assertRaises(NotOurs, msg=local):
            self.srs.undo(Address(local, HERE), now)

    def test_a_signed_sender_comes_back_as_it_was(self):
        signed = self.srs.sign(SENDER, HERE, NOW)
        self.assertEqual(signed.domain, HERE)
        self.assertRegex(
            signed.local, r"\ASRS0=[a-z2-7]{6}=[a-z2-7]{2}=example\.net=Al\Z"
        )
        self.assertTrue(self.srs.is_signed(signed.local))
        self.assertEqual(self.srs.undo(signed, NOW), SENDER)

    def test_case_and_the_first_separator_do_not_matter(self):
        signed = self.srs.sign(SENDER, HERE, NOW)
        for local in (signed.local.lower(), signed.local.upper(),
                      signed.local.replace("=", "+", 1),
                      signed.local.replace("=", "-", 1)):
            found = self.srs.undo(Address(local, HERE), NOW)
            self.assertEqual(str(found).lower(), "al@example.net")

    def test_what_was_not_signed_here_is_refused(self):
        local = self.srs.sign(SENDER, HERE, NOW).local
        _, written, day, domain, name = local.split("=")
        for other in (
            f"SRS0=aaaaaa={day}={domain}={name}", f"SRS0={written}=aa={domain}={name}",
            f"SRS0={written}={day}=example.com={name}",
            f"SRS0={written}={day}={domain}=Bo", f"SRS0={written[:5]}={day}={domain}=A",
            f"SRS0={written}={day}={domain}=", "SRS0=", "SRS0=a=b", "SRS1=a=b",
            f"SRS1={written}={domain}==x=y=z", f"SRS0={written}={day}={name}",
        ):  # fmt: skip
            self.refused(other)
        with self.assertRaises(NotOurs):
            SRS(lambda: bytes(32)).undo(Address(local, HERE), NOW)

    def test_an_address_ends_after_its_days(self):
        local = self.srs.sign(SENDER, HERE, NOW).local
        last = NOW + LIFETIME_DAYS * DAY
        self.assertEqual(self.srs.undo(Address(local, HERE), last), SENDER)
        self.refused(local, last + DAY)

    def test_days_come_round(self):
        late = (20_776 // DAYS + 1) * DAYS * DAY - 1.0
        signed = self.srs.sign(SENDER, HERE, late)
        self.assertEqual(self.srs.undo(signed, late + DAY), SENDER)
        self.refused(signed.local, late - DAY)

    def test_a_sender_that_would_be_too_long_stays(self):
        room = MAX_LOCAL - len("SRS0=123456=12=example.net=")
        sender = Address("x" * room, "example.net")
        signed = self.srs.sign(sender, HERE, NOW)
        self.assertEqual(len(signed.local), MAX_LOCAL)
        self.assertEqual(self.srs.undo(signed, NOW), sender)
        sender = Address("x" * (room + 1), "example.net")
        self.assertEqual(self.srs.sign(sender, HERE, NOW), sender)

    def test_other_local_parts_are_not_signed(self):
        for local in ("srs", "srs0", "SRS2=x", "srsly=x", "xSRS0=a"):
            self.assertFalse(self.srs.is_signed(local), local)

    @settings(deadline=None, max_examples=100)
    @given(st.text(max_size=60))
    def test_any_text_is_refused(self, text):
        for start in ("SRS0=", "SRS1=", ""):
            self.refused(start + text)

    def test_a_lifetime_is_shorter_than_a_round(self):
        for days in (0, DAYS):
            with self.assertRaises(ValueError):
                SRS(lambda: KEY, days)


class ForwardedAgainTests(SynchronousTestCase):
    """``SRS1``: others have forwarded it before; two of them share the work."""

    def setUp(self):
        self.first, self.second, self.third = [
            SRS(lambda number=number: bytes([number]) * KEY_SIZE)
            for number in (1, 2, 3)
        ]

    def test_bounces_go_to_the_first_forwarder_only(self):
        one = self.first.sign(SENDER, "one.example", NOW)
        two = self.second.sign(one, "two.example", NOW)
        three = self.third.sign(two, "three.example", NOW)
        self.assertRegex(two.local, r"\ASRS1=[a-z2-7]{6}=one\.example==")
        self.assertEqual(len(three.local), len(two.local))
        self.assertEqual(self.third.undo(three, NOW), one)
        self.assertEqual(self.second.undo(two, NOW), one)
        self.assertEqual(self.first.undo(one, NOW), SENDER)

    def test_signed_addresses_are_addresses(self):
        sender = SENDER
        for number, srs in enumerate((self.first, self.second, self.third)):
            sender = srs.sign(sender, f"n{number}.example", NOW)
            octets = str(sender).encode()
            self.assertEqual(parse_mailbox(octets, smtputf8=False), sender)

    def test_another_server_s_chain_is_not_ours(self):
        one = self.first.sign(SENDER, "one.example", NOW)
        two = self.second.sign(one, "two.example", NOW)
        with self.assertRaises(NotOurs):
            self.third.undo(two, NOW)


class KeyTests(SynchronousTestCase):
    """The key in the data folder."""

    def setUp(self):
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, KEY_FILE)

    def test_it_is_made_once_for_its_owner_only(self):
        key = load_key(self.folder)
        self.assertEqual(len(key), KEY_SIZE)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        self.assertEqual(load_key(self.folder), key)
        self.assertEqual(os.listdir(self.folder), [KEY_FILE])

    def test_all_who_make_it_at_once_have_the_same(self):
        keys = []
        threads = [
            threading.Thread(target=lambda: keys.append(load_key(self.folder)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(keys), len(set(keys))), (8, 1))

    def test_a_key_that_others_may_read_is_refused(self):
        load_key(self.folder)
        os.chmod(self.path, 0o640)
        with self.assertRaises(LocalFault):
            load_key(self.folder)

    def test_what_is_no_key_is_refused(self):
        for size in (0, KEY_SIZE - 1, KEY_SIZE + 1):
            with open(self.path, "wb") as file:
                file.write(bytes(size))
            os.chmod(self.path, 0o600)
            with self.assertRaises(LocalFault):
                load_key(self.folder)

    def test_a_folder_that_is_missing_is_a_fault_of_ours(self):
        with self.assertRaises(LocalFault):
            load_key(self.folder + "/none")

    def test_the_key_is_read_when_it_is_needed_and_once(self):
        asked = []

        def find():
            asked.append(1)
            return KEY

        srs = SRS(find)
        self.assertEqual(asked, [])
        signed = srs.sign(SENDER, HERE, NOW)
        srs.undo(signed, NOW)
        self.assertEqual(asked, [1])
