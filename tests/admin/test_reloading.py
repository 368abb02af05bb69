"""Reading the configuration again, with processes that are not there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.admin.reloading import Reloading
from mailhub.config.loading import load
from mailhub.config.settings import Config

READY = {"faults": [], "changed": ["[limits] idle"], "restart": []}


class Processes:
    """All processes, which answer what a test says.

    :ivar heard: the steps, in order.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.texts: list[str] = []
        self.answers: dict[str, dict[str, Any]] = {"0": READY, "1": READY}
        self.waiting: list[Deferred[None]] = []

    async def ask_all(
        self, question: str, **details: Any
    ) -> Mapping[str, dict[str, Any]]:
        """See :class:`mailhub.admin.reloading.Asks`."""
        assert question == "reload"
        self.heard.append(details["step"])
        if details["step"] != "prepare":
            return {}
        self.texts.append(details["text"])
        if self.waiting:
            await self.waiting.pop()
        return self.answers


class ReloadingTests(SynchronousTestCase):
    """All use it, or none."""

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        self.write("[limits]\nidle = 100\n")
        config = load(self.path, environ={}, folder="/")
        self.processes = Processes()
        self.reloading = Reloading(config, self.processes)
        self.used: list[Config] = []
        self.reloading.reloaded.append(self.used.append)

    def write(self, text: str) -> None:
        with open(self.path, "w") as file:
            file.write(text)

    def run_again(self) -> Deferred[dict[str, Any]]:
        return Deferred.fromCoroutine(self.reloading.run())

    def test_everybody_gets_the_same_text_and_then_uses_it(self) -> None:
        self.write("[limits]\nidle = 200\n")
        answer = self.successResultOf(self.run_again())
        self.assertEqual(
            answer,
            {
                "faults": [],
                "source": self.path,
                "changed": ["[limits] idle"],
                "restart": [],
            },
        )
        self.assertEqual(self.processes.heard, ["prepare", "use"])
        self.assertEqual(self.processes.texts, ["[limits]\nidle = 200\n"])
        self.assertEqual([config.limits.idle for config in self.used], [200])
        self.assertEqual(self.reloading.config.limits.idle, 200)

    def test_a_bad_file_reaches_nobody(self) -> None:
        self.write("[limits]\nidle = 1\n")
        [fault] = self.successResultOf(self.run_again())["faults"]
        self.assertEqual((fault["line"], fault["key"]), (2, "idle"))
        self.assertTrue(fault["text"].startswith(f"{self.path}:2: [limits] idle = 1: "))
        self.assertEqual((self.processes.heard, self.used), ([], []))
        self.assertEqual(self.reloading.config.limits.idle, 100)

    def test_a_file_that_is_gone_is_a_fault(self) -> None:
        os.unlink(self.path)
        [fault] = self.successResultOf(self.run_again())["faults"]
        self.assertIn("cannot be read", fault["text"])

    def test_where_one_cannot_none_does(self) -> None:
        self.processes.answers["1"] = {"faults": [{"text": "no such certificate"}]}
        answer = self.successResultOf(self.run_again())
        self.assertEqual(answer, {"faults": [{"text": "no such certificate"}]})
        self.assertEqual(self.processes.heard, ["prepare", "drop"])
        self.assertEqual(self.used, [])

    def test_where_nobody_answers_it_is_a_fault(self) -> None:
        self.processes.answers = {}
        answer = self.successResultOf(self.run_again())
        self.assertIn("answers", answer["faults"][0]["text"])
        self.assertEqual(self.used, [])

    def test_what_needs_a_restart_stays_as_it_was(self) -> None:
        self.write('[limits]\nidle = 200\n[server]\ndata = "/elsewhere"\n')
        self.successResultOf(self.run_again())
        [config] = self.used
        self.assertEqual(config.limits.idle, 200)
        self.assertNotEqual(config.server.data, "/elsewhere")

    def test_one_at_a_time(self) -> None:
        held: Deferred[None] = Deferred()
        self.processes.waiting.append(held)
        first, second = self.run_again(), self.run_again()
        self.assertEqual(self.processes.heard, ["prepare"])
        held.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.processes.heard, ["prepare", "use"] * 2)

    def test_settings_of_a_program_s_own_are_left_alone(self) -> None:
        """Certificates and password files are read again all the same."""
        self.reloading = Reloading(Config(), self.processes)
        self.assertEqual(self.successResultOf(self.run_again())["faults"], [])
        self.assertEqual(self.processes.heard, ["prepare", "use"])
