"""Makes the hub's catalogue of the services in this repository, from their contracts and their `service.yaml`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from dyber_hub.catalogue import Catalogue, parse_catalogue

SERVERS = Path(__file__).resolve().parents[3] / "mcp-servers"


def real_services() -> list[dict[str, Any]]:
    """Return the services as hub.json has them, with all their tools."""
    services = []
    for lock in sorted(SERVERS.glob("*/tools.lock.json")):
        spec = yaml.safe_load((lock.parent / "service.yaml").read_text(encoding="utf-8"))
        tools = json.loads(lock.read_text(encoding="utf-8"))["tools"]
        services.append(
            {
                "name": lock.parent.name,
                "title": spec["title"],
                "description": spec["description"],
                "instructions": None,
                "max_call_seconds": spec["max_call_seconds"],
                "tools": [
                    {"name": name} | {key: value for key, value in tool.items() if key != "sha256"}
                    for name, tool in tools.items()
                ],
            }
        )
    return services


@cache
def real_catalogue() -> Catalogue:
    """Return the catalogue of the services in this repository."""
    return parse_catalogue(json.dumps({"services": real_services(), "groups": [], "search": True}))
