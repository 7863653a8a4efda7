"""Decides what the hub of a stack offers, and renders it as the catalogue that the hub reads at its start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.rendering.hub import groups, names
from infra.rendering.hub.groups import Group
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec
from infra.services.offers import Offers, offers_of
from infra.services.unique_names import name_problems
from infra.settings.names import NAMESPACE, stack_file
from infra.settings.selection import with_stack_values
from infra.settings.stack import StackSettings


@dataclass(frozen=True)
class HubContent:
    """What the hub offers: by service what the service offers, in the order of their names, and the groups."""

    offers: Mapping[str, Offers]
    groups: tuple[Group, ...]


def hub_content(
    settings: StackSettings, specs: Sequence[ServiceSpec], all_services: Mapping[str, ServiceSpec]
) -> HubContent | None:
    """Return what the hub of the stack offers; None if the stack has no hub.

    `specs` are the services that run, with the stack's values, `all_services` all of the repository. Raises
    ConfigurationError for names that come twice, and for groups that cannot be used.
    """
    if not settings.hub.enabled:
        return None
    file = stack_file(settings.stack)
    known = with_stack_values(settings, all_services)
    renamed = {
        name: service.names_at_the_hub(known[name].tools if name in known else ())
        for name, service in settings.services.items()
    }
    # Lists have this order, whatever the ports are.
    offers = {spec.name: offers_of(spec, renamed.get(spec.name)) for spec in sorted(specs, key=lambda spec: spec.name)}
    problems = [
        *name_problems(file, specs, [offers[spec.name] for spec in specs], NAMESPACE),
        *names.problems(file, settings.services, known),
    ]
    for name, group in settings.groups.items():
        problems += groups.problems(file, name, group, offers, known, renamed)
    if problems:
        raise ConfigurationError(*problems)
    resolved = tuple(groups.resolve(name, group, offers) for name, group in settings.groups.items())
    return HubContent(offers, resolved)


def catalogue(content: HubContent, specs: Sequence[ServiceSpec], *, search: bool) -> str:
    """Return the text of hub.json; `specs` are the services that run, `search` says whether there is /search/mcp."""
    document = {
        "services": [_service(spec, content.offers[spec.name]) for spec in sorted(specs, key=lambda spec: spec.name)],
        "groups": [_group(group) for group in content.groups],
        "search": search,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _service(spec: ServiceSpec, offers: Offers) -> dict[str, Any]:
    return {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "instructions": offers.instructions,
        "max_call_seconds": spec.max_call_seconds,
        "tools": [{"name": name, **tool} for name, tool in offers.tools.items()] if offers.known else None,
        # Left out where there are none, as another text would replace the hub's containers for nothing.
        **({"names": dict(offers.names)} if offers.names else {}),
        "prompts": offers.prompts,
        "resources": offers.resources,
        "resource_templates": offers.resource_templates,
        "completions": offers.completions,
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "title": group.title,
        "instructions": group.instructions or group.description or None,
        "services": list(group.services),
        "tools": [
            {
                "exposed": tool.exposed,
                "service": tool.service,
                "tool": tool.tool,
                "title": tool.title,
                "description": tool.description,
                "annotations": dict(tool.annotations),
            }
            for tool in group.tools
        ],
    }
