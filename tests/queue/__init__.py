"""Tests of the queue: schedules, limits, notifications, faults."""
