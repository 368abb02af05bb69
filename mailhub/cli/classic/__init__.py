"""The commands that programs have called since the eighties, on mailhub's queue.

Each is installed as ``mailhub-NAME``, and answers to the plain name when it is linked
so.  Options, layouts and exit codes are those of the manuals of Sendmail and Postfix.
"""
