"""Who is asked for names, and for what servers have to prove."""

from __future__ import annotations

import os.path
import time
from collections.abc import Callable
from typing import Any

from ..config.settings import Config
from ..outbound.addresses import is_public
from ..outbound.mta_sts_policies import Policies, Shelf
from ..outbound.tls_policy import TLSPolicies

#: Policies of MTA-STS, in the data folder.
POLICIES = "mta-sts"


def tls_policies_of(config: Config, reactor: Any, resolver: Any) -> TLSPolicies:
    """What other servers have to prove, by *config*; nothing is asked for yet.

    :param resolver: an ``IResolver``.
    """
    outbound = config.outbound
    policies = None
    if outbound.mta_sts:
        # It brings HTTP along, and takes the sockets that systemd has passed to us.
        from ..outbound.mta_sts_fetch import PolicyHosts

        allows: Callable[[str], bool] = bool if outbound.allow_private else is_public
        hosts = PolicyHosts(reactor, resolver, allows)
        shelf = None
        if config.store.kind != "memory":
            shelf = Shelf(os.path.join(config.server.data, POLICIES))
        policies = Policies(resolver, hosts.fetch, time.time, shelf)
    return TLSPolicies(resolver if outbound.dane else None, policies)
