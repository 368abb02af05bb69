"""The servers that are measured: how each is set up, started and stopped.

All of them listen on 127.0.0.1 only, flush as they are shipped, take mail for
``bench.test`` from this machine, and take logins in clear text.  ``table`` has them by
name.
"""
