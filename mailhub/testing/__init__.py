"""A whole mail server inside a test."""
