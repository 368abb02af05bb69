"""Flags of messages, and the keywords that their mailboxes know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from ....mail.flags import MAX_KEYWORDS
from ..change import Change, Key
from ..flagbits import SHIFT, SYSTEM_MASK
from ..history import note_flags
from .findings import Finding, Kind
from .view import View

_OF_MAILBOX = "from message where account_id = ? and mailbox_id = ?"


def look(view: View, key: Key, address: str | None, name: str) -> list[Finding]:
    """What is wrong with one mailbox."""
    rows = view.rows(
        f"select distinct flags >> {SHIFT} {_OF_MAILBOX}"
        f" and flags not between 0 and {SYSTEM_MASK}", *key,
    )
    rows += view.rows(f"select flags >> {SHIFT} {_OF_MAILBOX} and flags < 0", *key)
    spelled = view.rows(
        "select spelling from keyword where account_id = ? and mailbox_id = ?", *key
    )
    known = {spelling for (spelling,) in spelled}
    found = [*_spelled_twice(known, address, name)]
    for number in sorted({number for (number,) in rows}):
        keywords = _keywords(view, key[0], number)
        if keywords is None:
            found += _meaningless(view, key, number, address, name)
            continue
        for keyword in sorted(keywords - known):
            if keyword[0] != "\\":
                can_be = _may_learn(keyword, known)
                found.append(
                    Finding(
                        Kind.KEYWORD, f"{keyword!r} is not known to the mailbox",
                        address, name, what=keyword,
                        repair=partial(_learn, key, keyword) if can_be else None,
                    )
                )
    return found


def _keywords(view: View, account_id: int, number: int) -> set[str] | None:
    """The keywords of a set; ``None`` if there is no such set in the account."""
    rows = view.rows(
        "select keywords from keyword_set where keyword_set_id = ? and account_id = ?",
        number, account_id,
    )
    keywords = set(rows[0][0].split("\n")) if rows else {""}
    return None if "" in keywords else keywords


def _may_learn(keyword: str, known: set[str]) -> bool:
    spellings = {spelling.lower() for spelling in known}
    return keyword.lower() not in spellings and len(known) < MAX_KEYWORDS


def _spelled_twice(
    known: set[str], address: str | None, name: str
) -> Iterator[Finding]:
    for keyword, times in Counter(spelling.lower() for spelling in known).items():
        if times > 1:
            detail = f"{keyword!r} has {times} spellings"
            yield Finding(Kind.KEYWORD, detail, address, name, what=keyword)


def _meaningless(
    view: View, key: Key, number: int, address: str | None, name: str
) -> Iterator[Finding]:
    rows = view.rows(
        f"select uid, flags {_OF_MAILBOX} and flags >> {SHIFT} = ?", *key, number
    )
    for uid, flags in rows:
        yield Finding(
            Kind.FLAGS, f"flags are {flags}: there is no set of keywords {number}",
            address, name, uid, repair=partial(_forget_keywords, key, uid),
        )


def _learn(key: Key, keyword: str, change: Change) -> None:
    change.connection.execute(
        "insert or ignore into keyword values (?, ?, ?)", (*key, keyword)
    )


def _forget_keywords(key: Key, uid: int, change: Change) -> None:
    modseq = change.count_account(key[0])
    change.count_mailbox(key, modseq)
    change.connection.execute(
        f"update message set flags = flags & {SYSTEM_MASK}, modseq = ?"
        " where account_id = ? and mailbox_id = ? and uid = ?",
        (modseq, *key, uid),
    )
    note_flags(change.connection, key, modseq, uid, uid)
