"""Real messages, odd and broken ones too, for tests that hold for any message."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

_DATA = Path(
    os.environ.get("MAILHUB_TEST_DATA")
    or Path(__file__).resolve().parents[2].parent / "shared" / "data"
)
#: Whether the messages have to be there: in CI, and where somebody says where.
_REQUIRED = os.environ.get("CI") == "true" or "MAILHUB_TEST_DATA" in os.environ
#: Why the tests that need the messages are left out, or ``None``.
MISSING = (
    None if _DATA.is_dir() or _REQUIRED
    else f"no sample messages in {_DATA}: set MAILHUB_TEST_DATA"
)
_NO_MESSAGES = {"SOURCE.txt", "README.md"}


@lru_cache(maxsize=1)
def sample_messages() -> dict[str, bytes]:
    """The messages by file name; those of mbox files by name and number."""
    found = {}
    for path in sorted(_DATA.rglob("*")):
        if not path.is_file() or path.name in _NO_MESSAGES or "LICEN" in path.name:
            continue
        octets = path.read_bytes()
        name = str(path.relative_to(_DATA))
        found[name] = octets
        if octets.startswith(b"From ") and octets.count(b"\nFrom ") > 1:
            for number, message in enumerate(octets.split(b"\nFrom ")):
                _, _, message = message.partition(b"\n")
                found[f"{name}:{number}"] = message
    if not found:
        raise FileNotFoundError(f"no sample messages in {_DATA}")
    return found
