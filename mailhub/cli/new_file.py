"""Files that a command makes."""

from __future__ import annotations

import os
from contextlib import suppress

from ..store.sqlite.durable import sync_directory, sync_file
from .outcome import Exit, Failure


def write_new(path: str, text: str) -> None:
    """Make the file *path*, whole or not at all; never overwrite one.

    :raises Failure: there is one.
    :raises OSError: it cannot be made.
    """
    if os.path.lexists(path):
        raise Failure(Exit.CANNOT_CREATE, f"{path} is there already")
    temporary = f"{path}.new"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            sync_file(file.fileno())
        os.rename(temporary, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        error.filename = path  # The name that people know.
        raise
    sync_directory(os.path.dirname(path))
