"""Tests for when policies of MTA-STS are fetched, and how long they hold."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import DNSFault
from mailhub.mail.dns import RecordType
from mailhub.outbound import mta_sts_policies as module
from mailhub.outbound.mta_sts import Mode
from mailhub.outbound.mta_sts_fetch import NoPolicy
from mailhub.outbound.mta_sts_policies import REFRESH, RETRY, Policies, Shelf
from tests.resolving import Names

DOMAIN, RECORD_AT = "far.example", "_mta-sts.far.example"
WEEK = 7 * 86_400


def text(mode="enforce", mx="mx.far.example", max_age=WEEK):
    return f"version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {max_age}\n"


class PoliciesTests(SynchronousTestCase):
    """RFC 8461, sections 3.3, 5 and 10.2."""

    def setUp(self):
        self.now = 1_800_000_000.0
        self.names = Names()
        self.shelf = Shelf(os.path.join(self.mktemp(), "mta-sts"))
        self.answers = []
        self.fetched = []
        self.policies = self.make()

    def make(self):
        async def fetch(domain):
            self.fetched.append(domain)
            answer = self.answers.pop(0)
            if isinstance(answer, Deferred):
                answer = await answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        return Policies(self.names, fetch, lambda: self.now, self.shelf)

    def publish(self, ident, *answers):
        self.names.records[RECORD_AT] = {
            RecordType.TXT: [f"v=STSv1; id={ident};".encode()]
        }
        self.answers += answers

    def ask(self, domain=DOMAIN):
        return Deferred.fromCoroutine(self.policies.of(domain))

    def policy(self):
        return self.successResultOf(self.ask())

    def assert_patterns(self, *patterns):
        self.assertEqual(self.policy().patterns, patterns)

    def test_without_a_record_there_is_none(self):
        self.assertIsNone(self.policy())
        self.names.fail(RECORD_AT, DNSFault("no answer"))
        self.assertIsNone(self.policy())
        self.assertEqual(self.fetched, [])

    def test_one_that_is_new_is_fetched_once(self):
        self.publish("1", text())
        self.assert_patterns("mx.far.example")
        self.assertIs(self.policy().mode, Mode.ENFORCE)
        self.assertEqual(self.fetched, [DOMAIN])

    def test_another_id_brings_another_policy(self):
        self.publish("1", text())
        self.policy()
        self.publish("2", text(mx="mx2.far.example"))
        self.assert_patterns("mx2.far.example")

    def test_it_holds_while_its_record_and_its_server_are_gone(self):
        """Attack: what says that there is a policy is suppressed."""
        self.publish("1", text())
        self.policy()
        del self.names.records[RECORD_AT]
        self.now += WEEK - 1
        self.assert_patterns("mx.far.example")
        self.names.fail(RECORD_AT, DNSFault("no answer"))
        self.assert_patterns("mx.far.example")
        self.names.recover()
        self.publish("2", NoPolicy("no answer"))
        self.assert_patterns("mx.far.example")
        self.now += 1
        self.publish("2", NoPolicy("no answer"))
        self.assertIsNone(self.policy())

    def test_what_cannot_be_had_is_asked_for_again_after_a_while(self):
        self.publish("1", NoPolicy("no answer"), "<html>", text())
        self.assertIsNone(self.policy())
        self.now += RETRY - 1
        self.assertIsNone(self.policy())
        self.assertEqual(len(self.fetched), 1)
        self.now += 1
        self.assertIsNone(self.policy())
        self.now += RETRY
        self.assert_patterns("mx.far.example")
        self.assertEqual(len(self.fetched), 3)

    def test_another_id_is_tried_at_once(self):
        self.publish("1", NoPolicy("no answer"))
        self.assertIsNone(self.policy())
        self.publish("2", text())
        self.assert_patterns("mx.far.example")

    def test_it_is_fetched_anew_each_day_while_nobody_waits(self):
        arrives = Deferred()
        self.publish("1", text(), arrives)
        self.policy()
        self.now += REFRESH
        self.policy()
        self.assertEqual(len(self.fetched), 1)
        self.now += 1
        self.assert_patterns("mx.far.example")
        self.assertEqual(len(self.fetched), 2)
        arrives.callback(text(mx="mx2.far.example"))
        self.assert_patterns("mx2.far.example")
        self.now += REFRESH
        self.policy()
        self.assertEqual(len(self.fetched), 2)

    def test_a_short_one_is_fetched_anew_at_its_half(self):
        self.publish("1", text(max_age=600), NoPolicy("no answer"), text(max_age=600))
        self.policy()
        self.now += 301
        self.assert_patterns("mx.far.example")
        self.policy()
        self.assertEqual(len(self.fetched), 2)
        self.now += 298
        self.assert_patterns("mx.far.example")
        self.now += 2
        self.assert_patterns("mx.far.example")
        self.assertEqual(len(self.fetched), 3)

    def test_many_who_wait_for_it_fetch_it_once(self):
        arrives = Deferred()
        self.publish("1", arrives)
        asking = [self.ask() for _ in range(3)]
        self.assertEqual(len(self.fetched), 1)
        arrives.callback(text())
        for each in asking:
            self.assertEqual(self.successResultOf(each).mode, Mode.ENFORCE)

    def test_a_bug_keeps_nobody_waiting(self):
        arrives = Deferred()
        self.publish("1", arrives)
        first, second = self.ask(), self.ask()
        arrives.errback(ZeroDivisionError())
        self.failureResultOf(first, ZeroDivisionError)
        self.assertIsNone(self.successResultOf(second))

    def test_it_outlives_the_process(self):
        self.publish("1", text())
        self.policy()
        self.policies = self.make()
        del self.names.records[RECORD_AT]
        self.now += WEEK - 1
        self.assert_patterns("mx.far.example")
        self.now += 1
        self.assertIsNone(self.policy())

    def test_what_does_not_hold_any_more_goes_from_the_disk(self):
        self.publish("1", text(), text())
        self.policy()
        self.names.records["_mta-sts.b.example"] = self.names.records[RECORD_AT]
        self.now += WEEK + 1
        self.successResultOf(self.ask("b.example"))
        self.assertEqual(os.listdir(self.shelf._folder), ["b.example"])

    def test_memory_is_bounded_and_the_disk_remembers(self):
        self.patch(module, "MAX_DOMAINS", 1)
        self.publish("1", text(), text(), NoPolicy(""), NoPolicy(""))
        self.policy()
        for name in ("a.example", "b.example", "c.example"):
            self.names.records[f"_mta-sts.{name}"] = self.names.records[RECORD_AT]
            self.successResultOf(self.ask(name))
        self.assertEqual(len(self.policies._known), 1)
        self.assertEqual(len(self.policies._failed), 1)
        self.assertEqual(len(self.policies._absent), 1)
        self.assert_patterns("mx.far.example")
        self.assertEqual(self.fetched.count(DOMAIN), 1)

    def test_the_disk_is_not_asked_again_for_what_it_does_not_have(self):
        asked = []
        self.patch(self.shelf, "get", asked.append)
        for _ in range(3):
            self.assertIsNone(self.policy())
        self.assertEqual(asked, [DOMAIN])
        self.publish("1", text())
        self.assert_patterns("mx.far.example")
        self.assertNotIn(DOMAIN, self.policies._absent)

    def test_names_that_are_no_domain_are_not_looked_for(self):
        """Attack: a domain that is a path."""
        for name in ("../../etc/passwd", "[192.0.2.1]", "a/b", ".new-x"):
            self.assertIsNone(self.successResultOf(self.ask(name)))
        self.assertEqual(self.names.asked, [])


class ShelfTests(SynchronousTestCase):
    """Policies on the disk."""

    def setUp(self):
        self.folder = os.path.join(self.mktemp(), "mta-sts")
        self.shelf = Shelf(self.folder)
        self.known = module.Known(
            module.parse_policy(text()), "1", text(), 1_800_000_000.0
        )

    def test_what_is_put_there_is_found(self):
        self.assertIsNone(self.shelf.get(DOMAIN))
        self.shelf.put(DOMAIN, self.known)
        self.assertEqual(self.shelf.get(DOMAIN), self.known)
        self.assertEqual(os.listdir(self.folder), [DOMAIN])

    def test_what_is_damaged_is_not_there(self):
        self.shelf.put(DOMAIN, self.known)
        for content in ("", "{", "[]", "{}", '{"policy": 1, "id": 2, "fetched": 3}',
                        '{"policy": "x", "id": "1", "fetched": 3}'):  # fmt: skip
            with open(os.path.join(self.folder, DOMAIN), "w") as file:
                file.write(content)
            self.assertIsNone(self.shelf.get(DOMAIN))

    def test_a_disk_that_is_full_does_not_stop_mail(self):
        with open(self.mktemp(), "w") as file:
            path = file.name
        shelf = Shelf(os.path.join(path, "mta-sts"))
        shelf.put(DOMAIN, self.known)
        self.assertIsNone(shelf.get(DOMAIN))

    def test_what_does_not_hold_any_more_is_removed(self):
        self.assertEqual(self.shelf.tidy(0.0), 0)
        self.shelf.put(DOMAIN, self.known)
        self.assertEqual(self.shelf.tidy(self.known.ends - 1), 0)
        self.assertEqual(self.shelf.tidy(self.known.ends + 1), 1)
        self.assertEqual(os.listdir(self.folder), [])
