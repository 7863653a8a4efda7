"""Makes the bridge.json of a service with a source, which the kit's bridge in its image reads at its start."""

from __future__ import annotations

import json
from typing import Any

from infra.services.catalog import ServiceSpec
from infra.services.source import Source
from infra.services.source_locks import LockedProgram, load_program

#: Where a program that listens itself serves MCP unless the source says so, by transport.
DEFAULT_PATHS = {"streamable-http": "/mcp", "sse": "/sse"}


def bridge_text(spec: ServiceSpec) -> str:
    """Return the content of bridge.json. Raises ConfigurationError if the locks of the source cannot be used."""
    if spec.source is None:
        raise ValueError(f"{spec.name} has no source")
    content = bridge_content(spec, spec.source, load_program(spec.folder, spec.source))
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def bridge_content(spec: ServiceSpec, source: Source, program: LockedProgram) -> dict[str, Any]:
    """Return what the bridge is told: dyber_kit.bridge.settings.BridgeSettings describes it."""
    return {
        "service": spec.name,
        "title": spec.title,
        "version": _version(source),
        "transport": source.transport,
        "command": [*program.command, *source.resolved_arguments],
        "url": _address(source),
        "headers": source.headers,
        "private_network": source.private_network,
        "era": source.era,
        "child": source.child,
        "max_children": source.max_children,
        "startup_seconds": source.startup_seconds,
        "environment": source.environment,
        "passed": _passed(spec, source, program),
        "secrets": spec.secrets,
        "tools": source.tools,
        "max_in_flight": source.max_in_flight,
        # Only if there is any, so that images of before have the same name.
        **({"folder": program.folder} if program.folder else {}),
        **({"listens": source.port_variable} if source.port_variable else {}),
        **({"leave_out": source.leave_out} if source.leave_out else {}),
    }


def _version(source: Source) -> str:
    """Return the version that the service tells: the package's; the start of an image's digest; none of an address."""
    return source.version.removeprefix("sha256:")[:12] if source.kind == "oci" else source.version


def _address(source: Source) -> str | None:
    if source.transport == "stdio":
        return None
    return source.url or f"http://127.0.0.1:{source.listens}{source.path or DEFAULT_PATHS[source.transport]}"


def _passed(spec: ServiceSpec, source: Source, program: LockedProgram) -> list[str]:
    """Return the variables that the program gets under their own names: those that it does not get under another."""
    if source.kind == "url":
        return []
    return sorted(
        {*spec.declared_variables, *spec.secrets, *program.variables}
        - {*source.environment.values(), source.port_variable}
        # The bridge has values of its own for these: it listens itself, and its folder is another.
        - {"PATH", "HOME", "HOST", "PORT"}
    )
