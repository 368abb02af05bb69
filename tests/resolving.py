"""DNS out of a dictionary, for tests: nobody is asked, nothing is waited for.

::

    resolver = Names({
        "far.example": {RecordType.MX: [MX(10, "mx.far.example")]},
        "mx.far.example": {RecordType.A: ["192.0.2.1"]},
        "alias.example": {RecordType.CNAME: ["far.example"]},
    })
    resolver.fail("mx.far.example", DNSFault("no answer"))
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailhub.errors import DNSFault, MailError, NoSuchDomain
from mailhub.interfaces import IResolver
from mailhub.mail.dns import Answer, RecordType

#: CNAMEs in a row; more are a fault, as with the real resolver.
LONGEST_CHAIN = 8


@implementer(IResolver)
class Names:
    """An ``IResolver`` that knows some names; all others do not exist.

    :param records: for each name the records of each type.  May be changed at any
        time, here or in :attr:`records`.
    :param authentic: the names whose answers are validated; ``True``: all.
    :ivar asked: each ``(name, RecordType)`` that was asked for, in order.
    """

    def __init__(
        self,
        records: Mapping[str, Mapping[RecordType, Sequence[object]]] | None = None,
        authentic: bool | Iterable[str] = False,
        ttl: int = 300,
    ) -> None:
        self.records = {
            _plain(name): dict(of_name) for name, of_name in (records or {}).items()
        }
        self.asked: list[tuple[str, RecordType]] = []
        self._all_authentic = authentic is True
        names = () if isinstance(authentic, bool) else authentic
        self._authentic = {_plain(name) for name in names}
        self._ttl = ttl
        self._faults: dict[tuple[str, RecordType | None], MailError] = {}
        self._waits: dict[tuple[str, RecordType | None], Deferred[None]] = {}

    def fail(
        self,
        name: str,
        fault: MailError | None = None,
        kind: RecordType | None = None,
    ) -> None:
        """Let questions for *name* raise *fault* (a ``DNSFault``).

        :param kind: only those for this type.
        """
        self._faults[_plain(name), kind] = fault or DNSFault(f"{name}: SERVFAIL")

    def recover(self) -> None:
        """Answer again: no name fails any more."""
        self._faults.clear()

    def wait(self, name: str, kind: RecordType | None = None) -> Deferred[None]:
        """Let questions for *name* wait until the ``Deferred`` that this returns is
        fired.
        """
        return self._waits.setdefault((_plain(name), kind), Deferred())

    async def query(self, name: str, kind: RecordType) -> Answer:
        """See ``IResolver``."""
        name = _plain(name)
        self.asked.append((name, kind))
        await self._until_fired(name, kind)
        authentic = True
        for _ in range(LONGEST_CHAIN + 1):
            authentic = authentic and self._is_authentic(name)
            self._check(name, kind)
            if name not in self.records:
                raise NoSuchDomain(f"{name}: no such domain")
            here = self.records[name]
            chain = here.get(RecordType.CNAME)
            if kind is RecordType.CNAME or not chain:
                records = tuple(here.get(kind, ()))
                return Answer(name, records, authentic, self._ttl)
            name = _plain(str(chain[0]))
        raise DNSFault(f"{name}: too many CNAMEs in a row")

    def _until_fired(self, name: str, kind: RecordType) -> Awaitable[None]:
        waited = self._waits.get((name, kind)) or self._waits.get((name, None))
        resumed: Deferred[None] = Deferred()
        if waited is None:
            resumed.callback(None)
            return resumed

        def resume(result: object) -> object:
            resumed.callback(None)
            return result

        waited.addCallback(resume)
        return resumed

    def _check(self, name: str, kind: RecordType) -> None:
        for key in ((name, kind), (name, None)):
            if key in self._faults:
                raise self._faults[key]

    def _is_authentic(self, name: str) -> bool:
        return self._all_authentic or name in self._authentic


def _plain(name: str) -> str:
    return name.removesuffix(".").lower()
