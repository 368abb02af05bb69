"""Tests for :mod:`mailhub.observing`."""
