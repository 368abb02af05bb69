"""Tests of looking after a running server."""
