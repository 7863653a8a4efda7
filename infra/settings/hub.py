"""Defines the settings of the hub, which offers the tools of all services at one address, and of its groups."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from infra.schema.forms import Form
from infra.schema.problems import UnusableValue
from infra.schema.strict_settings import StrictSettings
from infra.settings.clients import Scope, ToolName
from messages import mark


def _not_search(name: str) -> str:
    if name == "search":
        raise UnusableValue("group_called_search")
    return name


GroupName = Annotated[str, Form(r"^[a-z0-9][a-z0-9_-]{0,31}$", "group_form"), AfterValidator(_not_search)]
#: The form of a tool's name that every client program takes.
ExposedName = Annotated[str, Form(r"^[A-Za-z0-9_-]{1,64}$", "exposed_form")]
ServiceName = Annotated[str, Form(r"^[a-z][a-z0-9-]{0,30}$", "service_form")]
#: The longest instructions and descriptions that client programs show to a model uncut.
LONGEST_TEXT = 2048
#: The form of `services` of a group in a stack's file: by service what of it, or a list of services.
ServicesInFile = (
    Annotated[dict[ServiceName, Scope], Field(min_length=1)] | Annotated[list[ServiceName], Field(min_length=1)]
)


class HubSettings(StrictSettings):
    """The settings of the hub."""

    enabled: bool = Field(
        True, description=mark("Whether the stack has the hub, which offers all tools at the address /mcp")
    )
    replicas: int = Field(1, ge=1, le=8, description=mark("How many containers share the hub's calls"))
    search: bool = Field(
        False,
        description=mark(
            "Whether there is the address /search/mcp, where a client finds tools by a search instead of a long list"
        ),
    )
    memory_mib: int = Field(160, ge=96, le=8192, description=mark("Memory of each replica of the hub, in MiB"))


class ToolHints(StrictSettings):
    """The hints of a tool that a group replaces; None keeps the hint of the service."""

    read_only_hint: bool | None = Field(
        None, description=mark("Whether the tool only reads; true only where the service says so too")
    )
    destructive_hint: bool | None = Field(
        None,
        description=mark("Whether the tool may delete or overwrite; false only where the service says so too"),
    )
    idempotent_hint: bool | None = Field(None, description=mark("Whether the same call twice changes nothing more"))
    open_world_hint: bool | None = Field(None, description=mark("Whether the tool reaches anything outside"))

    @property
    def given(self) -> dict[str, bool]:
        """The hints that are replaced, by their names in MCP."""
        return dict(self.model_dump(by_alias=True, exclude_none=True))


class GroupToolSettings(StrictSettings):
    """What a group shows differently of a tool; None keeps what the service says."""

    name: ExposedName | None = Field(None, description=mark("The name under which the group offers the tool"))
    title: str | None = Field(None, min_length=1, max_length=200, description=mark("The tool's title in the group"))
    description: str | None = Field(
        None, min_length=1, max_length=LONGEST_TEXT, description=mark("The tool's description in the group")
    )
    annotations: ToolHints = Field(ToolHints(), description=mark("The tool's annotations in the group"))


class GroupSettings(StrictSettings):
    """A group: a choice of tools at an address of its own, `/groups/<name>/mcp`."""

    title: str = Field(min_length=1, max_length=60, description=mark("The group's title"))
    description: str = Field(
        "",
        max_length=200,
        description=mark("What the group is for, in a sentence; agents read it without instructions"),
    )
    instructions: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_TEXT,
        description=mark("What agents are told about the group; unset: its description, or else its services"),
    )
    services: dict[ServiceName, Scope] = Field(
        min_length=1,
        description=mark(
            "By service: all, read (tools that only read), or a list of tools; or only a list of services"
        ),
    )
    exclude: tuple[ToolName, ...] = Field((), description=mark("Tools that are left out, by their names"))
    tools: dict[ToolName, GroupToolSettings] = Field(
        default_factory=dict,
        description=mark("By tool, another name, title, description or annotations in this group"),
    )

    @field_validator("services", mode="before", json_schema_input_type=ServicesInFile)
    @classmethod
    def _services_may_be_a_list(cls, value: Any) -> Any:
        return whole_services(value)


def whole_services(value: Any) -> Any:
    """Return a plain list of services as a mapping that takes each whole; any other value unchanged.

    Raises UnusableValue for a service that is listed twice.
    """
    if not isinstance(value, list | tuple):
        return value
    doubled = sorted({str(name) for name in value if value.count(name) > 1})
    if doubled:
        raise UnusableValue("group_service_twice", names=", ".join(doubled))
    return dict.fromkeys(value, "all")
