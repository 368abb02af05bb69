"""Tests of :mod:`mailhub.tables`."""
