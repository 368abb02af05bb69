"""Accounts: what each of them has, and what is counted for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ....mail.mailbox import INBOX
from ..change import Change
from ..mailboxes import make_mailbox
from .findings import Finding, Kind
from .view import View

#: Modseqs from which on nothing is counted any further (RFC 7162, section 3.1:
#: they have 63 bits).
MAX_MODSEQ = 2**62

_HIGHEST = (
    "select max(coalesce((select max(modseq) from mailbox where account_id = ?1), 0),"
    " coalesce((select max(modseq) from vanished where account_id = ?1), 0))"
)
_OCTETS = (
    "select coalesce(sum(size), 0) from message m where account_id = ? and not exists"
    " (select 1 from doomed_mailbox d where d.account_id = m.account_id"
    " and d.mailbox_id = m.mailbox_id)"
)


def account_ids(view: View) -> Iterator[int]:
    """All accounts, or the one that is asked for."""
    if view.account_id is not None:
        yield view.account_id
        return
    yield from [number for (number,) in view.rows("select account_id from account")]


class Accounts:
    """What mail of any kind needs; before mailboxes are counted."""

    name = "accounts"
    pieces = "select count(*) from account"

    def scopes(self, view: View) -> Iterator[int]:
        return account_ids(view)

    def look(self, view: View, scope: int) -> list[Finding]:
        found = []
        for address, modseq in view.rows(
            "select address, modseq from account where account_id = ?", scope
        ):
            domain = address.rpartition("@")[2]
            if not view.rows("select 1 from domain where name = ?", domain):
                detail = f"{domain} is not a domain of this server"
                repair = partial(_add_domain, domain)
                found.append(Finding(Kind.NO_DOMAIN, detail, address, repair=repair))
            if not view.rows(
                "select 1 from mailbox where account_id = ? and name = ?", scope, INBOX
            ):
                found.append(
                    Finding(
                        Kind.NO_INBOX, "there is no INBOX", address,
                        repair=partial(_make_inbox, scope),
                    )
                )
            found += _modseq(view, scope, address, modseq)
        return found


def _modseq(view: View, account_id: int, address: str, modseq: int) -> list[Finding]:
    [highest] = view.row(_HIGHEST, account_id)
    if modseq >= 0 and highest <= modseq:
        return []
    detail = f"the account's modseq is {modseq}, a mailbox's {highest}"
    repair = partial(_raise_modseq, account_id, highest)
    can_be = highest < MAX_MODSEQ
    return [Finding(Kind.MODSEQ, detail, address, repair=repair if can_be else None)]


def _add_domain(domain: str, change: Change) -> None:
    change.connection.execute("insert or ignore into domain values (?)", (domain,))


def _make_inbox(account_id: int, change: Change) -> None:
    make_mailbox(change.connection, account_id, INBOX, None, change.now)


def _raise_modseq(account_id: int, highest: int, change: Change) -> None:
    change.connection.execute(
        "update account set modseq = max(modseq, ?) where account_id = ?",
        (highest, account_id),
    )


class Quotas:
    """Octets used; after sizes and mailboxes have been put right."""

    name = "quotas"
    pieces = "select count(*) from account"

    def scopes(self, view: View) -> Iterator[int]:
        return account_ids(view)

    def look(self, view: View, scope: int) -> list[Finding]:
        found = []
        for address, used in view.rows(
            "select address, used from account where account_id = ?", scope
        ):
            [octets] = view.row(_OCTETS, scope)
            if used != octets:
                detail = f"{used} octets are counted, there are {octets}"
                repair = partial(_set_used, scope, octets)
                found.append(Finding(Kind.QUOTA, detail, address, repair=repair))
        return found


def _set_used(account_id: int, octets: int, change: Change) -> None:
    change.connection.execute(
        "update account set used = ? where account_id = ?", (octets, account_id)
    )
