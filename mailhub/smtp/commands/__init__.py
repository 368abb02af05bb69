"""The commands of SMTP and LMTP: one row and one short function for each.

EHLO's keywords and HELP follow from the rows.  A new command is a function in one
of the modules here and a row below; nothing else knows of it.
"""

from __future__ import annotations

from .. import replies
from ..dialogue import Command
from ..session import State
from . import greeting, login, queuing, transaction

_NEED_HELLO = {State.CONNECTED: replies.NEED_HELLO}
_NEED_MAIL = dict.fromkeys((State.CONNECTED, State.GREETED), replies.NEED_MAIL)
_IN_TRANSACTION = (State.MAIL, State.RECIPIENTS)

COMMANDS = (
    Command(
        b"HELO",
        greeting.helo,
        exists_in=greeting.in_smtp,
        junk=True,
        last_in_group=True,
    ),
    Command(
        b"EHLO",
        greeting.ehlo,
        exists_in=greeting.in_smtp,
        keywords=greeting.ehlo_keywords,
        junk=True,
        last_in_group=True,
    ),
    Command(
        b"LHLO",
        greeting.ehlo,
        exists_in=greeting.in_lmtp,
        keywords=greeting.ehlo_keywords,
        junk=True,
        last_in_group=True,
    ),
    Command(
        b"STARTTLS",
        greeting.starttls,
        refused_in=_NEED_HELLO,
        keywords=greeting.starttls_keywords,
        last_in_group=True,
    ),
    Command(
        b"AUTH",
        login.auth,
        exists_in=login.where_offered,
        refused_in=_NEED_HELLO
        | dict.fromkeys(_IN_TRANSACTION, replies.LOGIN_IN_MAIL),
        keywords=login.auth_keywords,
    ),
    Command(
        b"MAIL",
        transaction.mail,
        refused_in=_NEED_HELLO
        | dict.fromkeys(_IN_TRANSACTION, replies.NESTED_MAIL),
        keywords=transaction.mail_keywords,
    ),
    Command(
        b"RCPT",
        transaction.rcpt,
        refused_in=_NEED_MAIL,
        keywords=transaction.rcpt_keywords,
    ),
    Command(
        b"DATA",
        transaction.data,
        refused_in=_NEED_MAIL | {State.MAIL: replies.NO_RECIPIENTS},
        last_in_group=True,
    ),
    Command(
        b"ETRN",
        queuing.etrn,
        exists_in=queuing.where_queued,
        refused_in=_NEED_HELLO
        | dict.fromkeys(_IN_TRANSACTION, replies.NESTED_MAIL),
        keywords=queuing.etrn_keywords,
        junk=True,
    ),
    Command(b"RSET", greeting.rset, junk=True),
    Command(b"NOOP", greeting.noop, junk=True),
    Command(b"VRFY", greeting.vrfy, junk=True),
    Command(b"HELP", greeting.help_, junk=True),
    Command(b"QUIT", greeting.quit_),
    Command(b"BDAT", greeting.chunk, offered=False),
    Command(b"EXPN", greeting.not_implemented, offered=False),
    Command(
        b"ETRN",
        greeting.not_implemented,
        exists_in=lambda service: not queuing.where_queued(service),
        offered=False,
    ),
    Command(b"TURN", greeting.not_implemented, offered=False),
    Command(b"SEND", greeting.not_implemented, offered=False),
    Command(b"SOML", greeting.not_implemented, offered=False),
    Command(b"SAML", greeting.not_implemented, offered=False),
)
