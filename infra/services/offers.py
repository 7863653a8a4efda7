"""Reads what a service of a stack offers to agents: its tools, prompts and resources, as its contract says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from infra.services.catalog import ServiceSpec
from infra.services.contract import load_lock
from infra.services.hidden_tools import hidden_tools

#: The schemes that services of different owners use, so that only the part behind them tells whose an address is.
SHARED_SCHEMES = ("http", "https", "ui")


@dataclass(frozen=True)
class Offers:
    """What a service offers, without the tools that the stack's settings hide.

    `tools` has the names and, where they are known, title, description, schemas and annotations as the lock file has
    them, in its order; `reading` are the tools that only read. If `known` is false, the lock file in the checkout is
    missing or is not the contract that the stack runs, so only names are known, or nothing. `others` are prompts,
    resources and so on, in the form of the lock file. `names` are the names at the hub of the tools that have another
    name there, by their names in the service.
    """

    service: str
    title: str
    known: bool
    tools: Mapping[str, Mapping[str, Any]]
    reading: frozenset[str]
    others: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def name_at_the_hub(self, tool: str) -> str:
        """Return the name of a tool at the address of all tools."""
        return self.names.get(tool, tool)

    @property
    def prompts(self) -> list[dict[str, Any]]:
        """The prompts as MCP lists them."""
        return _listed(self.others.get("prompts"), "name")

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The resources as MCP lists them."""
        return _listed(self.others.get("resources"), "uri")

    @property
    def resource_templates(self) -> list[dict[str, Any]]:
        """The templates of resources as MCP lists them."""
        return _listed(self.others.get("resource_templates"), "uriTemplate")

    @property
    def completions(self) -> list[Any]:
        """The arguments of prompts and templates that the service completes, as its lock file has them."""
        return list(self.others.get("completions") or ())

    @property
    def instructions(self) -> str | None:
        """What the service tells agents about itself."""
        return self.others.get("instructions") or None

    def resource_owners(self) -> Iterator[str]:
        """Yield what the addresses of the service's resources begin with, by which calls find the service: the scheme,
        such as `notes://`, or scheme and host for a scheme that services share. Each comes once."""
        addresses = [entry["uri"] for entry in self.resources]
        addresses += [entry["uriTemplate"] for entry in self.resource_templates]
        yield from dict.fromkeys(map(owner, addresses))


def owner(address: str) -> str:
    """Return what the address of a resource begins with, in lower case: `notes://`, or `ui://template`."""
    scheme, separator, rest = address.partition(":")
    scheme = scheme.lower()
    if scheme in SHARED_SCHEMES and separator:
        host = urlsplit(f"//{rest.removeprefix('//').partition('{')[0]}").netloc
        return f"{scheme}://{host.lower()}"
    return f"{scheme}://"


def offers_of(spec: ServiceSpec, names: Mapping[str, str] | None = None) -> Offers:
    """Return what a service with the stack's values offers; `names` as for Offers.

    Raises ConfigurationError for a lock file that cannot be used.
    """
    hidden = hidden_tools(spec.tools, spec.environment)
    offered = [name for name in spec.tools if name not in hidden]
    lock = load_lock(spec.folder)
    is_what_runs = lock is not None and lock.sha256 == spec.contract_sha256
    described = lock.tools if lock and is_what_runs else {}
    ordered = [name for name in described if name in offered] if described else offered
    if spec.source:
        described = {name: _as_reviewed(described[name], spec.tools[name]) for name in ordered if name in described}
    return Offers(
        service=spec.name,
        title=spec.title,
        known=is_what_runs,
        tools={name: described.get(name, {}) for name in ordered},
        reading=frozenset(name for name in offered if spec.tools[name]),
        others=lock.others if lock and is_what_runs else {},
        names=names or {},
    )


def _as_reviewed(tool: Mapping[str, Any], reads: bool) -> Mapping[str, Any]:
    """Return a tool of a program of others as the bridge offers it, with the hint that the review decided."""
    return {**tool, "annotations": {**(tool.get("annotations") or {}), "readOnlyHint": reads}}


def _listed(entries: Any, key: str) -> list[dict[str, Any]]:
    if not isinstance(entries, Mapping):
        return []
    return [
        {key: name, **{part: value for part, value in entry.items() if part != "sha256"}}
        for name, entry in entries.items()
    ]
