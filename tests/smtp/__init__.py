"""Tests of SMTP and LMTP."""
