"""Any aliases, forwards and addresses whatever: a decision, and soon."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import MailError
from mailhub.mail.address import Address
from mailhub.routing.decision import Outcome
from mailhub.routing.expansion import Customs
from mailhub.routing.router import Router
from mailhub.routing.srs import SRS
from mailhub.store.memory import MemoryStore
from mailhub.store.sqlite.at_once import result_of

NAMES = ("a", "b", "c", "owner-a", "postmaster", "")
DOMAINS = ("here.example", "there.example", "far.example")
ADDRESSES = [f"{name}@{domain}" for name in NAMES for domain in DOMAINS]
TARGETS = st.one_of(
    st.sampled_from(ADDRESSES),
    st.sampled_from([f"\\{address}" for address in ADDRESSES]),
    st.sampled_from(
        [f"@{domain}" for domain in DOMAINS]
        + ["hold:x", "discard:", "error:nouser", "|x", "/x", ":include:/x", "", "a",
           "mailbox:a@here.example/X", "function:f", "lmtp:unix:/x"]
    ),
    st.text(max_size=12),
)  # fmt: skip
RULES = st.dictionaries(
    st.sampled_from(ADDRESSES), st.lists(TARGETS, min_size=1, max_size=4), max_size=8
)
LOCALS = st.one_of(st.sampled_from([*NAMES, "a+b", "+", "SRS0=a=b=c=d"]), st.text())
CUSTOMS = st.builds(
    Customs, st.integers(1, 8), st.integers(1, 5), st.booleans(), st.booleans()
)


class AnyRulesTests(SynchronousTestCase):
    """Whatever an administrator, a user and a stranger have come up with together."""

    def made(self, aliases, forwards, customs):
        directory = MemoryStore().directory
        for name in ("a", "b", "postmaster"):
            result_of(directory.add_account(f"{name}@here.example", ""))
        result_of(directory.add_domain("there.example"))
        for address, targets in aliases.items():
            result_of(directory.set_alias(address, targets))
        for address, targets in forwards.items():
            result_of(directory.set_forward(address, targets))
        directory.version = lambda: 1
        return Router(
            directory, customs=customs, srs=SRS(lambda: bytes(32)), now=lambda: 0.0
        )

    @settings(deadline=None, max_examples=300)
    @given(RULES, RULES, CUSTOMS, LOCALS, st.sampled_from(DOMAINS))
    def test_every_decision_is_one(self, aliases, forwards, customs, local, domain):
        router = self.made(aliases, forwards, customs)
        address = Address(local, domain)
        try:
            decision = result_of(router.resolve(address))
        except MailError:
            return
        self.assertLessEqual(decision.places, customs.addresses)
        targets = [target.account_id for target in decision.targets]
        accounts = {account.account_id for account in decision.accounts}
        self.assertEqual(set(targets), accounts)
        if decision.outcome is Outcome.LOCAL:
            self.assertIsNone(decision.objection())
        if decision.outcome not in (Outcome.LOCAL, Outcome.BOUNCE):
            self.assertEqual(decision.targets, ())
        for departure in decision.departures:
            is_ours = departure.destination in DOMAINS[:2]
            self.assertFalse(is_ours, "mail for here does not leave")
        self.assertEqual(result_of(router.resolve(address)), decision)
