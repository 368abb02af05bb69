"""Tests of the master and its workers, as real processes."""
