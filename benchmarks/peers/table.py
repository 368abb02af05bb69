"""All servers by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from .base import Peer, Place
from .chasquid import Chasquid
from .described import Described
from .dovecot import Dovecot, TunedDovecot
from .exim import Exim
from .postfix import Postfix
from .python_servers import Aiosmtpd, Pymap

_HERE = Path(__file__).resolve().parent.parent

PEERS: dict[str, Callable[[Place], Peer]] = {
    "mailhub": partial(Described, path=_HERE / "mailhub.json"),
    "mailhub-2": partial(Described, path=_HERE / "mailhub-2.json"),
    Postfix.name: Postfix,
    Dovecot.name: Dovecot,
    TunedDovecot.name: TunedDovecot,
    Exim.name: Exim,
    Chasquid.name: Chasquid,
    Aiosmtpd.name: Aiosmtpd,
    Pymap.name: Pymap,
}


def make_peer(name: str, place: Place) -> Peer:
    """The server called *name*, or the one that the file *name* describes.

    :raises KeyError: there is none.
    """
    if name.endswith(".json"):
        return Described(place, Path(name))
    return PEERS[name](place)
