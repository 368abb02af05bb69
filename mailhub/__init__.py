"""mailhub: a complete mail server, and the parts of it as a library.

The way of a message in: bytes arrive at a protocol's ``server.py``
(:mod:`mailhub.smtp`), which asks its ``ISubmission`` avatar about the sender and
each recipient; :mod:`mailhub.routing` decides where each goes; one durable commit
in :mod:`mailhub.store` writes them all; only then is the answer ``250``.

The way out to a reader: :mod:`mailhub.imap` and :mod:`mailhub.pop3` ask the same
portal for an ``IMailAccount`` and send bytes that were prepared at delivery.

Floors, from the top; a module imports only from floors below its own
(``tests/test_layers.py`` enforces it)::

    10 tap  testing                 what twistd calls, and the public fixture for tests
    9  processes                    the master and its workers
    8  cli                          the mailhub command
    7  service                      composes everything
    6  assembly                     from a configuration to the parts of a server
    5  */server.py                  the Twisted half of each protocol
    5  outbound                     how mail leaves
    5  admin  observing             the administration socket; metrics, health, logs
    4  routing  queue  config       where mail goes; what waits; settings
    4  */client.py                  the Twisted half of who sends
    3  store  auth  policy  net     backends, login, checks, connections
    3  watched                      files that people edit meanwhile
    2  interfaces  logbook          the seams; how to write to the log
    2  powers                       what backends may do besides
    1  smtp  imap  pop3  tables     pure: syntax, session state, replies; aliases(5)
    0  mail  errors  counting       pure values and formats

``testing`` stands on top, so that a test's server is put together by the same code
as everybody's.
"""
