"""Tests for :mod:`mailhub.store.sqlite.verify`."""
