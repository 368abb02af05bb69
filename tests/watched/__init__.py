"""Tests of :mod:`mailhub.watched`."""
