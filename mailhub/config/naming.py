"""What the server calls itself."""

from __future__ import annotations

import socket

from .kinds import Unfit, host_name
from .settings import Config


def server_name(config: Config) -> str:
    """What the server calls itself.

    The machine's name is taken as it is: asking DNS for a better one could
    hold up the start.
    """
    if config.server.host_name:
        return config.server.host_name
    try:
        return str(host_name().read(socket.gethostname(), "")) or "localhost"
    except Unfit:
        return "localhost"
