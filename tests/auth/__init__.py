"""Tests of login."""
