"""``mailhub dns``: what the server's resolver says, and what mail has to heed of it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure as Fault

from ..assembly.names import tls_policies_of
from ..config.resolving import make_resolver
from ..config.settings import Config
from ..errors import MailError, NoSuchDomain
from ..mail.dns import MX, TLSA, Answer, RecordType
from .invocation import Invocation
from .main import add_action, add_actions
from .outcome import Exit, Failure, Result
from .spelling import canonical_domain

_TYPES = [kind.name for kind in RecordType]


def add_arguments(parser: ArgumentParser) -> None:
    actions = add_actions(parser)
    action = add_action(actions, "lookup", lookup, "ask for the records of a name")
    action.add_argument("name", metavar="NAME")
    action.add_argument(
        "type", metavar="TYPE", nargs="?", type=str.upper, choices=_TYPES, default="MX"
    )
    text = "show the servers of a domain, and what they have to prove in TLS"
    action = add_action(actions, "policy", policy, text)
    action.add_argument("domain", metavar="DOMAIN")


def lookup(invocation: Invocation) -> Result:
    """JSON: ``{"name", "type", "records": [TEXT, ...], "authentic", "ttl"}``."""
    name, kind = invocation.options.name, RecordType[invocation.options.type]

    async def ask(reactor: Any, config: Config) -> Answer:
        answer: Answer = await make_resolver(config.dns, reactor).query(name, kind)
        return answer

    answer = _asked(invocation, ask)
    records = sorted(map(shown, answer.records))
    data = {
        "name": answer.name,
        "type": kind.name,
        "records": records,
        "authentic": answer.authentic,
        "ttl": answer.ttl,
    }
    text = [f"{answer.name} {kind.name} {record}" for record in records]
    proof = "proved by DNSSEC" if answer.authentic else "not proved by DNSSEC"
    return Result(data, "\n".join([*(text or ["no such records"]), proof]))


def policy(invocation: Invocation) -> Result:
    """JSON: ``{"domain", "authentic", "hosts": [{"host", "needs_tls", "basis",
    "fault"}, ...]}``."""
    domain = canonical_domain(invocation.options.domain)

    async def ask(reactor: Any, config: Config) -> tuple[Answer, list[dict[str, Any]]]:
        resolver = make_resolver(config.dns, reactor)
        answer: Answer = await resolver.query(domain, RecordType.MX)
        policies = tls_policies_of(config, reactor, resolver)
        rules = await policies.of_domain(domain, answer)
        found = sorted(each.host for each in answer.records if isinstance(each, MX))
        hosts = []
        for host in filter(None, found or [answer.name]):
            row = {"host": host, "needs_tls": False, "basis": "", "fault": ""}
            try:
                rule = await rules.of_host(host, config.outbound.port)
                row |= {"needs_tls": rule.needs_tls, "basis": rule.basis}
            except MailError as error:
                row["fault"] = str(error)
            hosts.append(row)
        return answer, hosts

    answer, hosts = _asked(invocation, ask)
    data = {"domain": domain, "authentic": answer.authentic, "hosts": hosts}
    return Result(data, "\n".join(map(_line, hosts)) or f"{domain} takes no mail")


def _line(row: dict[str, Any]) -> str:
    if row["fault"]:
        return f"{row['host']}: gets no mail: {row['fault']}"
    need = "only in TLS" if row["needs_tls"] else "in TLS if it can"
    return f"{row['host']}: {need} ({row['basis']})"


def shown(record: object) -> str:
    """*record* as zone files have it, about."""
    match record:
        case MX(preference=preference, host=host):
            return f"{preference} {host}."
        case TLSA(usage=usage, selector=selector, matching=matching, data=data):
            return f"{usage} {selector} {matching} {data.hex()}"
        case bytes():
            return ascii(record)[1:]
    return str(record)


def _asked(
    invocation: Invocation, work: Callable[[Any, Config], Coroutine[Any, Any, Any]]
) -> Any:
    """What *work* comes to, with a reactor of its own.

    :raises Failure: DNS says no, or nothing.
    """
    config = invocation.config()
    reactor = SelectReactor()
    results: list[Any] = []

    def begin() -> None:
        asking = Deferred.fromCoroutine(work(reactor, config))
        asking.addBoth(results.append).addCallback(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    match results:
        case [Fault(value=NoSuchDomain() as error)]:
            raise Failure(Exit.NO_HOST, str(error))
        case [Fault(value=MailError() as error)]:
            raise Failure(Exit.TRY_AGAIN, str(error))
        case [Fault() as fault]:
            fault.raiseException()
    return results[0]
