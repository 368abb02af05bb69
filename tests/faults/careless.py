"""The server with one of its precautions against faults taken out::

    python -m tests.faults.careless PRECAUTION [arguments of twistd...]

As :mod:`tests.faults.broken` does for promises, so this for what the server does when
something around it breaks: each test has to notice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from twisted.scripts.twistd import run

from mailhub.errors import LocalFault, StorageFull


def without_try_again() -> None:
    """A fault of ours is told as if it were the sender's."""
    for kind in (LocalFault, StorageFull):
        kind.permanent = True
    from mailhub.smtp import replies

    for kind in (LocalFault, StorageFull):
        replies._WORDINGS[kind] = replies._Wording(554, 554, "Transaction failed")


def without_capacity() -> None:
    """As many connections as come, whatever descriptors there are."""
    from mailhub.net import descriptors

    descriptors.Capacity.is_used_up = property(lambda capacity: False)


def without_new_descriptor() -> None:
    """After a flush has failed, the next one asks the same descriptor."""
    from mailhub.store.sqlite.writer import Writer

    def reopen(writer: Writer) -> None:
        if writer._connection.in_transaction:
            writer._connection.execute("rollback")

    # mypy takes a method for something that cannot be replaced.
    Writer._reopen = reopen  # type: ignore[method-assign]


PRECAUTIONS: dict[str, Callable[[], None]] = {
    "capacity": without_capacity,
    "new-descriptor": without_new_descriptor,
    "try-again": without_try_again,
}


if __name__ == "__main__":
    PRECAUTIONS[sys.argv.pop(1)]()
    sys.argv[0] = "twistd"
    run()
