"""Reads `hub.json`: which services, tools and groups there are, as the deployment describes them to the hub.

The file has the services' reviewed contracts. What the services list while the hub runs replaces them; see
`dyber_hub.live`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from dyber_hub.texts import tr

#: Where the deployment puts the file in the container, and the environment variable that names another.
DEFAULT_HUB_FILE = "/etc/dyber-hub/hub.json"
HUB_FILE_SETTING = "DYBER_HUB_FILE"

#: A tool, prompt, resource, template or completion as clients get it in a list.
Item = dict[str, Any]

_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class Tool:
    """Represents a tool of a service.

    Attributes:
        name: Its canonical name: that in the service.
        entry: What clients get in a list; never changed.
        read_only: Whether the service declares that the tool only reads.
    """

    name: str
    entry: Item
    read_only: bool

    @classmethod
    def of(cls, entry: Item) -> Tool:
        """Return the tool that an entry of a list describes."""
        return cls(entry["name"], entry, (entry.get("annotations") or {}).get("readOnlyHint") is True)


@dataclass(frozen=True)
class Service:
    """Describes a service and what it offers.

    Attributes:
        name: Its name, as in addresses and scopes.
        title: Its name for people.
        description: What it is for, in a sentence.
        instructions: What agents should know before they use it; None for nothing.
        max_call_seconds: Seconds after which the service ends a call.
        tools: Its tools in the order of their list; None when they are not known.
        prompts: Its prompts.
        resources: Its resources.
        resource_templates: Its templates of resources.
        completions: Which arguments have suggestions: `type` (prompt or resource), `of` and `argument`.
        names: The names at the address of all tools of those that have another name there, by their canonical names.
    """

    name: str
    title: str
    description: str
    instructions: str | None
    max_call_seconds: float
    tools: tuple[Tool, ...] | None
    prompts: tuple[Item, ...] = ()
    resources: tuple[Item, ...] = ()
    resource_templates: tuple[Item, ...] = ()
    completions: tuple[Item, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def shown(self, tool: str) -> str:
        """Return the name of a tool at the address of all tools, which is unique there."""
        return self.names.get(tool, tool)


@dataclass(frozen=True)
class GroupTool:
    """Describes a tool of a group: the name under which the group shows it, and what it shows differently.

    Attributes:
        exposed: Its name in the group.
        service: Name of its service.
        tool: Its canonical name.
        title: Its title in the group; None for that of the service.
        description: Its description in the group; None for that of the service.
        annotations: Hints that the group shows differently.
    """

    exposed: str
    service: str
    tool: str
    title: str | None
    description: str | None
    annotations: Item


@dataclass(frozen=True)
class Group:
    """Describes a group: a selection of tools with an address of its own.

    Attributes:
        name: Its name, as in its address.
        title: Its name for people.
        instructions: What agents should know before they use it; None for nothing.
        services: Names of the services whose prompts, resources and suggestions belong to it.
        tools: Its tools.
    """

    name: str
    title: str
    instructions: str | None
    services: tuple[str, ...]
    tools: tuple[GroupTool, ...]


@dataclass(frozen=True)
class Catalogue:
    """Holds what the deployment says: the services by name in the order of their names, the groups, and search."""

    services: dict[str, Service]
    groups: dict[str, Group]
    search: bool


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_ServiceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
_ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]


class _WireOffer(BaseModel):
    """Describes an entry of a list by what the hub itself reads of it; clients get all of it."""

    model_config = ConfigDict(extra="allow", strict=True)


class _WireTool(_WireOffer):
    model_config = ConfigDict(extra="allow", strict=True, alias_generator=to_camel)

    name: _ToolName
    input_schema: dict[str, Any]
    annotations: dict[str, Any] | None = None


class _WirePrompt(_WireOffer):
    name: Annotated[str, Field(min_length=1)]


class _WireResource(_WireOffer):
    uri: Annotated[str, Field(min_length=1)]


class _WireTemplate(_WireOffer):
    model_config = ConfigDict(extra="allow", strict=True, alias_generator=to_camel)

    uri_template: Annotated[str, Field(min_length=1)]


class _WireCompletion(_Wire):
    type: Literal["prompt", "resource"]
    of: str
    argument: str


class _WireService(_Wire):
    name: _ServiceName
    title: str
    description: str
    instructions: str | None
    max_call_seconds: Annotated[float, Field(gt=0)]
    tools: list[_WireTool] | None
    names: dict[_ToolName, _ToolName] = Field(default_factory=dict)
    prompts: list[_WirePrompt] = Field(default_factory=list)
    resources: list[_WireResource] = Field(default_factory=list)
    resource_templates: list[_WireTemplate] = Field(default_factory=list)
    completions: list[_WireCompletion] = Field(default_factory=list)


class _WireGroupTool(_Wire):
    exposed: _ToolName
    service: _ServiceName
    tool: _ToolName
    title: str | None = None
    description: str | None = None
    annotations: dict[str, Any] = Field(default_factory=dict)


class _WireGroup(_Wire):
    name: _ServiceName
    title: str
    instructions: str | None = None
    services: list[_ServiceName]
    tools: list[_WireGroupTool]


class _WireCatalogue(_Wire):
    services: list[_WireService]
    groups: list[_WireGroup]
    search: bool


def read_catalogue(file: Path) -> Catalogue:
    """Return the catalogue in `hub.json`.

    Raises:
        ValueError: The file cannot be read, or something in it cannot be used; the message names the file, the place
            in it and the reason.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            tr("The file {file} cannot be read: {reason}", file=file, reason=type(error).__name__)
        ) from None
    try:
        return parse_catalogue(text)
    except ValueError as error:
        raise ValueError(tr("The file {file} is not usable: {problem}", file=file, problem=error)) from None


