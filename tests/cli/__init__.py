"""Tests of the mailhub command."""
