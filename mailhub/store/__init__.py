"""Backends behind IMailStore: memory and SQLite."""
