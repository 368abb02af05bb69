"""Looking after a server while it runs.

The ``mailhub`` command talks to a running server over one UNIX socket
(:mod:`~mailhub.admin.socket`, :mod:`~mailhub.admin.client`), where only the server's
own user and root are heard.  What changes users, domains and aliases
(:mod:`~mailhub.admin.work`) is the same code with and without a server.
"""
