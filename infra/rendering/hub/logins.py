"""Makes the file that tells the hub which identity providers are trusted, and who their users are."""

from __future__ import annotations

import json
from collections.abc import Mapping

from infra.rendering.gateway.inputs import pem_file
from infra.settings.oauth import OAuthSettings
from infra.settings.stack import StackSettings


def secret_name(alias: str) -> str:
    """Return the name of the hub's secret for asking an identity provider; `<name>_FILE` has the path of its file."""
    return f"DYBER_OAUTH_{alias.upper().replace('-', '_')}"


def introspection_secrets(oauth: OAuthSettings | None) -> dict[str, str]:
    """Return the secrets with which the hub asks identity providers about tokens, by name."""
    issuers = oauth.issuers if oauth else {}
    return {
        secret_name(alias): issuer.introspection.client_secret.get_secret_value()
        for alias, issuer in issuers.items()
        if issuer.introspection
    }


def logins(oauth: OAuthSettings, authorities: Mapping[str, str]) -> str:
    """Return the file as JSON text; it has no secrets. `authorities` are certificates (PEM) by identity provider."""
    issuers = [
        {
            "alias": alias,
            "url": issuer.url,
            "audiences": issuer.audiences,
            "jwks_uri": issuer.jwks_uri,
            "introspection": issuer.introspection
            and {
                "url": issuer.introspection.url,
                "client_id": issuer.introspection.client_id,
                "secret": secret_name(alias),
            },
            "scope_names": issuer.scope_names,
            "users": [user.model_dump() for user in issuer.users],
            "other_users": issuer.other_users,
            "private_addresses": issuer.private_addresses,
            "authorities": authorities.get(alias),
        }
        for alias, issuer in oauth.issuers.items()
    ]
    return json.dumps({"issuers": issuers, "scopes": oauth.scopes}, ensure_ascii=True, indent=1) + "\n"


def authorities(settings: StackSettings) -> dict[str, str]:
    """Return the certificates in the files that `caFile` of identity providers names, by identity provider.

    Raises ConfigurationError naming a file that cannot be read or has no certificate.
    """
    issuers = settings.gateway.oauth.issuers if settings.gateway.oauth else {}
    return {
        alias: pem_file(settings, ("gateway", "oauth", "issuers", alias, "caFile"), issuer.ca_file, is_authority=True)
        for alias, issuer in issuers.items()
        if issuer.ca_file is not None
    }
