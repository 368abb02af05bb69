"""Health and metrics over real HTTP."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, readBody
from twisted.web.http_headers import Headers

from mailhub.config.faults import ConfigError
from mailhub.config.kinds import Endpoint
from mailhub.config.settings import Config, Listen, Origin
from mailhub.errors import StorageFull
from mailhub.observing.exposition import OPENMETRICS, TEXT
from mailhub.observing.families import FAMILIES
from mailhub.observing.listening import ObservingService
from mailhub.observing.samples import put

from ..programs import require
from ..servers import ANYWHERE, Servers, greeting
from .fakes import Alone, Several

CHOSEN = {("listen", "admin"): Origin("mailhub.toml", 3, "[...]")}


class Listening(TestCase):
    """A listener, and a client of it."""

    def listener(self, asks, endpoints=ANYWHERE, origins=None) -> ObservingService:
        config = Config(listen=Listen(admin=endpoints), origins=origins or {})
        service = ObservingService(config, reactor, asks)
        self.addCleanup(service.stopService)
        return service

    def listen(self, asks) -> ObservingService:
        self.service = self.listener(asks)
        self.service.privilegedStartService()
        self.service.startService()
        [endpoint] = self.service.endpoints
        self.place = f"http://{endpoint}"
        return self.service

    async def get(self, path: str, method: bytes = b"GET", **headers: str):
        """-> code, type and text"""
        response = await Agent(reactor).request(
            method,
            f"{self.place}{path}".encode(),
            Headers({name: [value] for name, value in headers.items()}),
        )
        text = (await readBody(response)).decode()
        [kind] = response.headers.getRawHeaders("content-type")
        return response.code, kind, text


class ServerTests(Listening, Servers):
    """A whole server and its listener."""

    async def asSetUp(self):
        self.mail = await self.start(self.config)
        self.listen(Alone(self.mail, reactor))

    async def test_a_server_that_works_is_alive_and_ready(self) -> None:
        await self.asSetUp()
        self.assertEqual((await self.get("/livez"))[::2], (200, "ok\n"))
        self.assertEqual((await self.get("/readyz"))[::2], (200, "ok\n"))
        self.assertEqual(
            (await self.get("/readyz?verbose"))[::2],
            (
                200,
                "[+]drain ok\n[+]listeners ok\n[+]disk ok\n[+]store ok\n"
                "[+]workers ok\nreadyz check passed\n",
            ),
        )

    async def test_a_store_that_takes_nothing_makes_it_not_ready_but_alive(self):
        await self.asSetUp()

        async def broken() -> None:
            raise StorageFull("no space")

        self.mail.store.probe = broken
        code, _, text = await self.get("/readyz")
        self.assertEqual(code, 503)
        self.assertIn("[+]listeners ok\n", text)
        self.assertIn("[-]store failed: nothing can be stored: StorageFull\n", text)
        self.assertTrue(text.endswith("readyz check failed\n"))
        self.assertEqual((await self.get("/livez"))[0], 200)

    async def test_readiness_goes_before_the_listeners_do(self) -> None:
        await self.asSetUp()
        self.service.drain()
        self.assertEqual(
            (await self.get("/readyz"))[::2],
            (503, "[-]drain failed: the server is stopping\nreadyz check failed\n"),
        )
        address = self.mail.addresses()["smtp"]
        line = await deferToThread(greeting, address)
        self.assertTrue(line.startswith(b"220 "))
        self.assertEqual((await self.get("/livez"))[0], 200)

    async def test_a_server_that_stops_is_not_ready_while_it_can_be_asked(self):
        await self.asSetUp()
        await self.mail.stopService()
        code, _, text = await self.get("/readyz")
        self.assertEqual(code, 503)
        self.assertIn("[-]drain failed: the server is stopping\n", text)
        self.assertIn("[-]listeners failed: not all services listen\n", text)
        self.assertEqual((await self.get("/metrics"))[0], 200)

    async def test_metrics_are_what_prometheus_reads(self) -> None:
        await self.asSetUp()
        await deferToThread(greeting, self.mail.addresses()["smtp"])
        code, kind, text = await self.get("/metrics")
        self.assertEqual((code, kind), (200, TEXT))
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name, tuple(sample.labels.values())] = sample.value
        self.assertEqual(found["mailhub_smtp_connections_total", ("smtp",)], 1)
        self.assertEqual(found["mailhub_worker_up", ("0",)], 1)
        _, kind, text = await self.get("/metrics", accept=OPENMETRICS)
        self.assertEqual(kind, OPENMETRICS)
        self.assertTrue(text.endswith("# EOF\n"))

    async def test_promtool_has_nothing_to_object(self) -> None:
        promtool = require("promtool")
        await self.asSetUp()
        _, _, text = await self.get("/metrics")
        done = await deferToThread(
            subprocess.run,
            [promtool, "check", "metrics"],
            input=text,
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


class PageTests(Listening):
    """The listener in front of processes that are only said to be there."""

    def answer(self, pid: int, accepted: float, **faults: str):
        samples = {}
        put(samples, "mailhub_imap_connections_total", accepted, "imap")
        put(samples, "process_open_fds", accepted)
        return {
            "samples": {"pid": pid, "samples": samples},
            "health": {"pid": pid, "checks": {"store": "", **faults}},
        }

    async def test_all_processes_are_added_up(self) -> None:
        self.listen(Several(self.answer(-1, 3), self.answer(-2, 4)))
        _, _, text = await self.get("/metrics")
        self.assertIn('mailhub_imap_connections_total{service="imap"} 7\n', text)
        for line in (
            'process_open_fds{worker="0"} 3\n',
            'process_open_fds{worker="1"} 4\n',
            'process_open_fds{worker="master"} ',
            'mailhub_worker_up{worker="1"} 1\n',
        ):
            self.assertIn(line, text)

    async def test_one_process_that_does_not_answer_keeps_it_from_ready(self) -> None:
        self.listen(Several(self.answer(-1, 3), None))
        code, _, text = await self.get("/readyz")
        self.assertEqual(code, 503)
        self.assertIn("[-]workers failed: 1 of 2 do not answer\n", text)
        _, _, text = await self.get("/metrics")
        self.assertIn('mailhub_worker_up{worker="1"} 0\n', text)

    async def test_one_process_that_is_not_ready_is_named(self) -> None:
        asks = Several(self.answer(-1, 3), self.answer(-2, 4, disk="full"))
        self.listen(asks)
        _, _, text = await self.get("/readyz")
        self.assertIn("[-]disk failed: worker 1: full\n", text)

    async def test_a_bug_is_logged_and_not_shown(self) -> None:
        self.listen(Several({}, {"health": None}))
        code, _, text = await self.get("/metrics")
        self.assertEqual(code, 500)
        self.assertEqual(text, "This cannot be told now; the log says why.\n")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    async def test_there_is_nothing_else(self) -> None:
        self.listen(Several())
        for path in ("/", "/metrics2", "/%2e%2e/etc/passwd"):
            self.assertEqual((await self.get(path))[0], 404, path)
        self.assertEqual((await self.get("/metrics", b"POST"))[0], 405)
        self.assertEqual((await self.get("/livez", b"HEAD"))[::2], (200, ""))

    async def test_a_body_is_not_kept(self) -> None:
        self.listen(Several())
        [endpoint] = self.service.endpoints

        def send_much() -> bytes:
            with socket.create_connection((endpoint.host, endpoint.port), 20) as client:
                client.sendall(
                    b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"
                )
                client.sendall(b"x" * 5_000_000)
                return client.recv(100)

        self.assertIn(b"200 OK", await deferToThread(send_much))

    async def test_a_form_is_not_read(self) -> None:
        self.listen(Several())
        form = "multipart/form-data; boundary=x"
        for kind in ("application/x-www-form-urlencoded", form):
            code, _, _ = await self.get("/livez", b"POST", **{"Content-Type": kind})
            self.assertIn(code, (400, 405))


class BindingTests(Listening):
    """Where it listens."""

    def setUp(self) -> None:
        self.taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.taken.close)
        self.occupied = (Endpoint("127.0.0.1", self.taken.getsockname()[1]),)

    def test_a_default_port_that_is_taken_is_left_alone(self) -> None:
        said: list[str] = []
        service = self.listener(Several(), self.occupied)
        service.log = Logger(observer=lambda event: said.append(event["reason"]))
        service.privilegedStartService()
        service.startService()
        self.assertEqual(service.endpoints, [])
        self.assertEqual(
            said, [f"cannot listen on {self.occupied[0]}: Address already in use"]
        )

    def test_a_port_that_was_asked_for_has_to_be_had(self) -> None:
        endpoints = (*ANYWHERE, *self.occupied)
        service = self.listener(Several(), endpoints, CHOSEN)
        error = self.assertRaises(ConfigError, service.privilegedStartService)
        self.assertIn("mailhub.toml:3: [listen] admin", str(error))
        self.assertIn("Address already in use", str(error))
        self.assertEqual(service.endpoints, [])

    def test_it_may_be_off(self) -> None:
        service = self.listener(Several(), (), CHOSEN)
        service.startService()
        self.assertEqual(service.endpoints, [])

    def test_by_default_it_is_for_this_machine_only(self) -> None:
        for profile in ("local", "public"):
            [endpoint] = replace(Listen(), profile=profile).endpoints("admin")
            self.assertEqual(str(endpoint), "127.0.0.1:8025")

    async def test_a_unix_socket(self) -> None:
        curl = require("curl")
        folder = tempfile.mkdtemp()  # a socket's path is a short one
        self.addCleanup(shutil.rmtree, folder)
        path = f"{folder}/admin"
        service = self.listener(Several(), (Endpoint(path=path),))
        service.startService()
        done = await deferToThread(
            subprocess.run,
            [curl, "-s", "--unix-socket", path, "http://mailhub/livez"],
            capture_output=True,
            timeout=20,
        )
        self.assertEqual(done.stdout, b"ok\n")


class TableTests(TestCase):
    """The metrics' names."""

    def test_counters_and_only_counters_end_in_total(self) -> None:
        for name, family in FAMILIES.items():
            self.assertEqual(name.endswith("_total"), family.kind.value == "counter")
