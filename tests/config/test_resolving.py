"""Tests for the resolver that a configuration asks for."""

from __future__ import annotations

from dataclasses import fields

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.kinds import Endpoint
from mailhub.config.resolving import (
    dns_limits,
    make_resolver,
    name_servers,
    reconfigure,
)
from mailhub.config.settings import DNS
from mailhub.net.dns_exchange import NameServer
from mailhub.net.resolv_conf import SystemServers
from mailhub.net.resolver import DNSLimits

LOCAL, FAR = Endpoint("127.0.0.53", 53), Endpoint("192.0.2.53", 5300)


class SettingsTests(SynchronousTestCase):
    """``[dns]``."""

    def test_the_limits_are_those_of_the_resolver(self):
        settings = DNS()
        for field in fields(DNSLimits):
            self.assertEqual(getattr(settings, field.name), field.default)
        self.assertEqual(dns_limits(DNS(attempt=1.0)), DNSLimits(attempt=1.0))

    def test_who_is_trusted_is_a_setting(self):
        for trust, trusted in (
            ("loopback", [True, False]), ("never", [False] * 2), ("always", [True] * 2),
        ):  # fmt: skip
            servers = name_servers(DNS((LOCAL, FAR), trust), Clock())()
            self.assertEqual(
                servers,
                [
                    NameServer("127.0.0.53", 53, trusted[0]),
                    NameServer("192.0.2.53", 5300, trusted[1]),
                ],
            )

    def test_without_servers_it_is_the_machine_s(self):
        self.assertIsInstance(name_servers(DNS(), Clock()), SystemServers)

    def test_a_resolver_goes_on_with_others(self):
        clock = Clock()
        resolver = make_resolver(DNS((FAR,)), clock)
        self.assertEqual(resolver._in_order()[0].host, FAR.host)
        reconfigure(resolver, DNS((LOCAL,)), clock)
        self.assertEqual(resolver._in_order()[0].host, LOCAL.host)
