"""What a stack's file says of the clients: which services and tools each may call, and where its token stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from infra.schema.messages import listed
from infra.schema.problems import Problem, UnusableValue
from infra.schema.strict_settings import StrictSettings
from infra.services.catalog import ServiceSpec
from messages import mark

ClientName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
#: Everything, the tools that only read, or the tools named.
Scope = Literal["all", "read"] | Annotated[tuple[ToolName, ...], Field(min_length=1)]


class ClientSettings(StrictSettings):
    """One client. `services` unset: every service, also those to come."""

    services: dict[str, Scope] | None = Field(
        None,
        min_length=1,
        description=mark("By service: all, read (tools that only read), or a list of tools; unset: every service"),
    )

    def unknown_scopes(self, file: str, client: str, catalog: Mapping[str, ServiceSpec]) -> list[Problem]:
        """Return a problem for each service and tool that there is not; `file` says this of `client`."""
        found = []
        for service, scope in (self.services or {}).items():
            path = ("clients", client, "services", service)
            if service not in catalog:
                found.append(Problem("no_such_service", file, path, parameters={"known": listed(catalog)}))
                continue
            tools = catalog[service].tools
            if scope == "all":
                continue
            if not tools:
                found.append(Problem("tools_unknown", file, path))
            elif scope != "read":
                found += [
                    Problem("no_such_tool", file, path, parameters={"tool": tool, "known": ", ".join(tools)})
                    for tool in scope
                    if tool not in tools
                ]
        return found


#: What a stack's file can say of its clients: also a plain list of those that may call everything.
ClientsInFile = (
    Annotated[dict[ClientName, ClientSettings], Field(min_length=1)] | Annotated[list[ClientName], Field(min_length=1)]
)


class TokenSettings(StrictSettings):
    """Where the rotation of a client's token stands; written by `dyber token rotate` and `dyber token revoke`."""

    generation: int = Field(
        1, ge=1, le=100_000, description=mark("The number of the client's current token, counted from 1")
    )
    previous: bool = Field(False, description=mark("Whether the token before it is still accepted"))

    @model_validator(mode="after")
    def _there_is_a_previous_one(self) -> TokenSettings:
        if self.previous and self.generation == 1:
            raise UnusableValue("token_without_previous")
        return self

    @property
    def accepted(self) -> tuple[int, ...]:
        """The generations whose tokens are accepted, the newest first."""
        return (self.generation, self.generation - 1) if self.previous else (self.generation,)


def as_mapping(value: Any) -> Any:
    """A plain list of client names is a mapping of clients that may call everything. Raises UnusableValue for a name
    that is there twice."""
    if not isinstance(value, list | tuple):
        return value
    doubled = sorted({str(name) for name in value if value.count(name) > 1})
    if doubled:
        raise UnusableValue("client_twice", names=", ".join(doubled))
    return {name: {} for name in value}
