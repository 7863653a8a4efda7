"""Decides the containers that store and renew the certificate of port 443: self-signed, own files, or from ACME."""

from __future__ import annotations

from collections.abc import Sequence

from infra.parts.containers import STAGING, Confinement, Membership, Probe, Server, Stop, Task
from infra.parts.gateway import EDGE, GATEWAY_UID, MAX_PROCESSES, WRITABLE_CONFIGURATION

MEMORY_MIB = 64
LIMITS = Confinement(GATEWAY_UID, MEMORY_MIB, 1.0, MAX_PROCESSES)
#: Checks the user's own certificate and puts it into the volume from which the gateway serves it.
STORE = Task(
    "gateway-certificate",
    "gateway-certificate",
    LIMITS,
    ("/usr/local/bin/store-certificate", STAGING),
    mounts=(WRITABLE_CONFIGURATION,),
)
#: A certificate is renewed at the latest this long before it expires.
RENEW_BEFORE_DAYS = 30


def self_signed() -> Server:
    """Return the container that renews the gateway's self-signed certificate and replaces a damaged one.

    It is in no network.
    """
    return Server(
        "gateway-certificate-keeper",
        "gateway-certificate",
        LIMITS,
        (),
        Probe(("/bin/sh", "-c", "! [ -e /tmp/failed ]")),
        Stop(None),
        replaced=None,
        wait_seconds=None,
        command=("/usr/local/bin/certificate-keeper",),
        mounts=(WRITABLE_CONFIGURATION,),
    )


def acme(*, names: Sequence[str], directory: str, email: str, authorities: str) -> Server:
    """Return the container that gets a certificate from an ACME authority and renews it.

    `names` are DNS names for which the authority reaches the gateway on port 80; the first is the subject. `directory`
    is the URL of the authority's directory. `authorities` is PEM text with the certificates to trust when calling it;
    empty means the public authorities. It is replaced old first, because two would ask the authority twice.
    """
    environment = {
        "ACME_DIRECTORY": directory,
        "ACME_EMAIL": email,
        "ACME_NAMES": " ".join(names),
        "ACME_CA": authorities,
        "ACME_RENEW_BEFORE_DAYS": str(RENEW_BEFORE_DAYS),
    }
    return Server(
        "gateway-acme",
        "gateway-acme",
        LIMITS,
        (Membership(EDGE),),
        Probe(("/usr/local/bin/acme-healthcheck",), start_seconds=600, steady=True),
        Stop(None),
        replaced="old first",
        wait_seconds=None,
        command=("/usr/local/bin/acme-keeper",),
        environment=tuple(environment.items()),
        mounts=(WRITABLE_CONFIGURATION,),
    )
