"""Tests for what servers have to prove, by configuration."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailhub.assembly.names import tls_policies_of
from mailhub.config.settings import Config, Outbound
from mailhub.mail.dns import MX, TLSA, Answer, RecordType
from tests.resolving import Names

RECORD = TLSA(3, 1, 1, bytes(32))
MX_ANSWER = Answer("far.example", (MX(10, "mx.far.example"),), True, 300)


class PolicyTests(SynchronousTestCase):
    """``[outbound] dane`` and ``mta_sts``."""

    def asked(self, **settings):
        """The types that DNS is asked for, and whether TLS is needed."""
        names = Names(
            {
                "mx.far.example": {RecordType.A: ["192.0.2.1"]},
                "_25._tcp.mx.far.example": {RecordType.TLSA: [RECORD]},
            },
            True,
        )
        config = replace(Config(), outbound=Outbound(**settings))
        policies = tls_policies_of(config, Clock(), names)

        async def find():
            domain = await policies.of_domain("far.example", MX_ANSWER)
            return (await domain.of_host("mx.far.example")).needs_tls

        needs_tls = self.successResultOf(Deferred.fromCoroutine(find()))
        return {kind for _, kind in names.asked}, needs_tls

    def test_both_are_asked_for(self):
        kinds, needs_tls = self.asked()
        self.assertEqual(kinds, {RecordType.TXT, RecordType.A, RecordType.TLSA})
        self.assertTrue(needs_tls)

    def test_neither_is_where_they_are_off(self):
        self.assertEqual(self.asked(dane=False), ({RecordType.TXT}, False))
        kinds, needs_tls = self.asked(mta_sts=False)
        self.assertNotIn(RecordType.TXT, kinds)
        self.assertTrue(needs_tls)
