"""The text that Prometheus reads, read again by Prometheus's own parsers."""

from __future__ import annotations

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from mailhub.counting import SECONDS
from mailhub.observing.exposition import (
    OPENMETRICS,
    TEXT,
    content_type,
    render,
)
from mailhub.observing.families import FAMILIES, Kind

HISTOGRAM = "mailhub_imap_command_duration_seconds"


def example() -> dict:
    """A figure of every metric, with awkward labels."""
    figures = {}
    for name, family in FAMILIES.items():
        labels = tuple(f'"{label}"\\\n' for label in family.shown_labels)
        value = 2.5
        if family.kind is Kind.HISTOGRAM:
            value = ([1] * (len(family.bounds) + 1), 2.5)
        figures[name] = {labels: value}
    return figures


def samples(text: bytes, parse=text_string_to_metric_families) -> dict:
    """By name and labels, as a parser of Prometheus's has them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }


class ExpositionTests(SynchronousTestCase):
    """Version 0.0.4 of the text format, and OpenMetrics 1.0."""

    def test_every_metric_is_read_back_as_it_was(self) -> None:
        figures = example()
        for form, parse in (
            (TEXT, text_string_to_metric_families),
            (OPENMETRICS, openmetrics.text_string_to_metric_families),
        ):
            found = samples(render(figures, form), parse)
            for name, series in figures.items():
                [(labels, value)] = series.items()
                pairs = zip(FAMILIES[name].shown_labels, labels, strict=True)
                key = frozenset(pairs)
                if FAMILIES[name].kind is Kind.HISTOGRAM:
                    self.assertEqual(found[f"{name}_count", key], sum(value[0]))
                    self.assertEqual(found[f"{name}_sum", key], value[1])
                else:
                    self.assertEqual(found[name, key], value)

    def test_types_and_meanings_are_told(self) -> None:
        text = render(example()).decode()
        for family in text_string_to_metric_families(text):
            name = family.name
            if family.type == "counter":
                name += "_total"
            self.assertEqual(family.type, FAMILIES[name].kind.value)
            self.assertTrue(family.documentation.endswith("."))

    def test_buckets_are_cumulative_and_end_at_infinity(self) -> None:
        counts = [0] * (len(SECONDS) + 1)
        counts[0], counts[3], counts[-1] = 2, 1, 4
        figures = {HISTOGRAM: {("FETCH",): (counts, 100.0)}}
        found = samples(render(figures))

        def below(bound: str) -> float:
            key = frozenset({("command", "FETCH"), ("le", bound)})
            return found[f"{HISTOGRAM}_bucket", key]

        self.assertEqual(below("0.0001"), 2)
        self.assertEqual(below("0.001"), 3)
        self.assertEqual(below("10.0"), 3)
        self.assertEqual(below("+Inf"), 7)

    def test_a_time_stamp_keeps_its_seconds(self) -> None:
        name = "mailhub_tls_certificate_expiry_timestamp_seconds"
        text = render({name: {(): 1_893_456_001.0}})
        self.assertIn(b" 1893456001.0\n", text)

    def test_nothing_counted_is_nothing_said(self) -> None:
        self.assertEqual(render({}), b"")
        self.assertEqual(render({}, OPENMETRICS), b"# EOF\n")

    def test_openmetrics_is_for_those_who_ask(self) -> None:
        self.assertEqual(content_type(""), TEXT)
        self.assertEqual(content_type("text/plain;version=0.0.4, */*"), TEXT)
        asking = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
        self.assertEqual(content_type(asking), OPENMETRICS)
