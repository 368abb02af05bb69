"""Connections: the base of every line protocol, TLS, limits, spooling."""
