"""Tests for :mod:`mailhub.cli.classic`."""
