"""What the machine itself can do: flushes, the loopback interface, bare servers.

A mail server on this machine cannot be faster than these; ``table`` has them all.
"""
