"""The figures of a whole server in this process."""

from __future__ import annotations

import json
from dataclasses import replace

from twisted.internet.threads import deferToThread

from mailhub.observing.merging import Totals
from mailhub.observing.samples import collect

from ..servers import Servers, greeting


class CollectTests(Servers):
    """What is read off a server that runs."""

    async def figures(self, server):
        samples = json.loads(json.dumps(collect(server)))
        return Totals().combine({"0": (1, samples)})

    async def test_a_server_tells_all_it_has(self) -> None:
        server = await self.start(self.config)
        await self.add_user(server)
        await deferToThread(greeting, server.addresses()["imap"])
        await deferToThread(greeting, server.addresses()["imaps"], True)
        figures = await self.figures(server)
        accepted = figures["mailhub_imap_connections_total"]
        self.assertEqual(accepted, {("imap",): 1, ("imaps",): 1})
        handshakes = figures["mailhub_tls_handshakes_total"]
        self.assertEqual(handshakes["imaps", "ok"], 1)
        self.assertEqual(handshakes["imap", "ok"], 0)
        self.assertEqual(
            figures["mailhub_delivery_total"]["submission", "deferred"], 0
        )
        self.assertGreater(figures["mailhub_store_commit_changes"][()][1], 0)
        self.assertGreater(figures["mailhub_data_free_bytes"][()], 0)
        self.assertEqual(figures["mailhub_queue_sends"], {(): 0})
        self.assertEqual(figures["mailhub_queue_attempts_total"]["relayed",], 0)
        self.assertEqual(figures["mailhub_queue_recipients"]["older",], 0)
        self.assertEqual(figures["mailhub_dns_answers_total"]["nowhere",], 0)
        expiry = figures["mailhub_tls_certificate_expiry_timestamp_seconds"][()]
        self.assertEqual(expiry, server.certificate_ends.timestamp())
        self.assertGreater(figures["process_resident_memory_bytes"]["0",], 1 << 20)
        self.assertGreater(figures["process_open_fds"]["0",], 10)

    async def test_a_server_in_memory_has_no_volume(self) -> None:
        config = replace(self.memory(), listen=self.config.listen)
        figures = await self.figures(await self.start(config))
        self.assertNotIn("mailhub_data_free_bytes", figures)
        self.assertIn("mailhub_smtp_open_connections", figures)
