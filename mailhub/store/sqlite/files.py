"""Large bodies as files: ``blobs/<first two digits>/<SHA-256 in hex>``.

A file appears under its name complete and durable; one process may find the work
of another there.  Nothing removes it outside of a write transaction, and nothing
commits a row that points to it without having looked for it in that transaction,
so that whatever order processes or crashes take, no row lacks its file.  A file
without a row may be left behind by a crash; :func:`purge.sweep` finds those.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from contextlib import suppress

from . import durable

#: Octets up to which content lies in the database.
IN_ROW = 65_536


class BlobFiles:
    """The files of one store.

    :param directory: the data directory's ``blobs``.
    :param temporary: a directory of this process's on the same volume.
    """

    def __init__(self, directory: str, temporary: str) -> None:
        self.directory = directory
        self._temporary = temporary

    def prepare(self) -> None:
        """Make all directories, so that nobody has to wait for one later.

        One that exists may have been made by a process that is about to make it
        durable; hence the flush in any case.

        :raises OSError:
        """
        durable.make_directory(self.directory)
        for number in range(256):
            with suppress(FileExistsError):
                os.mkdir(f"{self.directory}/{number:02x}", 0o700)
        durable.sync_directory(self.directory)

    def path(self, digest: bytes) -> str:
        """Where the content of that *digest* lies, if it does."""
        name = digest.hex()
        return f"{self.directory}/{name[:2]}/{name}"

    def has(self, digest: bytes) -> bool:
        """Whether there is such a file."""
        return os.path.exists(self.path(digest))

    def keep(self, source: str, digest: bytes) -> None:
        """Keep the octets of the file *source*; they are durable after this.

        A file of that name is replaced: what a crash left is not trusted.

        :raises OSError: they may not be; a flush that failed is not repeated.
        """
        target = self.path(digest)
        temporary = f"{self._temporary}/blob-{secrets.token_hex(8)}"
        try:
            _link_or_copy(source, temporary)
            _sync(temporary)
            os.rename(temporary, target)
        finally:
            # Where it is the same file as the target, a rename does nothing.
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        durable.sync_directory(os.path.dirname(target))

    def remove(self, digest: bytes) -> None:
        """Remove the file, if it is there.  To be called as the module says."""
        with suppress(FileNotFoundError):
            os.unlink(self.path(digest))


def _link_or_copy(source: str, target: str) -> None:
    """Make *target* a second name of *source*, or a copy if that cannot be."""
    if stat.S_IMODE(os.stat(source).st_mode) & 0o077 == 0:
        try:
            os.link(source, target)
        except OSError:
            # Another volume, or one that has no links.
            pass
        else:
            return
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as copy, open(source, "rb") as original:
        shutil.copyfileobj(original, copy, 1024 * 1024)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        durable.sync_file(descriptor)
    finally:
        os.close(descriptor)
