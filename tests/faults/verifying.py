"""What ``mailhub verify`` says of a store that a kill or a loss has left.

A crash may leave a file of a large message whose row was never written; the next
server removes it when there is nothing else to do.  That is the one finding that is
allowed, and only until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from mailhub.errors import MailError
from mailhub.store.sqlite.verify.checking import Wish
from mailhub.store.sqlite.verify.checking import verify as check
from mailhub.store.sqlite.verify.findings import Kind

from .subject import Subject

#: Findings that a server still has to clear away.
LEFT_BEHIND = frozenset({Kind.ORPHAN_FILE.value})


def verify(subject: Subject, is_tidy: bool = False) -> list[str]:
    """The faults that the command tells of, a line each.

    :param is_tidy: whether the server had time to tidy up.
    """
    done = subject.command("verify", "--json")
    try:
        told = json.loads(done.stdout)
        return _faults(told["findings"], is_tidy)
    except (ValueError, KeyError):
        text = (done.stdout + done.stderr).decode(errors="replace")
        return [f"mailhub verify: {line}" for line in text.splitlines()] or ["verify"]


def verify_folder(data: Path, is_tidy: bool = False) -> list[str]:
    """The same of a data folder, in this process."""
    try:
        report = check(str(data), Wish())
    except MailError as error:
        return [f"verify: {error}"]
    return _faults([each.as_json() for each in report.listed], is_tidy)


def _faults(findings: Iterable[dict[str, object]], is_tidy: bool) -> list[str]:
    allowed = frozenset[str]() if is_tidy else LEFT_BEHIND
    return [f"verify: {each}" for each in findings if each["kind"] not in allowed]
