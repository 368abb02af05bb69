"""The SQLite store: one database file, and files for large bodies beside it.

``schema`` and ``directory`` need no Twisted: the command line uses them on its
own connection while the server runs.  Every change is one transaction that is on
disk (``durable``) before anybody is told of it.
"""
