"""Decisions explained."""

from __future__ import annotations

import json

from mailhub.errors import SyntaxFault
from mailhub.routing.rewriting import Rewriting
from mailhub.routing.router import Router
from mailhub.routing.srs import SRS
from mailhub.routing.tracing import trace

from .test_router import RouterTestCase


class TracingTests(RouterTestCase):
    """What a decision is, in words and as data; nothing is sent."""

    async def setUp(self):
        await super().setUp()
        self.router = Router(
            self.directory,
            srs=SRS(lambda: bytes(32)),
            relay_domains=["in.example"],
            senders=Rewriting([("@mx.example.org", "@example.org")]),
            now=lambda: 1_795_226_494.0,
        )

    async def trace(self, address, sender=""):
        data = await trace(self.router, address, sender)
        self.assertEqual(json.loads(json.dumps(data)), data)
        return data

    async def test_all_steps_are_told(self):
        await self.alias("team@example.org", "ann@example.org", "X@example.com")
        await self.directory.set_forward("ann@example.org", ["bob@example.org"], True)
        data = await self.trace("Team+x@example.org")
        self.assertEqual(
            [(step["address"], step["found"]) for step in data["steps"]],
            [
                ("team+x@example.org", "alias team@example.org"),
                ("ann@example.org", "account ann@example.org"),
                ("ann@example.org", "forward of ann@example.org"),
                ("ann@example.org", "account ann@example.org"),
                ("bob@example.org", "account bob@example.org"),
                ("X@example.com", "elsewhere"),
            ],
        )
        self.assertEqual(
            data["mailboxes"],
            [{"user": "ann@example.org", "mailbox": "INBOX"},
             {"user": "bob@example.org", "mailbox": "INBOX"}],
        )
        leaves = {"recipient": "X@example.com", "destination": "example.com",
                  "sender": None, "via": ["team+x@example.org"]}  # fmt: skip
        self.assertEqual(data["leaves"], [leaves])
        self.assertEqual((data["outcome"], data["meaning"]), ("local", "taken here"))
        self.assertEqual((data["strangers"], data["users"]), (None, None))

    async def test_the_sender_that_is_used_is_told(self):
        await self.alias("out@example.org", "x@example.com")
        for sender, expected in (
            ("", None), ("ann@example.org", None),
            ("al@far.example", r"\ASRS0=.*=far\.example=al@example\.org\Z"),
        ):  # fmt: skip
            [leaves] = (await self.trace("out@example.org", sender))["leaves"]
            if expected is None:
                self.assertIsNone(leaves["sender"])
            else:
                self.assertRegex(leaves["sender"], expected)
        await self.alias("owner-out@example.org", "ann@example.org")
        [leaves] = (await self.trace("out@example.org"))["leaves"]
        self.assertEqual(leaves["sender"], "owner-out@example.org")

    async def test_a_sender_that_is_rewritten_is_told(self):
        data = await self.trace("ann@example.org", "root@mx.example.org")
        self.assertEqual(
            data["steps"][0],
            {"address": "root@mx.example.org",
             "found": "as the sender, rewritten to root@example.org"},
        )

    async def test_what_clients_hear_is_told(self):
        denied = "550 5.7.1 Relay access denied"
        for address, strangers, users in (
            ("x@example.com", denied, None),
            ("x@in.example", None, None),
            ("dave@example.org", *["550 5.1.1 User unknown"] * 2),
        ):
            data = await self.trace(address)
            self.assertEqual((data["strangers"], data["users"]), (strangers, users))

    async def test_what_is_no_address_is_refused(self):
        for address, sender in (("x", ""), ("ann@example.org", "x")):
            with self.assertRaises(SyntaxFault):
                await self.trace(address, sender)
