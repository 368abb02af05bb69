"""The settings of ``[local]``."""

from __future__ import annotations

import re

from .kinds import ListOf, Place, Text
from .setting import Setting

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")

LOCAL = {
    "drop": Setting(
        Place("folder", may_be_empty=True),
        "The folder where sendmail leaves mail of users who may not write in the data"
        " folder, whether the server runs or not.  It is made on the first start: the"
        " server's own, and writable by everybody (mode 3733), so it belongs neither"
        " into the data folder nor into /tmp.  Empty: only root and the server's user"
        " can send with sendmail.",
    ),
    "trusted": Setting(
        ListOf(Text("a user of this machine", _USER.fullmatch)),
        "Users whose programs send in anybody's name, such as a web server's.  Mail of"
        " others that does so says that in X-Authentication-Warning.",
    ),
}
