"""What an operator sees of the server: health, metrics, logs.

Everything is counted where it happens, in plain numbers
(:mod:`mailhub.net.tally`, :mod:`mailhub.store.measures`); this package reads them
when somebody asks, adds up those of all processes, and shows them.
"""
