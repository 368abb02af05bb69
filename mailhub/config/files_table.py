"""The settings of ``[files]``."""

from __future__ import annotations

import re

from .kinds import AccessTable, ListOf, Place, Text, host_name
from .setting import Setting

_FORWARD = re.compile(r"(?:~/|/)[!-~]+")
_FILES = ListOf(Place("file"))

FILES = {
    "aliases": Setting(
        _FILES,
        'What aliases(5) are: "name: address, address", lists with :include:, owners'
        " with owner-.  [routing] programs says whether they may start programs.",
    ),
    "virtusertable": Setting(
        _FILES,
        'Users of virtual domains: "info@example.org jo" and "@example.net'
        ' %1@example.org", as Sendmail and Postfix have them.',
    ),
    "local_host_names": Setting(
        _FILES,
        "Names of this machine: mail for users of origin comes to them under each of"
        " these domains.",
    ),
    "relay_domains": Setting(
        _FILES,
        "Domains, with all below them, that everybody may send to through this server;"
        " networks whose hosts may send to everybody.",
    ),
    "access": Setting(
        ListOf(AccessTable()),
        "Who is refused, passed on, held or thrown away: by address, domain, network."
        '  "connect:PATH", "from:PATH" and "to:PATH" are about peers, senders and'
        " recipients only, as Postfix's check_client_access and its kin are.",
    ),
    "canonical": Setting(
        _FILES,
        'What addresses of senders and recipients become: "jo jo.doe@example.org",'
        ' "@old.example @example.org".',
    ),
    "sender_canonical": Setting(
        _FILES, "The same for senders only; Sendmail's genericstable."
    ),
    "recipient_canonical": Setting(_FILES, "The same for recipients only."),
    "transport": Setting(
        _FILES,
        'Which way mail goes, by domain: "example.org smtp:[10.0.0.1]:25"; Sendmail\'s'
        " mailertable.",
    ),
    "origin": Setting(
        host_name(),
        "The domain of names that stand in files without one, and of this machine's own"
        " users.  Empty: each is of the domain that it is found for.",
    ),
    "forward": Setting(
        Text(
            'a path such as "~/.forward" or "/var/forward/$u", or ""',
            _FORWARD.fullmatch,
            may_be_empty=True,
        ),
        "Where users of this machine, in the domain of origin, say where mail of theirs"
        " is to be sent on to; ~ is the home folder, $u the user.  Empty: nowhere.",
    ),
}
