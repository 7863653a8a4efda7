"""Defines the settings of logins: identity providers whose access tokens the gateway accepts besides its own tokens."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from infra.schema.forms import Form
from infra.schema.host_names import has_usable_port
from infra.schema.problems import UnusableValue
from infra.schema.strict_settings import StrictSettings
from infra.settings.clients import ClientName
from messages import mark

#: What a token may allow: everything, everything that reads, or the same of a single service.
WHOLE, READ = "mcp", "mcp:read"
_SCOPE = re.compile(r"[a-z][a-z0-9-]{0,39}(:read)?")
#: A scope's name at an identity provider (RFC 6749, section 3.3), without characters that headers would escape.
ProviderScope = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,200}$")]


def is_loopback(host: str) -> bool:
    """Tell whether a URL's host is this machine, so that nobody else sees what is sent there."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _usable_url(value: str) -> str:
    if not has_usable_port(value):
        raise UnusableValue("url_port")
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UnusableValue("oauth_url", url=value)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise UnusableValue("oauth_url_without_https", url=value)
    return value


def _usable_scope(value: str) -> str:
    if not _SCOPE.fullmatch(value):
        raise UnusableValue("oauth_scope", scope=value)
    return value


ProviderUrl = Annotated[str, Field(max_length=500, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_usable_url)]
OurScope = Annotated[str, AfterValidator(_usable_scope)]
Alias = Annotated[str, Form(r"^[a-z][a-z0-9-]{0,15}$", "alias_form")]


class UserSettings(StrictSettings):
    """Users of an identity provider who are a configured client."""

    client: ClientName = Field(description=mark("The client among `clients` that they are"))
    value: str = Field(
        min_length=1, max_length=200, description=mark("The claim's value, or one of its values if it is a list")
    )
    claim: str = Field(
        "sub",
        pattern=r"^[A-Za-z0-9_.:/-]{1,200}$",
        description=mark("The claim of the token that tells them, such as sub, email or groups"),
    )


class IntrospectionSettings(StrictSettings):
    """How an identity provider is asked about tokens that are no JWT (RFC 7662)."""

    url: ProviderUrl = Field(description=mark("The introspection endpoint"))
    client_id: str = Field(
        pattern=r"^[\x21-\x7e]{1,200}$", description=mark("The id that the gateway has at the identity provider")
    )
    client_secret: SecretStr = Field(
        min_length=1,
        max_length=500,
        description=mark(
            "Its secret, encrypted: ./deploy.sh config set "
            "gateway.oauth.issuers.<alias>.introspection.clientSecret --secret"
        ),
    )


class IssuerSettings(StrictSettings):
    """An identity provider, and who its users are here."""

    url: ProviderUrl = Field(
        description=mark(
            "The identity provider's address (issuer), exactly as its tokens have it in iss, such as "
            "https://login.example.com/realms/pet"
        )
    )
    audiences: tuple[Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,300}$")], ...] = Field(
        (),
        description=mark(
            "Audiences (aud) that stand for the whole stack, for identity providers that do not write the address of "
            "the MCP server there; unset: only that address"
        ),
    )
    jwks_uri: ProviderUrl | None = Field(None, description=mark("Where its keys are; unset: where its metadata says"))
    introspection: IntrospectionSettings | None = Field(
        None, description=mark("How it is asked about tokens that are no JWT; unset: such tokens are refused")
    )
    scope_names: dict[OurScope, ProviderScope] = Field(
        default_factory=dict,
        description=mark("By scope, such as mcp:read, its name at this identity provider, where that differs"),
    )
    users: tuple[UserSettings, ...] = Field(
        (), description=mark("Which users are which client; the first match counts")
    )
    other_users: ClientName | None = Field(
        None,
        description=mark(
            "The client whose permissions all other users have, each with limits of their own; unset: they are refused"
        ),
    )
    private_addresses: bool = Field(
        False,
        description=mark("Whether it may have a private address, such as 10.0.0.5, or one of this machine"),
    )
    ca_file: str | None = Field(
        None, description=mark("The certificate of the private authority that signed its certificate (PEM file)")
    )

    @model_validator(mode="after")
    def _somebody_may_call(self) -> IssuerSettings:
        if not self.users and self.other_users is None:
            raise UnusableValue("oauth_without_users")
        return self

    def fetched(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the addresses that the hub certainly fetches, each after its keys; its metadata is at `url`."""
        if self.jwks_uri is not None:
            yield ("jwksUri",), self.jwks_uri
        elif self.introspection is None:
            yield ("url",), self.url
        if self.introspection is not None:
            yield ("introspection", "url"), self.introspection.url


class OAuthSettings(StrictSettings):
    """Logins: the gateway is an OAuth resource server for these identity providers. Its own tokens stay valid."""

    issuers: dict[Alias, IssuerSettings] = Field(
        min_length=1,
        max_length=8,
        description=mark("The identity providers, by a short name, with which the names of their users begin in logs"),
    )
    scopes: tuple[OurScope, ...] = Field(
        (WHOLE, READ),
        min_length=1,
        description=mark(
            "The scopes that the identity provider knows: mcp (everything), mcp:read (tools that only read), "
            "<service>, <service>:read"
        ),
    )

    @model_validator(mode="after")
    def _issuers_differ(self) -> OAuthSettings:
        urls = [issuer.url for issuer in self.issuers.values()]
        if doubled := sorted({url for url in urls if urls.count(url) > 1}):
            raise UnusableValue("oauth_issuer_twice", urls=", ".join(doubled))
        return self

    @property
    def first(self) -> IssuerSettings:
        """The identity provider to which clients are sent that look for only one."""
        return next(iter(self.issuers.values()))

    def clients(self) -> Iterator[tuple[str, ...]]:
        """Yield the configured clients that users are, each as the identity provider, the client and its keys there."""
        for alias, issuer in self.issuers.items():
            for number, user in enumerate(issuer.users):
                yield (alias, user.client, "users", str(number), "client")
            if issuer.other_users:
                yield (alias, issuer.other_users, "otherUsers")
