"""A source for tests, whose answers are set."""

from __future__ import annotations

from mailhub.errors import LocalFault
from mailhub.routing.sources import Rule


class FixedSource:
    """Answers from dicts; ``version`` is counted by the test."""

    def __init__(self):
        self.counted = 1
        self.local = set()
        self.relayed = set()
        self.rules = {}
        self.forwards = {}
        self.files = {}
        self.ways = {}
        self.senders = {}
        self.recipients = {}

    def add(self, address, *targets, in_pattern=False):
        self.rules[address] = Rule(targets, f"file: {address}", in_pattern)

    def version(self):
        return self.counted

    async def is_local_domain(self, domain):
        return domain in self.local

    async def is_relay_domain(self, domain):
        return domain in self.relayed

    async def find_alias(self, address):
        return self.rules.get(address)

    async def find_forward(self, account):
        return self.forwards.get(account)

    async def include(self, path):
        if path not in self.files:
            raise LocalFault(f"no {path}")
        return Rule(self.files[path], f"{path}, {len(self.files[path])} lines")

    async def way(self, address):
        return self.ways.get(address)

    @property
    def rewrites_senders(self):
        return bool(self.senders)

    async def sender(self, address):
        return self.senders.get(address)

    async def recipient(self, address):
        return self.recipients.get(address)
