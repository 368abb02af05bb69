"""Health and metrics of a server of several processes, run as people run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from ..processes.fleet import LISTEN, Fleet, Fleets, until
from ..processes.test_fleet import greets
from ..programs import require

LISTEN_TO_ADMIN = LISTEN.replace("admin = []", 'admin = ["127.0.0.1:0"]')
CONNECTIONS = 'mailhub_imap_connections_total{service="imap"}'


class FleetTests(Fleets):
    """The master asks its workers, and adds up what they say."""

    config = LISTEN_TO_ADMIN

    def started(self) -> Fleet:
        fleet = self.fleet("--workers", "2").ready()
        fleet.hear("health and metrics at ")
        told = re.search(r"health and metrics at ([0-9.:]+)", fleet.said)
        assert told is not None
        self.place = f"http://{told[1]}"
        until(lambda: self.get("/readyz")[0] == 200)
        return fleet

    def get(self, path: str) -> tuple[int, str]:
        """-> code and text"""
        try:
            with urllib.request.urlopen(self.place + path, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """By name and labels as they are written."""
        _, text = self.get("/metrics")
        self.assertTrue(list(text_string_to_metric_families(text)))
        return {
            name: float(value)
            for name, _, value in (
                line.rpartition(" ") for line in text.splitlines() if line[0] != "#"
            )
        }

    def connect(self, fleet: Fleet, times: int) -> None:
        for _ in range(times):
            with fleet.connect("imap") as client:
                self.assertTrue(greets(client))

    def test_figures_are_those_of_all_workers_and_survive_their_death(self) -> None:
        fleet = self.started()
        self.connect(fleet, 30)
        found = self.metrics()
        self.assertEqual(found[CONNECTIONS], 30)
        for worker in ("0", "1"):
            self.assertEqual(found[f'mailhub_worker_up{{worker="{worker}"}}'], 1)
        for worker in ("0", "1", "master"):
            name = f'process_resident_memory_bytes{{worker="{worker}"}}'
            self.assertGreater(found[name], 1 << 20)
        for pid in fleet.workers():
            os.kill(pid, signal.SIGKILL)
        self.connect(fleet, 5)
        until(lambda: self.get("/readyz")[0] == 200)
        found = self.metrics()
        self.assertEqual(found[CONNECTIONS], 35)
        restarts = "mailhub_worker_restarts_total"
        self.assertEqual(found[f'{restarts}{{worker="0"}}'], 1)
        self.assertEqual(found[f'{restarts}{{worker="1"}}'], 1)

    def test_a_worker_that_hangs_makes_it_not_ready(self) -> None:
        fleet = self.started()
        stopped = fleet.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            code, text = self.get("/readyz")
        finally:
            os.kill(stopped, signal.SIGCONT)
        self.assertEqual(code, 503)
        self.assertIn("[-]workers failed: 1 of 2 do not answer\n", text)

    def test_readiness_ends_while_sessions_go_on(self) -> None:
        self.write(f'{LISTEN_TO_ADMIN}[login]\ndelay = 3\nplaintext = "always"\n')
        fleet = self.started()
        with fleet.connect("imap") as client:
            self.assertTrue(greets(client))
            # Its answer comes late, and the server waits for that when it stops.
            client.socket.sendall(b"a LOGIN nobody wrong\r\n")
            fleet.process.send_signal(signal.SIGTERM)
            until(lambda: self.get("/readyz")[0] == 503)
            self.assertIn("[-]drain failed", self.get("/readyz")[1])
            self.assertEqual(self.get("/livez")[0], 200)
            self.assertTrue(client.line().startswith(b"a NO "))
            self.assertTrue(client.line().startswith(b"* BYE "))
        fleet.ended()

    def test_promtool_has_nothing_to_object(self) -> None:
        promtool = require("promtool")
        self.started()
        done = subprocess.run(
            [promtool, "check", "metrics"],
            input=self.get("/metrics")[1],
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
