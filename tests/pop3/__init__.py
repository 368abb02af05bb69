"""Tests of POP3."""
