"""Checks of senders, recipients and messages; each returns, none writes."""
