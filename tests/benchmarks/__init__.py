"""Tests of the harness that measures: its maths, its clients, and all of it once."""
