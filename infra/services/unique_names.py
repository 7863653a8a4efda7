"""Checks that no two services of a stack offer a tool, a prompt or resources of the same name.

The hub offers everything at one address and passes a call on by its name alone, without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from infra.schema.corrections import yaml_lines
from infra.schema.messages import listed
from infra.schema.problems import Problem
from infra.services.catalog import SPEC_FILE, ServiceSpec
from infra.services.contract import LOCK_FILE
from infra.services.offers import Offers

#: The longest name at the hub that client programs can call, with `mcp__dyber__` in front of it.
LONGEST_NAME = 52
#: So many tools of the same names are better renamed at once.
_MANY = 3
#: The message about names of a single service.
_SAME_SERVICE = "names_differ_in_case"


@dataclass(frozen=True)
class _Clash:
    """The names that `service` offers although `other`, which comes before it, offers them too: pairs of both."""

    service: str
    other: str
    names: tuple[tuple[str, str], ...]


def name_problems(
    file: str, specs: Collection[ServiceSpec], offers: Collection[Offers], namespace: str
) -> list[Problem]:
    """Return a problem for each pair of the services `specs` that offer something of the same name, for tools, prompts
    and resources apart; `offers` are theirs, and `file` is the stack's file, whose keys begin
    with `namespace`."""
    sources = {spec.name for spec in specs if spec.source}
    by_service = {item.service: item for item in offers}
    tools = _clashes((item.service, map(item.name_at_the_hub, item.tools)) for item in offers)
    prompts = _clashes((item.service, [entry["name"] for entry in item.prompts]) for item in offers)
    owners = _clashes((item.service, item.resource_owners()) for item in offers)
    return [
        *(_tool_problem(file, clash, sources, by_service, namespace) for clash in tools),
        *(_problem("prompt_names_twice", file, clash) for clash in prompts),
        *(_problem("resource_owners_twice", file, clash) for clash in owners),
    ]


def _clashes(named: Iterable[tuple[str, Iterable[str]]]) -> list[_Clash]:
    """Return the names that come twice, by the pair of their services."""
    first: dict[str, tuple[str, str]] = {}
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for service, names in named:
        for name in names:
            other, earlier = first.setdefault(name.lower(), (service, name))
            if (other, earlier) != (service, name):
                pairs.setdefault((service, other), []).append((name, earlier))
    return [_Clash(*pair, tuple(names)) for pair, names in pairs.items()]


def _tool_problem(
    file: str, clash: _Clash, sources: Collection[str], offers: Mapping[str, Offers], namespace: str
) -> Problem:
    """Return the problem of tools that two services have, with other names for those of one service: of a program of
    others, whose names say less of what they belong to, if it has them, and of the service that was given them."""
    if clash.service == clash.other:
        return _problem(_SAME_SERVICE, file, clash)
    owners = ((clash.service, {name for name, _ in clash.names}), (clash.other, {name for _, name in clash.names}))
    chosen = [owner for owner, names in owners if names & set(offers[owner].names.values())]
    foreign = [owner for owner, _ in owners if owner in sources]
    renamed = next(iter((*chosen, *foreign)), clash.service)
    taken = {name if renamed == clash.service else earlier for name, earlier in clash.names}
    tools = [tool for tool in offers[renamed].tools if offers[renamed].name_at_the_hub(tool) in taken]
    parameters = {**_parameters(file, clash), "spec": f"mcp-servers/{renamed}/{SPEC_FILE}"}
    if len(tools) >= _MANY and (prefix := _usable_prefix(offers[renamed])):
        path = ("services", renamed, "toolPrefix")
        stack = file.removeprefix("Pulumi.").removesuffix(".yaml")
        command = f"./deploy.sh config set {'.'.join(path)} {prefix} -s {stack}"
        lines = tuple(yaml_lines(path, prefix, prefix=f"{namespace}:"))
        return Problem(
            "many_tool_names_twice", file, path, parameters={**parameters, "command": command}, instead=lines
        )
    path = ("services", renamed, "tools")
    entries = [
        line for tool in tools for line in yaml_lines((*path, tool, "name"), _free_name(offers[renamed], tool))[-2:]
    ]
    first = yaml_lines((*path, ""), None, prefix=f"{namespace}:")[:-1]
    return Problem("tool_names_twice", file, path, parameters=parameters, instead=(*first, *entries))


def with_prefix(prefix: str, tool: str) -> str:
    """Return the name at the hub of a tool whose service has a prefix there, of the signs that all clients take."""
    return prefix + re.sub(r"[^A-Za-z0-9_-]", "_", tool)


def _usable_prefix(offers: Offers) -> str | None:
    """Return a prefix for all tools of a service; None if they have other names already, or would be too long."""
    prefix = f"{offers.service.replace('-', '_')}_"
    too_long = any(len(with_prefix(prefix, tool)) > LONGEST_NAME for tool in offers.tools)
    return None if offers.names or too_long else prefix


def _free_name(offers: Offers, tool: str) -> str:
    """Return a name for a tool at the hub that begins with its service."""
    service = offers.service
    if tool in offers.names and tool.replace("-", "_").startswith(service.replace("-", "_")):
        return tool
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{service}_{tool}".replace("-", "_"))[:LONGEST_NAME]


def _problem(message: str, file: str, clash: _Clash) -> Problem:
    message = _SAME_SERVICE if clash.service == clash.other else message
    return Problem(message, file, ("services",), parameters=_parameters(file, clash))


def _parameters(file: str, clash: _Clash) -> Mapping[str, str]:
    folders = dict.fromkeys(f"mcp-servers/{service}/{LOCK_FILE}" for service in (clash.other, clash.service))
    return {
        "stack_file": file,
        "service": clash.service,
        "other": clash.other,
        "names": listed(name if name == earlier else f"{name} = {earlier}" for name, earlier in clash.names),
        "files": listed(folders),
    }
