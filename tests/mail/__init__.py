"""Tests of mailhub.mail."""
