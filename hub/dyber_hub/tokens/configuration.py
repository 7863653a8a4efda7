"""Reads which identity providers are trusted, and who their users are here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dyber_kit.upstream.http import tls_context


@dataclass(frozen=True)
class Introspection:
    """How an identity provider is asked about tokens that are no JWT (RFC 7662)."""

    url: str
    client_id: str
    secret_file: Path

    def secret(self) -> str:
        """Return the password of the hub at the identity provider. Raises OSError."""
        return self.secret_file.read_text(encoding="utf-8").strip()


@dataclass(frozen=True)
class User:
    """Users who are a configured client: those whose `claim` is `value`, or is a list with that value."""

    claim: str
    value: str
    client: str


@dataclass(frozen=True)
class Issuer:
    """An identity provider.

    Attributes:
        alias: The beginning of the names of its users who are no configured client.
        audiences: Audiences that stand for every address of the gateway.
        scopes: By the name of a scope at the identity provider, its name here.
        other_users: The client whose permissions all other users have; None: they are refused.
        private_addresses: Whether it may have an address in a private network.
        authorities: Certificates (PEM) of authorities that are trusted besides the system's.
    """

    url: str
    alias: str
    audiences: frozenset[str] = frozenset()
    scopes: Mapping[str, str] = field(default_factory=dict)
    users: tuple[User, ...] = ()
    other_users: str | None = None
    jwks_uri: str | None = None
    introspection: Introspection | None = None
    private_addresses: bool = False
    authorities: str | None = None


def read_issuers(file: Path, environment: Mapping[str, str]) -> tuple[Issuer, ...]:
    """Return the identity providers in the configuration `file`; `environment` has the paths of its secrets.

    Raises:
        ValueError: The file is not as the stack's program writes it; the message names the file.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return tuple(_issuer(item, content["scopes"], environment) for item in content["issuers"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: not usable as the configuration of logins: {error!r}") from error


def _issuer(item: Mapping[str, Any], scopes: list[str], environment: Mapping[str, str]) -> Issuer:
    introspection = item.get("introspection")
    names = item.get("scope_names", {})
    authorities = item.get("authorities")
    if authorities:
        tls_context(authorities)
    return Issuer(
        url=item["url"],
        alias=item["alias"],
        audiences=frozenset(item.get("audiences", ())),
        scopes={names.get(scope, scope): scope for scope in scopes},
        users=tuple(User(user["claim"], user["value"], user["client"]) for user in item.get("users", ())),
        other_users=item.get("other_users"),
        jwks_uri=item.get("jwks_uri"),
        introspection=introspection
        and Introspection(
            introspection["url"], introspection["client_id"], Path(environment[f"{introspection['secret']}_FILE"])
        ),
        private_addresses=bool(item.get("private_addresses")),
        authorities=authorities,
    )
