"""Renders what the gateway knows of logins: the addresses for which tokens may be meant, and the metadata of these."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from infra.rendering.gateway.model import GatewayHub, GatewayService
from infra.schema.problems import UnusableValue
from infra.services.ports import DEVELOPMENT_PORT, HTTP_PORT, HTTPS_PORT
from infra.settings.gateway import CONTAINER_NAMES, LOOPBACK_NAMES, GatewaySettings
from infra.settings.oauth import OAuthSettings

#: The path below the hub's address at which it verifies tokens for the gateway.
VERIFIER_PATH = "/internal/tokens"


def login_bases(settings: GatewaySettings, services: Sequence[GatewayService]) -> dict[str, str]:
    """Return the beginnings of the addresses for which tokens may be meant, by scheme and Host header of a request.

    They are fixed, because a caller chooses its Host header freely: an address that is not the gateway's alone would
    let it use tokens that were issued for another server. Names of this machine count only on a gateway that nobody
    else can reach. Tokens are accepted over HTTPS only, except on this machine.
    """
    bases: dict[str, str] = {}
    local = ipaddress.ip_address(settings.bind).is_loopback and settings.public_url is None
    for name in settings.all_server_names:
        if name in CONTAINER_NAMES or (name in LOOPBACK_NAMES and not local):
            continue
        bases.update(_addresses("https", name, settings.public(HTTPS_PORT)))
        if name in LOOPBACK_NAMES:
            for port in (HTTP_PORT, DEVELOPMENT_PORT, *(service.port for service in services)):
                bases.update(_addresses("http", name, settings.public(port)))
    if settings.public_url:
        host = urlsplit(settings.public_url).netloc
        # The user's own proxy ends TLS, so calls may arrive here as plain HTTP.
        bases |= {f"{scheme}://{host}": settings.public_url for scheme in ("http", "https")}
    return bases


def _addresses(scheme: str, name: str, port: int) -> Iterator[tuple[str, str]]:
    usual = port == (443 if scheme == "https" else 80)
    base = f"{scheme}://{name}" if usual else f"{scheme}://{name}:{port}"
    yield f"{scheme}://{name}:{port}", base
    if usual:
        yield base, base


def authorization_server(settings: OAuthSettings) -> dict[str, str]:
    """Return where the metadata of the first identity provider is, by kind: `oauth` (RFC 8414) and `openid`."""
    parts = urlsplit(settings.first.url)
    path = parts.path.rstrip("/")
    return {
        "oauth": f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}",
        "openid": f"{parts.scheme}://{parts.netloc}{path}/.well-known/openid-configuration",
    }


def logins(settings: GatewaySettings, services: Sequence[GatewayService], hub: GatewayHub | None) -> dict[str, Any]:
    """Return the variables of the templates and the files of the gateway that concern logins; without logins, nothing.

    Raises UnusableValue if there is no hub, which verifies the tokens.
    """
    oauth = settings.oauth
    if oauth is None:
        return {"variables": {}, "files": {}}
    if hub is None:
        raise UnusableValue("hub_is_off", key="gateway.oauth")
    names = [service.name for service in services]
    for scope in oauth.scopes:
        if scope.partition(":")[0] not in ("mcp", *names):
            raise UnusableValue("oauth_scope_service", scope=scope, known=", ".join(names))
    content = {
        "revision": hashlib.sha256(oauth.model_dump_json().encode()).hexdigest()[:16],
        "verifier": f"http://{hub.name}:{hub.port}{VERIFIER_PATH}",
        # The gateway has no other secret of the hub. Only the two are in the hub's network.
        "key": hub.token_sha256,
        "issuers": [issuer.url for issuer in oauth.issuers.values()],
        "opaque": any(issuer.introspection for issuer in oauth.issuers.values()),
        "scopes": oauth.scopes,
        "scope_names": oauth.first.scope_names,
        "services": names,
        "direct_ports": [str(service.port) for service in services],
        # A caller with a good token is limited too while somebody guesses tokens from its address, so it is generous.
        "refused_per_minute": 10 * settings.limits.refused_per_minute,
    }
    return {
        "variables": {
            "login_entries": {
                alias: issuer.other_users for alias, issuer in oauth.issuers.items() if issuer.other_users
            },
            "login_bases": login_bases(settings, services),
            "authorization_server": authorization_server(oauth),
        },
        "files": {"njs/logins.json": json.dumps(content, ensure_ascii=True, indent=1) + "\n"},
    }
