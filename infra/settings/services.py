"""Defines the settings of each service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from infra.schema.strict_settings import StrictSettings
from infra.services.catalog import MAX_REPLICAS, ServiceSpec, VariableName
from infra.services.contract import ContractSettings
from infra.services.unique_names import with_prefix
from infra.settings.clients import ToolName
from infra.settings.gateway import RequestsPerSecond
from infra.settings.hub import ExposedName
from infra.settings.secrets import SecretValue
from messages import mark

#: An image by digest, which cannot move as a tag can: `name@sha256:…`, or the id of an image on this engine.
ImageDigest = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._/:-]*@)?sha256:[0-9a-f]{64}$")]


#: What names of tools can begin with at the hub.
ToolPrefix = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]


class ServiceToolSettings(StrictSettings):
    """What the hub shows differently of a tool at the address of all tools, and in groups that name it no other way."""

    name: ExposedName | None = Field(None, description=mark("The name under which the hub offers the tool"))


class ServiceSettings(StrictSettings):
    """The settings of a service in a stack. None means that the value of service.yaml is used."""

    enabled: bool | None = Field(
        None,
        description=mark("Whether the service runs, regardless of its profile; unset: the profile decides"),
    )
    cpus: float | None = Field(None, gt=0, le=64, description=mark("CPU cores of each replica"))
    memory_mib: int | None = Field(None, ge=64, le=65536, description=mark("Memory of each replica, in MiB"))
    replicas: int | None = Field(None, ge=1, le=MAX_REPLICAS, description=mark("How many containers share the calls"))
    max_call_seconds: int | None = Field(
        None, ge=1, le=3600, description=mark("How many seconds a call may take before it is ended")
    )
    requests_per_second: RequestsPerSecond | None = Field(
        None,
        description=mark("How many calls a second one client may make; unset: as in gateway.limits"),
    )
    egress: Literal["internet", "none"] | None = Field(
        None,
        description=mark(
            "Whether the service reaches the internet; unset: as its service.yaml says. A change interrupts its calls "
            "for a few seconds"
        ),
    )
    environment: dict[VariableName, str] = Field(
        default_factory=dict,
        description=mark("Environment variables in addition to those of service.yaml; not for secrets"),
    )
    secrets: dict[VariableName, SecretValue] = Field(
        default_factory=dict,
        description=mark("The secrets that service.yaml declares, encrypted by Pulumi"),
    )
    image: ImageDigest | None = Field(None, description=mark("The service's image by digest; written by promote"))
    tools: dict[ToolName, ServiceToolSettings] = Field(
        default_factory=dict,
        description=mark("By tool, another name at the hub, such as for a tool whose name another service has too"),
    )
    tool_prefix: ToolPrefix | None = Field(
        None,
        description=mark(
            "What the hub puts before the names of all its tools, such as maps_, if another service has tools of the same "
            "names; a name in tools takes precedence"
        ),
    )
    contract: ContractSettings | None = Field(
        None, description=mark("The tools' contract that was promoted with the image")
    )

    def names_at_the_hub(self, tools: Iterable[str] = ()) -> dict[str, str]:
        """Return the names at the hub of the tools that have another name there, by their names in the service.

        `tools` are all tools of the service, which get its prefix.
        """
        names = {tool: with_prefix(self.tool_prefix, tool) for tool in tools} if self.tool_prefix else {}
        names |= {tool: change.name for tool, change in self.tools.items() if change.name is not None}
        return {tool: name for tool, name in names.items() if name != tool}

    def applied_to(self, spec: ServiceSpec) -> ServiceSpec:
        """Return the content of service.yaml with the values that the stack overrides."""
        changes: dict[str, Any] = {"environment": {**spec.environment, **self.environment}}
        for key in ("cpus", "memory_mib", "replicas", "max_call_seconds"):
            if getattr(self, key) is not None:
                changes[key] = getattr(self, key)
        if self.egress is not None:
            changes["internet"] = self.egress == "internet"
        if self.contract is not None:
            kinds = self.contract.tools
            changes["tools"] = {tool: kind != "write" for tool, kind in kinds.items()}
            # Older stack files have no `read-once`, only `read`; then the lock file decides.
            changes["once_tools"] = tuple(
                tool
                for tool, kind in kinds.items()
                if kind == "read-once" or (kind == "read" and tool in spec.once_tools)
            )
            changes["contract_sha256"] = self.contract.sha256
        return spec.model_copy(update=changes)
