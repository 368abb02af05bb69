"""Tests of mailhub.imap."""
