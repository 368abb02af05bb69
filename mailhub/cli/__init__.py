"""The mailhub command."""
