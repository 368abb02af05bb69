"""Checks of senders, recipients and messages; each returns, none writes.

A check is an ``ICheck``; :mod:`.check` has its verdicts and the row they stand in.
:mod:`.hops` is the smallest real one, and the template for others.
"""
