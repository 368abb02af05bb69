"""How command and server talk: a line of JSON each way, over a UNIX socket.

A question is ``{"ask": name, "details": {...}}``.  What comes back is ``{"answer":
{...}}``, or ``{"failure": {"code": ..., "text": ...}}`` with one of the codes of
:class:`mailhub.admin.outcome.Exit`.  The next question may be asked after that.
"""

from __future__ import annotations

#: The folder below the data folder, and the socket in it.
FOLDER, NAME = "run", "admin.sock"
#: Octets of a question: some ten thousand new users.  It passes through the channel
#: between master and worker, which takes twice as much.
MAX_QUESTION = 8 << 20
#: Octets of an answer: some hundred thousand users.
MAX_ANSWER = 64 << 20
#: Connections at the same time.
MAX_CONNECTIONS = 32
#: Seconds that one may be without a question.
PATIENCE = 60.0
