"""Renders the files that tell the console what a deployment put in place; the console's reader says what they contain
(console/dyber_console/intake/files.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infra.services.catalog import ServiceSpec
from infra.services.contract import LOCK_FILE, load_lock
from infra.settings.stack import StackSettings
from infra.version import VERSION

#: What stands for the time of the deployment until the files are stored (store-console-files).
NOW = "@NOW@"


def console_files(
    settings: StackSettings, specs: Sequence[ServiceSpec], images: Mapping[str, str], addresses: Sequence[str]
) -> dict[str, str]:
    """Return the text of each file by its path; no secret is in them.

    `specs` are the services that run, with the stack's values. `images` are the ids of their images, by service.
    `addresses` are the base URLs of the gateway, the one for clients first. Raises ConfigurationError for a lock file
    that cannot be used.
    """
    document = {
        "stack": settings.stack,
        "version": VERSION,
        "deployed_at": NOW,
        "addresses": list(addresses),
        "services": {spec.name: _service(settings, spec, images[spec.name]) for spec in specs},
        "clients": {name: _client(settings, name) for name in sorted(settings.clients)},
        "profiles": list(settings.profiles),
    }
    files = {"deployment.json": json.dumps(document, ensure_ascii=False, indent=1) + "\n"}
    for spec in specs:
        lock = load_lock(spec.folder)
        # The lock file of the checkout may be newer than the contract that was promoted into the stack.
        if lock is not None and lock.sha256 == spec.contract_sha256:
            files[f"contracts/{spec.name}.json"] = (spec.folder / LOCK_FILE).read_text(encoding="utf-8")
    return files


def _service(settings: StackSettings, spec: ServiceSpec, image: str) -> dict[str, Any]:
    return {
        "title": spec.title,
        "digest": image.rpartition("@")[2],
        "memory_mib": spec.memory_mib,
        "cpus": spec.cpus,
        "max_call_seconds": spec.max_call_seconds,
        "requests_per_second": settings.requests_per_second(spec.name),
        "burst": settings.gateway.limits.burst,
        "is_foreign": spec.source is not None,
        "secrets": sorted(spec.secrets),
    }


def _client(settings: StackSettings, name: str) -> dict[str, Any]:
    token, scopes = settings.token(name), settings.clients[name].services
    return {
        "services": None if scopes is None else dict(scopes),
        "generation": token.generation,
        "old_token_works": token.previous,
    }
