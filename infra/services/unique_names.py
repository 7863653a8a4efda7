"""Checks that no two services of a stack offer a tool, a prompt or resources of the same name.

The hub offers everything at one address and passes a call on by its name alone, without regard to case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from infra.schema.corrections import yaml_lines
from infra.schema.problems import Problem
from infra.services.catalog import SPEC_FILE, ServiceSpec
from infra.services.offers import Offers, offers_of


def name_problems(file: str, specs: Collection[ServiceSpec]) -> list[Problem]:
    """Return a problem for each name that two of the services `specs` offer; `file` is the stack's file.

    Raises ConfigurationError for a lock file that cannot be used.
    """
    offers = [offers_of(spec) for spec in specs]
    sources = {spec.name for spec in specs if spec.source}
    return [
        *(_tool_problem(file, *clash, sources) for clash in _clashes((item, item.tools) for item in offers)),
        *(
            _problem("prompt_name_twice", file, *clash)
            for clash in _clashes((item, [entry["name"] for entry in item.prompts]) for item in offers)
        ),
        *(
            _problem("resource_owner_twice", file, *clash)
            for clash in _clashes((item, item.resource_owners()) for item in offers)
        ),
    ]


def _clashes(named: Iterable[tuple[Offers, Iterable[str]]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, its service, the earlier service, the name there) for each name that comes twice."""
    first: dict[str, tuple[str, str]] = {}
    for offers, names in named:
        for name in names:
            earlier = first.setdefault(name.lower(), (offers.service, name))
            if earlier != (offers.service, name):
                yield name, offers.service, *earlier


def _tool_problem(file: str, name: str, service: str, other: str, other_name: str, sources: Collection[str]) -> Problem:
    """Return the problem of a tool that two services have; a tool of a program of others can be switched off."""
    foreign = next((owner for owner in (service, other) if owner in sources), None)
    if foreign is None:
        return _problem("tool_name_twice", file, name, service, other, other_name)
    tool = name if foreign == service else other_name
    path = ("source", "tools", tool)
    return Problem(
        "foreign_tool_name_twice",
        f"mcp-servers/{foreign}/{SPEC_FILE}",
        path,
        parameters=_parameters(file, name, service, other, other_name),
        instead=tuple(yaml_lines(path, "off")),
    )


def _problem(message: str, file: str, name: str, service: str, other: str, other_name: str) -> Problem:
    return Problem(message, file, ("services",), parameters=_parameters(file, name, service, other, other_name))


def _parameters(file: str, name: str, service: str, other: str, other_name: str) -> Mapping[str, str]:
    return {"stack_file": file, "name": name, "service": service, "other": other, "other_name": other_name}
