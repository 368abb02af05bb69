"""Nothing is said of a store that nothing is wrong with."""

from __future__ import annotations

from .folders import FolderTests


class HealthyTests(FolderTests):
    """A store in which everything has happened that is meant to."""

    def test_nothing_is_found(self):
        self.assertEqual(self.found(), [])
        self.assertEqual(self.found(quick=True), [])
        self.assertEqual(self.found(account="alice@example.org"), [])
        self.assertEqual(self.found(repair=True), [])
