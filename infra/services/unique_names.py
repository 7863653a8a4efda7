"""Checks that no two services of a stack offer a tool, a prompt or resources of the same name.

The hub offers everything at one address and passes a call on by its name alone, without regard to case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from infra.schema.corrections import yaml_lines
from infra.schema.messages import listed
from infra.schema.problems import Problem
from infra.services.catalog import SPEC_FILE, ServiceSpec
from infra.services.contract import LOCK_FILE
from infra.services.offers import offers_of

#: The message about names of a single service.
_SAME_SERVICE = "names_differ_in_case"


@dataclass(frozen=True)
class _Clash:
    """The names that `service` offers although `other`, which comes before it, offers them too: pairs of both."""

    service: str
    other: str
    names: tuple[tuple[str, str], ...]


def name_problems(file: str, specs: Collection[ServiceSpec]) -> list[Problem]:
    """Return a problem for each pair of the services `specs` that offer something of the same name, for tools, prompts
    and resources apart; `file` is the stack's file.

    Raises ConfigurationError for a lock file that cannot be used.
    """
    offers = [offers_of(spec) for spec in specs]
    sources = {spec.name for spec in specs if spec.source}
    tools = _clashes((item.service, item.tools) for item in offers)
    prompts = _clashes((item.service, [entry["name"] for entry in item.prompts]) for item in offers)
    owners = _clashes((item.service, item.resource_owners()) for item in offers)
    return [
        *(_tool_problem(file, clash, sources) for clash in tools),
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


def _tool_problem(file: str, clash: _Clash, sources: Collection[str]) -> Problem:
    """Return the problem of tools that two services have; those of a program of others can be switched off."""
    foreign = next((owner for owner in (clash.service, clash.other) if owner in sources), None)
    if foreign is None:
        return _problem("tool_names_twice", file, clash)
    tools = {name if foreign == clash.service else earlier: "off" for name, earlier in clash.names}
    lines = [line for tool in tools for line in yaml_lines(("source", "tools", tool), "off")[-1:]]
    return Problem(
        _SAME_SERVICE if clash.service == clash.other else "foreign_tool_names_twice",
        f"mcp-servers/{foreign}/{SPEC_FILE}",
        ("source", "tools"),
        parameters=_parameters(file, clash),
        instead=("source:", "  tools:", *lines),
    )


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
