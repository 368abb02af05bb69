"""What is done to the servers.

A workload is a function of a running server and a :class:`~.turn.Turn` that yields
records; ``table`` has them all, with what each needs.
"""
