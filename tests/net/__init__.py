"""Tests of mailhub.net."""
