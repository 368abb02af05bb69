"""Transcripts of conversations, and what plays them."""
