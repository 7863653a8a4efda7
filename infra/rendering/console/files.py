"""Renders the files that tell the console what a deployment put in place; the console's reader says what they contain
(console/dyber_console/intake/files.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.rendering.addresses import gateway_urls, hub_urls, service_urls
from infra.rendering.clients import entries, formats
from infra.services.catalog import ServiceSpec
from infra.services.contract import LOCK_FILE, load_lock
from infra.services.scan import Finding
from infra.services.scan.codes import CODES
from infra.services.scan.review import open_in
from infra.settings.stack import StackSettings
from infra.version import VERSION
from messages import in_language

_LANGUAGES = ("en", "zh")
#: What Pydantic writes for a secret.
_HIDDEN = "**********"
#: What stands for the time of the deployment until the files are stored (store-console-files).
NOW = "@NOW@"


def console_files(settings: StackSettings, specs: Sequence[ServiceSpec], images: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each file by its path; no secret is in them.

    `specs` are the services that run, with the stack's values. `images` are the ids of their images, by service.
    Raises ConfigurationError for a lock file that cannot be used.
    """
    addresses = list(dict.fromkeys(gateway_urls(settings.gateway).values()))
    document = {
        "stack": settings.stack,
        "version": VERSION,
        "deployed_at": NOW,
        "addresses": addresses,
        "console": f"{addresses[0].rstrip('/')}/console/",
        "images": "pinned" if any(entry.image for entry in settings.services.values()) else "built",
        "contracts": settings.contracts,
        "policy": "mandatory" if settings.has_mandatory_rules else "advisory",
        "settings": _comparable(settings),
        "services": {spec.name: _service(settings, spec, images[spec.name]) for spec in specs},
        "clients": {name: _client(settings, specs, name) for name in sorted(settings.clients)},
        "profiles": list(settings.profiles),
    }
    files = {"deployment.json": json.dumps(document, ensure_ascii=False, indent=1) + "\n"}
    by_name = {spec.name: spec for spec in specs}
    for spec in specs:
        lock = load_lock(spec.folder)
        # The lock file of the checkout may be newer than the contract that was promoted into the stack.
        if lock is not None and lock.sha256 == spec.contract_sha256:
            files[f"contracts/{spec.name}.json"] = (spec.folder / LOCK_FILE).read_text(encoding="utf-8")
            found = [_finding(each) for each in open_in(spec, lock, by_name)]
            files[f"contracts/{spec.name}.findings.json"] = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    return files


def _finding(finding: Finding) -> dict[str, Any]:
    """Return a finding with its texts in all languages, as the console's page may be in any."""
    code = CODES[finding.code]
    return {
        "code": finding.code,
        "level": finding.level.name.lower(),
        "tool": finding.tool,
        "path": list(finding.path),
        "excerpt": finding.excerpt,
        "title": {name: in_language(name, code.title) for name in _LANGUAGES},
        "explanation": {name: in_language(name, code.explanation) for name in _LANGUAGES},
    }


def _comparable(settings: StackSettings) -> dict[str, str]:
    """Return the settings that the stack has unlike the defaults, as text by path; without secrets and digests."""
    content = settings.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, include={"gateway", "contracts", "policy", "data_retention"}
    )
    services = {
        name: entry.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"environment", "secrets", "image", "contract"}
        )
        for name, entry in settings.services.items()
    }
    return dict(sorted(_leaves({**content, "services": services})))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        yield path, ", ".join(map(str, value))
    elif value is not None and value != _HIDDEN:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)


def _service(settings: StackSettings, spec: ServiceSpec, image: str) -> dict[str, Any]:
    return {
        "title": spec.title,
        "description": spec.description,
        "contract": spec.contract_sha256 or "",
        "digest": image.rpartition("@")[2],
        "memory_mib": spec.memory_mib,
        "cpus": spec.cpus,
        "max_call_seconds": spec.max_call_seconds,
        "requests_per_second": settings.requests_per_second(spec.name),
        "burst": settings.gateway.limits.burst,
        "is_foreign": spec.source is not None,
        "secrets": sorted(spec.secrets),
        "missing_secrets": list(settings.missing_secrets([spec]).get(spec.name, ())),
    }


def _client(settings: StackSettings, specs: Sequence[ServiceSpec], name: str) -> dict[str, Any]:
    token, scopes = settings.token(name), settings.clients[name].services
    reached = _reached(settings, [spec for spec in specs if scopes is None or spec.name in scopes])
    return {
        "services": None if scopes is None else dict(scopes),
        "generation": token.generation,
        "old_token_works": token.previous,
        "snippets": {
            program: {
                "title": title,
                "file": {language: in_language(language, formats.FILES[program]) for language in _LANGUAGES},
                "text": formats.render(program, reached, None),
            }
            for program, title in formats.TITLES.items()
            if reached
        },
    }


def _reached(settings: StackSettings, specs: Sequence[ServiceSpec]) -> dict[str, dict[str, Any]]:
    """Return the servers that a client of the services `specs` writes into its configuration: the hub, or each of them
    in a stack without."""
    urls = gateway_urls(settings.gateway)
    services = {
        spec.name: {
            "title": spec.title,
            **service_urls(urls["url"], spec, settings.gateway),
            "max_call_seconds": spec.max_call_seconds,
        }
        for spec in specs
    }
    if settings.hub.enabled and services:
        return entries.hub_entry(hub_urls(urls, {}, search=False), services)
    return services
