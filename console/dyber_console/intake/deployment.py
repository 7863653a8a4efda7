"""Defines what a deployment says about its stack, and reads it from the deployment's file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dyber_console.language import for_page, texts_by_language


@dataclass(frozen=True)
class DeployedService:
    """Holds what a deployment says about a service; None or "" where it says nothing.

    Attributes:
        contract: Hash of the locked contract.
        missing_secrets: Secrets that it requires and that its stack did not give at the deployment.
    """

    title: str
    description: str = ""
    version: str = ""
    digest: str | None = None
    contract: str = ""
    memory_mib: int | None = None
    cpus: float | None = None
    max_call_seconds: float | None = None
    requests_per_second: float | None = None
    burst: int | None = None
    is_foreign: bool = False
    secrets: tuple[str, ...] = ()
    missing_secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeployedClient:
    """Holds what a client may call: `services` is None for everything, else per service `all`, `read` or the tools.

    Attributes:
        generation: Number of its token, which grows with each rotation.
        old_token_works: Whether the token before it is still accepted.
        snippets: Configurations by program, without the token.
    """

    services: dict[str, str | tuple[str, ...]] | None = None
    generation: int | None = None
    old_token_works: bool = False
    snippets: dict[str, Snippet] = field(default_factory=dict)


@dataclass(frozen=True)
class Snippet:
    """Holds the configuration of a program: its name, by language the file it goes into, and the text."""

    title: str
    files: dict[str, str]
    text: str

    @property
    def file(self) -> str:
        """Return the file, or how the program takes the text, in the language of the page if it is known in it."""
        return for_page(self.files)


@dataclass(frozen=True)
class Deployment:
    """Holds a deployment's file.

    Attributes:
        images: How images come: `built` here, `pinned` by their digests, or `promoted` from another stack.
        contracts: What a service with other tools than its contract's gets: `off`, `warn` or `enforced`.
        policy: Whether the stack's rules are `advisory` or `mandatory`.
        gateway_version: Version of the gateway's image.
        console: Address of the stack's console, or "".
        settings: The settings that a stack may have otherwise than others, as text; without secrets.
    """

    stack: str = ""
    version: str = ""
    deployed_at: float | None = None
    commit: str = ""
    addresses: tuple[str, ...] = ()
    console: str = ""
    images: str = ""
    contracts: str = ""
    policy: str = ""
    gateway_version: str = ""
    gateway_digest: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    services: dict[str, DeployedService] = field(default_factory=dict)
    clients: dict[str, DeployedClient] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()


def read_deployment(text: str) -> Deployment:
    """Return the content of `deployment.json`; raise ValueError, TypeError or AttributeError for another document."""
    content = read_object(text)
    at = content.get("deployed_at")
    gateway = content.get("gateway") or {}
    return Deployment(
        stack=str(content.get("stack", "")),
        version=str(content.get("version", "")),
        deployed_at=datetime.fromisoformat(at).timestamp() if at else None,
        commit=str(content.get("commit") or ""),
        addresses=tuple(map(str, content.get("addresses", ()))),
        console=str(content.get("console") or ""),
        images=str(content.get("images") or ""),
        contracts=str(content.get("contracts") or ""),
        policy=str(content.get("policy") or ""),
        gateway_version=str(gateway.get("version") or ""),
        gateway_digest=str(gateway.get("digest") or ""),
        settings={str(name): str(value) for name, value in (content.get("settings") or {}).items()},
        services={str(name): _service(name, entry) for name, entry in content.get("services", {}).items()},
        clients={str(name): _client(entry) for name, entry in content.get("clients", {}).items()},
        profiles=tuple(map(str, content.get("profiles", ()))),
    )


def read_object(text: str) -> dict[str, Any]:
    """Return the object of a JSON document; raise ValueError or TypeError when it is none."""
    content = json.loads(text)
    if not isinstance(content, dict):
        raise TypeError("the document is no object")
    return content


def _service(name: str, entry: dict[str, Any]) -> DeployedService:
    return DeployedService(
        title=str(entry.get("title") or name),
        description=str(entry.get("description") or ""),
        version=str(entry.get("version") or ""),
        digest=entry.get("digest"),
        contract=str(entry.get("contract") or ""),
        memory_mib=entry.get("memory_mib"),
        cpus=entry.get("cpus"),
        max_call_seconds=entry.get("max_call_seconds"),
        requests_per_second=entry.get("requests_per_second"),
        burst=entry.get("burst"),
        is_foreign=bool(entry.get("is_foreign")),
        secrets=tuple(map(str, entry.get("secrets", ()))),
        missing_secrets=tuple(map(str, entry.get("missing_secrets", ()))),
    )


def _client(entry: dict[str, Any]) -> DeployedClient:
    scopes = entry.get("services")
    services = None
    if scopes is not None:
        services = {
            str(name): scope if isinstance(scope, str) else tuple(map(str, scope)) for name, scope in scopes.items()
        }
    snippets = {
        str(program): Snippet(str(each["title"]), texts_by_language(each.get("file")), str(each["text"]))
        for program, each in entry.get("snippets", {}).items()
    }
    return DeployedClient(services, entry.get("generation"), bool(entry.get("old_token_works")), snippets)
