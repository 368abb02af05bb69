"""Who the server is: the certificate that says so."""

from __future__ import annotations

import os.path
from datetime import datetime

from ..net.certificates import (
    LOOPBACK_NAMES,
    CertificateFault,
    Identity,
    ensure_own,
    make_identity,
    read_identity,
)
from .faults import ConfigError
from .naming import server_name
from .settings import Config

#: The server's own certificate with its key, in the data folder.
OWN_CERTIFICATE = "self-signed.pem"


def given_certificate(config: Config) -> Identity | None:
    """The certificate in the files that *config* names, ``None`` if it names none.

    :raises ConfigError: they cannot be used.
    """
    if not config.tls.certificate:
        return None
    try:
        return read_identity(config.tls.certificate, config.tls.key)
    except CertificateFault as fault:
        key = "key" if str(fault).startswith(config.tls.key + ":") else "certificate"
        raise ConfigError([config.fault("tls", key, str(fault))]) from None


def certificate(config: Config, now: datetime) -> Identity:
    """The certificate to use; one is made where none is given.

    It is kept where anything is.

    :raises ConfigError: the one that is given cannot be used.
    :raises CertificateFault: the server's own can neither be read nor made.
    """
    given = given_certificate(config)
    if given is not None:
        return given
    name = server_name(config)
    if config.store.kind == "memory":
        return make_identity((name, *LOOPBACK_NAMES), now)
    return ensure_own(os.path.join(config.server.data, OWN_CERTIFICATE), [name], now)
