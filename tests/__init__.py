"""The tests of mailhub; run with ``python -m twisted.trial tests``."""
