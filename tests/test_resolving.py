"""Tests for the tests' own DNS."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import DNSFault, NoSuchDomain
from mailhub.mail.dns import MX, Answer, RecordType

from .resolving import Names


class NamesTests(SynchronousTestCase):
    """It answers as ``IResolver`` says."""

    def ask(self, resolver, name, kind):
        return Deferred.fromCoroutine(resolver.query(name, kind))

    def answer(self, resolver, name, kind):
        return self.successResultOf(self.ask(resolver, name, kind))

    def test_it_knows_what_it_was_given(self):
        names = Names({"Far.Example.": {RecordType.MX: [MX(10, "mx.far.example")]}})
        self.assertEqual(
            self.answer(names, "far.example", RecordType.MX),
            Answer("far.example", (MX(10, "mx.far.example"),), False, 300),
        )
        self.assertEqual(self.answer(names, "FAR.example.", RecordType.A).records, ())
        self.assertEqual(names.asked[0], ("far.example", RecordType.MX))
        self.failureResultOf(
            self.ask(names, "near.example", RecordType.A), NoSuchDomain
        )

    def test_cnames_are_followed_and_every_link_has_to_be_authentic(self):
        records = {
            "a.example": {RecordType.CNAME: ["b.example"]},
            "b.example": {RecordType.A: ["192.0.2.1"]},
            "loop.example": {RecordType.CNAME: ["loop.example"]},
        }
        self.assertEqual(
            self.answer(Names(records, ["b.example"]), "a.example", RecordType.A),
            Answer("b.example", ("192.0.2.1",), False, 300),
        )
        trusted = Names(records, True)
        self.assertTrue(self.answer(trusted, "a.example", RecordType.A).authentic)
        self.failureResultOf(
            self.ask(trusted, "loop.example", RecordType.A), DNSFault
        )

    def test_it_fails_and_waits_where_it_is_told_to(self):
        names = Names({"a.example": {RecordType.A: ["192.0.2.1"]}})
        names.fail("a.example", kind=RecordType.A)
        self.failureResultOf(self.ask(names, "a.example", RecordType.A), DNSFault)
        self.assertEqual(self.answer(names, "a.example", RecordType.MX).records, ())
        names.recover()
        go_on = names.wait("a.example")
        both = [self.ask(names, "a.example", RecordType.A) for _ in range(2)]
        self.assertNoResult(both[1])
        go_on.callback(None)
        for each in both:
            self.assertEqual(self.successResultOf(each).records, ("192.0.2.1",))
