"""Access tables: Sendmail's, whose keys have tags, and Postfix's access(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..mail.address import Address
from .actions import Action, UnknownAction, What, parse_action
from .lines import Notes, Remark, pairs, text_of
from .networks import Network, Networks, NoNetwork, parse_host, parse_network
from .tags import Tag

_TAG = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)
_TAGS = {tag.value: tag for tag in Tag}
#: Sendmail's tags for what is set elsewhere here, or not at all.
_TAGS_WITHOUT_EFFECT = frozenset({
    "spam", "authinfo", "clientconn", "clientrate", "greetpause", "srv_features",
    "tls_clt", "tls_rcpt", "tls_srv", "try_tls",
})  # fmt: skip
_USER = re.compile(r'("(?:[^"\\]|\\.)*"|[^\s@"]+)@([^\s@]*)')
_DOMAIN = re.compile(r"\.?[^\s@.:/\[\]]+(?:\.[^\s@.:/\[\]]+)*")
#: The sender of notifications (RFC 5321, section 4.5.5), in a table.
NULL_SENDER = "<>"
#: Names of this machine itself: nobody has to be asked for them.
_OWN_NAMES = frozenset({"localhost", "localhost.localdomain"})


@dataclass(slots=True)
class Access:
    """An access table.

    Keys in lower case: ``user@domain``, ``user@``, ``domain``, ``.domain``, ``<>``.

    :ivar minds_names: what peers elsewhere are called makes a difference.
    :ivar lets_names_relay: it may let them send everywhere.
    """

    _named: dict[tuple[Tag | None, str], Action] = field(default_factory=dict)
    _networks: dict[Tag | None, Networks[Action]] = field(default_factory=dict)
    minds_names: bool = False
    lets_names_relay: bool = False
    remarks: tuple[Remark, ...] = ()

    def host(self, name: str) -> Action | None:
        """What is to be done with a peer that is called *name*, in lower case."""
        return self._first(Tag.CONNECT, _domain_keys(name))

    def client(self, host: str) -> Action | None:
        """What is to be done with a peer at the IP address *host*.

        The network with most bits counts; in one, a key with the tag.
        """
        tagged = self._networks.get(Tag.CONNECT)
        plain = self._networks.get(None)
        address = parse_host(host) if tagged or plain else None
        if address is None:
            return None
        best: tuple[int, Action] | None = None
        for networks in (tagged, plain):
            found = next(networks.find(address), None) if networks else None
            if found is not None and (best is None or found[0] > best[0]):
                best = found
        return None if best is None else best[1]

    def sender(self, address: Address | None) -> Action | None:
        """What is to be done with mail of *address*; ``None`` is the null sender."""
        return self._find(Tag.FROM, address) if self._named else None

    def recipient(self, address: Address) -> Action | None:
        """What is to be done with mail for *address*."""
        return self._find(Tag.TO, address) if self._named else None

    def _find(self, tag: Tag, address: Address | None) -> Action | None:
        return self._first(tag, _keys(address))

    def _first(self, tag: Tag, keys: Iterable[str]) -> Action | None:
        for key in keys:
            for about in (tag, None):
                action = self._named.get((about, key))
                if action is not None:
                    return action
        return None

    def add(self, tag: Tag | None, key: Network | str, action: Action) -> bool:
        """-> whether the key is new; what was there first stays."""
        if isinstance(key, str):
            if tag in (Tag.CONNECT, None) and _is_host(key) and key not in _OWN_NAMES:
                self.minds_names = True
                self.lets_names_relay |= action.what is What.RELAY
            return self._named.setdefault((tag, key), action) is action
        return self._networks.setdefault(tag, Networks()).add(key, action)


def _keys(address: Address | None) -> Iterator[str]:
    """What is looked up for *address*, one after the other.

    The whole address, with and without a ``+tag``, then the user in any domain, then
    the domain and those above it.
    """
    if address is None:
        yield NULL_SENDER
        return
    local, domain = address.local.lower(), address.domain
    name = local.partition("+")[0]
    locals_ = (local, name) if name and name != local else (local,)
    for each in locals_:
        yield f"{each}@{domain}"
    for each in locals_:
        yield f"{each}@"
    yield from _domain_keys(domain)


def _domain_keys(domain: str) -> Iterator[str]:
    """*domain* and those above it."""
    yield domain
    while "." in domain:
        domain = domain.partition(".")[2]
        yield f".{domain}"
        yield domain


def parse_access(data: bytes, path: str, about: Tag | None = None) -> Access:
    """The access table in a file; of several entries of a key the first counts.

    :param about: what its keys without a tag are about (Postfix has a file for each:
        ``check_client_access`` and so on).
    :raises mailhub.tables.lines.MalformedTable: it cannot be followed.
    """
    access, notes = Access(), Notes(path)
    for number, key, text in pairs(text_of(data, path), notes):
        _enter(access, notes, number, about, key, text)
    access.remarks = notes.done()
    return access


def _enter(
    access: Access,
    notes: Notes,
    number: int,
    about: Tag | None,
    written: str,
    text: str,
) -> None:
    """Take one line, or note what is wrong with it."""
    tag, key = about, written
    if found := _TAG.fullmatch(written):
        name = found[1].lower()
        if name in _TAGS_WITHOUT_EFFECT:
            notes.remark(number, f"{found[1]}: has no effect here")
            return
        if name in _TAGS:
            tag, key = _TAGS[name], found[2]
    try:
        action = parse_action(text, f"{notes.path}:{number}")
        read = _key(key)
    except (UnknownAction, NoNetwork) as error:
        notes.fault(number, str(error))
        return
    if tag is Tag.CONNECT and isinstance(read, str) and not _is_host(read):
        notes.remark(number, f"{key!r} has no effect: no client is called so")
    elif action.what is What.RELAY and tag is Tag.FROM:
        notes.remark(number, "anybody can claim to be a sender: RELAY is OK here")
    if not access.add(tag, read, action):
        notes.remark(number, f"{written!r} was there before; the first counts")


def _is_host(key: str) -> bool:
    return "@" not in key and key != NULL_SENDER


def _key(text: str) -> Network | str:
    """A network, or a key in lower case.

    :raises UnknownAction: neither.
    """
    network = parse_network(text)
    if network is not None:
        return network
    key = text.lower()
    if key == NULL_SENDER or _DOMAIN.fullmatch(key):
        return key
    found = _USER.fullmatch(key)
    if found is None:
        raise UnknownAction(f"expected an address, a domain or a network: {text!r}")
    local = found[1]
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return f"{local}@{found[2]}"
