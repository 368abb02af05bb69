"""Tests for the public test fixture."""
