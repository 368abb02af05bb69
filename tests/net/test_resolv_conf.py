"""Tests for the machine's own resolvers; the machine's own file is not read."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.dns_exchange import NameServer
from mailhub.net.resolv_conf import SystemServers, name_servers


class ReadingTests(SynchronousTestCase):
    """resolv.conf(5)."""

    def test_addresses_are_found_in_order(self):
        text = (
            "# generated\nsearch example.org\nnameserver 192.0.2.1\n"
            "nameserver\t2001:db8::1 # second\n;nameserver 192.0.2.9\n"
            "nameserver fe80::1%eth0\nnameserver \nnameserver x\noptions edns0\n"
        )
        self.assertEqual(name_servers(text), ["192.0.2.1", "2001:db8::1"])

    def test_without_any_it_is_this_machine(self):
        self.assertEqual(name_servers("search example.org\n"), ["127.0.0.1"])

    def test_noise_is_no_address(self):
        self.assertEqual(name_servers("nameserver a\0b\n\xff\0"), ["127.0.0.1"])


class FileTests(SynchronousTestCase):
    """A laptop moves from one network to another."""

    def setUp(self):
        self.path = self.mktemp()
        self.clock = Clock()
        self.clock.advance(100)
        self.servers = SystemServers(
            self.clock, lambda address: address == "127.0.0.1", self.path
        )

    def write(self, text):
        with open(self.path + "~", "w") as file:
            file.write(text)
        os.rename(self.path + "~", self.path)

    def test_a_file_that_changes_is_read_again_soon(self):
        self.write("nameserver 192.0.2.1\n")
        self.assertEqual(self.servers(), [NameServer("192.0.2.1")])
        self.write("nameserver 127.0.0.1\n")
        self.assertEqual(self.servers(), [NameServer("192.0.2.1")])
        self.clock.advance(5)
        self.assertEqual(self.servers(), [NameServer("127.0.0.1", trusted=True)])

    def test_a_file_that_goes_changes_nothing(self):
        self.assertEqual(self.servers(), [NameServer("127.0.0.1", trusted=True)])
        self.write("nameserver 192.0.2.1\n")
        self.clock.advance(5)
        self.servers()
        os.unlink(self.path)
        self.clock.advance(5)
        self.assertEqual(self.servers(), [NameServer("192.0.2.1")])
