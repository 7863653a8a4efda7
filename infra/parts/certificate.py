"""Decides what keeps the certificate of port 443 while the stack runs: a self-signed one, or one of an ACME authority."""

from __future__ import annotations

from collections.abc import Sequence

from infra.parts.containers import STAGING, Confinement, Membership, Probe, Server, Stop, Task
from infra.parts.gateway import EDGE, GATEWAY_UID, MAX_PROCESSES, WRITABLE_CONFIGURATION

MEMORY_MIB = 64
LIMITS = Confinement(GATEWAY_UID, MEMORY_MIB, 1.0, MAX_PROCESSES)
#: Checks the user's own certificate and puts it where the gateway serves it.
STORE = Task(
    "gateway-certificate",
    "gateway-certificate",
    LIMITS,
    ("/usr/local/bin/store-certificate", STAGING),
    mounts=(WRITABLE_CONFIGURATION,),
)
#: How long before its end a certificate is renewed at the latest.
RENEW_BEFORE_DAYS = 30


def self_signed() -> Server:
    """Return what renews the gateway's self-signed certificate and makes a damaged one anew; it is in no network."""
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
    """Return what gets the certificate from an ACME authority and renews it, in a network with a way to the authority.

    `names` are DNS names for which the authority reaches the gateway on port 80; the first is the subject. `directory`
    is the authority's directory URL; `authorities` is PEM text with what to trust when asking it, empty: the public
    authorities. Two at once would ask the authority twice.
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
