"""The dashboard and the alerts in ``conf``, compared with what can be exported."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailhub.observing.families import FAMILIES, Kind

from ..programs import require

CONF = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "conf"
)
RULES = os.path.join(CONF, "prometheus", "mailhub.rules.yml")
DASHBOARD = os.path.join(CONF, "grafana", "mailhub.json")
_METRIC = re.compile(r"\b(?:mailhub|process)_[a-z0-9_]+")
_SELECTOR = re.compile(r"((?:mailhub|process)_[a-z0-9_]+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)(?:=~|!~|!=|=)\"")
_BY = re.compile(r"by \(([^)]*)\)")
#: What Prometheus adds to everything, and to histograms.
ADDED = {"job", "instance", "le"}


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def expressions(panel: Any) -> Iterator[str]:
    """All queries of a dashboard, however deep."""
    if isinstance(panel, dict):
        if "expr" in panel:
            yield panel["expr"]
        panel = list(panel.values())
    if isinstance(panel, list):
        for each in panel:
            yield from expressions(each)


def family_of(name: str) -> str:
    """The metric that the series *name* belongs to; ``""`` if there is none."""
    if name in FAMILIES and FAMILIES[name].kind is not Kind.HISTOGRAM:
        return name
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    found = FAMILIES.get(base)
    return base if base != name and found and found.kind is Kind.HISTOGRAM else ""


class ShippedTests(SynchronousTestCase):
    """No query asks for what does not exist."""

    def queries(self) -> list[str]:
        rules = re.findall(r"expr: >?((?:.*\n(?!\s+(?:for|labels):))*.*)", read(RULES))
        return [*expressions(json.loads(read(DASHBOARD))), *rules]

    def test_every_metric_that_is_asked_for_exists(self) -> None:
        for query in self.queries():
            for name in _METRIC.findall(query):
                self.assertTrue(family_of(name), f"{name} in {query}")

    def test_every_label_that_is_asked_for_exists(self) -> None:
        for query in self.queries():
            known = set(ADDED)
            for name in _METRIC.findall(query):
                known.update(FAMILIES[family_of(name)].shown_labels)
            for name, selector in _SELECTOR.findall(query):
                labels = set(_LABEL.findall(selector)) - ADDED
                self.assertLessEqual(
                    labels, set(FAMILIES[family_of(name)].shown_labels), query
                )
            for group in _BY.findall(query):
                self.assertLessEqual(set(group.split(", ")), known, query)

    def test_every_metric_is_on_the_dashboard(self) -> None:
        shown = {
            family_of(name)
            for query in expressions(json.loads(read(DASHBOARD)))
            for name in _METRIC.findall(query)
        }
        self.assertEqual(set(FAMILIES) - shown, set())

    def test_there_is_an_alert_behind_every_expression(self) -> None:
        text = read(RULES)
        self.assertEqual(text.count("- alert:"), text.count("expr:"))
        self.assertGreater(text.count("expr:"), 10)

    def test_a_name_that_was_mistyped_would_be_seen(self) -> None:
        for name in ("mailhub_deliveries_total", "mailhub_delivery_total_bucket",
                     "mailhub_reactor_lag_seconds"):  # fmt: skip
            self.assertEqual(family_of(name), "")

    def test_promtool_accepts_the_rules(self) -> None:
        done = subprocess.run(
            [require("promtool"), "check", "rules", RULES],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("SUCCESS", done.stdout)

    def test_prometheus_accepts_the_dashboard_s_queries(self) -> None:
        path = self.mktemp()
        queries = [
            query.replace("$__rate_interval", "5m").replace("$job", ".*")
            for query in expressions(json.loads(read(DASHBOARD)))
        ]
        rules = [
            {"record": f"x:{number}", "expr": query.replace("$instance", ".*")}
            for number, query in enumerate(queries)
        ]
        with open(path, "w") as file:
            json.dump({"groups": [{"name": "x", "rules": rules}]}, file)
        done = subprocess.run(
            [require("promtool"), "check", "rules", path],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{len(rules)} rules found", done.stdout)