def parse_catalogue(text: str) -> Catalogue:
    """Return the catalogue in the text of `hub.json`.

    Raises:
        ValueError: The text is no catalogue; the message names the place and the reason.
    """
    try:
        raw = json.loads(text)
        wire = _WireCatalogue.model_validate(raw)
    except ValidationError as error:
        raise ValueError(_problems(error)) from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(tr("it is not JSON ({reason})", reason=error)) from None
    # The models check the file; what clients see is taken from the file itself, as it stands there.
    services = {read.name: _service(read, given) for read, given in zip(wire.services, raw["services"], strict=True)}
    _check_unique("services", [service.name for service in wire.services])
    _check_unique("groups", [group.name for group in wire.groups])
    _check_unique("tools", [service.shown(tool.name) for service in services.values() for tool in service.tools or ()])
    groups = {group.name: _group(group, services) for group in wire.groups}
    return Catalogue(dict(sorted(services.items())), dict(sorted(groups.items())), wire.search)


def _service(read: _WireService, given: Item) -> Service:
    return Service(
        name=read.name,
        title=read.title,
        description=read.description,
        instructions=read.instructions or None,
        max_call_seconds=read.max_call_seconds,
        tools=None if read.tools is None else tuple(Tool.of(entry) for entry in given["tools"]),
        prompts=tuple(given.get("prompts", ())),
        resources=tuple(given.get("resources", ())),
        resource_templates=tuple(given.get("resource_templates", ())),
        completions=tuple(given.get("completions", ())),
        names=read.names,
    )


def _group(read: _WireGroup, services: dict[str, Service]) -> Group:
    place = f"groups.{read.name}"
    _check_unique(f"{place}.tools", [tool.exposed for tool in read.tools])
    for name in (*read.services, *(tool.service for tool in read.tools)):
        if name not in services:
            raise ValueError(
                tr("{place} names the service {name}, which is not among the services", place=place, name=name)
            )
    return Group(
        name=read.name,
        title=read.title,
        instructions=read.instructions or None,
        services=tuple(sorted(set(read.services))),
        tools=tuple(GroupTool(**tool.model_dump()) for tool in read.tools),
    )


def _check_unique(place: str, names: Sequence[str]) -> None:
    """Raise ValueError when a name stands there twice, without regard to case."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise ValueError(tr("{place} has the name {name} twice", place=place, name=name))
        seen.add(name.casefold())


def _problems(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    texts = [f"{_place(entry['loc'])}: {entry['msg']}" for entry in found[:_MOST_PROBLEMS]]
    return "; ".join(texts)


def _place(parts: Sequence[int | str]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "$"
