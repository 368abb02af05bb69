"""Tests for the backends."""
