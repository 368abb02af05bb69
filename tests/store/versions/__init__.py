"""Stores as older versions wrote them, never to be changed, and ways to move on."""
