"""DANE for SMTP: certificates proved by DNS (RFC 6698, 7671, 7672).

Only answers that are authentic count, all the way from the domain's MX to the TLSA
records; and a question that fails means that the server cannot be used now, as whoever
can make it fail could be in the middle (RFC 7672, section 2.1.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256, sha512
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate
from OpenSSL import crypto

from ..errors import DNSFault, NoSuchDomain, TLSFault
from ..mail.dns import TLSA, Answer, RecordType
from .certificates import DAMAGED, LONGEST_CHAIN, check_chain, check_name

#: Certificate usages (RFC 7218): those of the public authorities are of no use here
#: (RFC 7672, section 3.1.3).
TRUST_ANCHOR, END_ENTITY = 2, 3
#: Selectors: all of the certificate, or its public key.
WHOLE, KEY = 0, 1
#: Matching types: the thing itself, or a digest of it.
FULL, SHA256, SHA512 = 0, 1, 2
_DIGESTS = {SHA256: sha256, SHA512: sha512}
#: The stronger of two digests is the one that counts (RFC 7671, section 9).
_DIGEST_OCTETS = {SHA256: 32, SHA512: 64}


@dataclass(frozen=True, slots=True)
class Published:
    """What a server's operator has published.

    :ivar base: the name that the records belong to: the first name that a certificate
        may be for, and the name for SNI (RFC 7672, sections 2.2.3 and 8.1).
    :ivar records: those that are usable; none means that TLS is needed, whoever it is
        with (RFC 7672, section 2.2).
    """

    base: str
    records: tuple[TLSA, ...]


async def find_published(resolver: Any, host: str, port: int) -> Published | None:
    """What is published for *host*, ``None`` if nothing is that counts.

    :raises mailhub.errors.DNSFault: that cannot be known now.
    """
    for base in await _bases(resolver, host):
        try:
            answer = await resolver.query(f"_{port}._tcp.{base}", RecordType.TLSA)
        except NoSuchDomain:
            continue
        records = [each for each in answer.records if isinstance(each, TLSA)]
        if answer.authentic and records:
            return Published(base, usable(records))
    return None


async def _bases(resolver: Any, host: str) -> list[str]:
    """The names that TLSA records may be at (RFC 7672, section 2.2.2).

    Without an address that is authentic none is asked for: servers of zones that are
    not signed often answer such questions badly.
    """
    host = host.lower().removesuffix(".")
    answer = await _addresses(resolver, host)
    if answer is None:
        return []
    if answer.name == host:
        return [host] if answer.authentic else []
    if answer.authentic:
        return [answer.name, host]
    alias = await resolver.query(host, RecordType.CNAME)
    return [host] if alias.authentic and alias.records else []


async def _addresses(resolver: Any, host: str) -> Answer | None:
    """The first answer that has addresses in it."""
    fault: DNSFault | None = None
    for kind in (RecordType.A, RecordType.AAAA):
        try:
            answer: Answer = await resolver.query(host, kind)
        except NoSuchDomain:
            continue
        except DNSFault as error:
            fault = error
            continue
        if answer.records:
            return answer
    if fault is not None:
        raise fault
    return None


def usable(records: Iterable[TLSA]) -> tuple[TLSA, ...]:
    """Those of *records* that can prove something.

    Of several digests for the same usage and selector only the strongest counts, so
    that a weak one that was broken opens nothing (RFC 7671, section 9).
    """
    sound = [each for each in records if _is_sound(each)]
    strongest: dict[tuple[int, int], int] = {}
    for each in sound:
        group = each.usage, each.selector
        strongest[group] = max(strongest.get(group, FULL), each.matching)
    return tuple(
        each
        for each in sound
        if each.matching in (FULL, strongest[each.usage, each.selector])
    )


def _is_sound(record: TLSA) -> bool:
    if record.usage not in (TRUST_ANCHOR, END_ENTITY):
        return False
    if record.selector not in (WHOLE, KEY) or not record.data:
        return False
    if record.matching != FULL:
        return _DIGEST_OCTETS.get(record.matching) == len(record.data)
    return record.selector == KEY or _certificate(record.data) is not None


def _certificate(der: bytes) -> Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except DAMAGED:
        return None


def check(
    records: Sequence[TLSA],
    names: Sequence[str],
    chain: Sequence[Certificate],
    now: datetime,
) -> None:
    """Hold what a server has shown against what is published.

    :param records: usable ones, one at least.
    :param names: that a certificate may be for, where usage 2 proves it.
    :raises TLSFault: none of *records* proves it.
    """
    if not chain or len(chain) > LONGEST_CHAIN:
        raise TLSFault(f"a chain of {len(chain)} certificates")
    entities = [each for each in records if each.usage == END_ENTITY]
    # Neither name nor date counts here (RFC 7672, sections 3.1.1 and 3.2.1).
    if any(_matches(each, chain[0]) for each in entities):
        return
    anchors = [each for each in records if each.usage == TRUST_ANCHOR]
    if not anchors:
        raise TLSFault("the certificate is not the one that is published in DNS")
    check_name(chain[0], names, common_name=True)
    _check_anchored(anchors, chain, now)


def _check_anchored(
    records: Sequence[TLSA], chain: Sequence[Certificate], now: datetime
) -> None:
    """Whether a certificate of *records* is in *chain*, and has issued the first.

    :raises TLSFault: it is not, or has not.
    """
    anchors = [
        issuer
        for issuer in chain[1:]
        if any(_matches(record, issuer) for record in records)
    ]
    for record in records:
        if (record.selector, record.matching) == (WHOLE, FULL):
            published = _certificate(record.data)
            if published is not None:
                anchors.append(published)
    if not anchors:
        raise TLSFault("no authority of the certificate is published in DNS")
    store = crypto.X509Store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for anchor in anchors:
        store.add_cert(crypto.X509.from_cryptography(anchor))
    check_chain(chain, store, now)


def _matches(record: TLSA, certificate: Certificate) -> bool:
    """Whether *record* is about *certificate* (RFC 6698, section 2.1)."""
    if record.selector == WHOLE:
        octets = certificate.public_bytes(Encoding.DER)
    else:
        try:
            key = certificate.public_key()
        except DAMAGED:
            return False
        octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = _DIGESTS.get(record.matching)
    return record.data == (digest(octets).digest() if digest else octets)
