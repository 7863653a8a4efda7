"""The only reader of Pulumi configuration: a typed, validated model of one stack's settings.

Keys in `Pulumi.<stack>.yaml` are camelCase under the namespace `dyber:`; unknown keys are errors.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from stack.catalog import ServiceSpec
from stack.errors import ConfigurationError, explain

NAMESPACE = "dyber"
ClientName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
#: An image without a tag that could move: `name@sha256:…`, or the id of an image on this engine.
ImageDigest = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._/:-]*@)?sha256:[0-9a-f]{64}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class GatewaySettings(_Settings):
    """Where the gateway listens on the host."""

    bind: str = Field("127.0.0.1", description="Address the gateway's ports are published on.")
    port_offset: int = Field(
        0, ge=0, le=50000, description="Added to every published port, so that stacks run side by side."
    )
    server_names: tuple[str, ...] = Field((), description="Host names and addresses accepted besides localhost.")
    allowed_origins: tuple[str, ...] = Field((), description="Web origins whose pages may call.")
    max_body_mib: int = Field(16, ge=1, le=64, description="Largest request body.")
    memory_mib: int = Field(256, ge=64, le=8192)

    @field_validator("bind")
    @classmethod
    def _bind_is_an_address(cls, value: str) -> str:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            raise ValueError("must be an IP address such as 127.0.0.1 or 0.0.0.0") from None

    def public(self, port: int) -> int:
        """The host port under which the gateway's own `port` is published."""
        return port + self.port_offset


class ServiceSettings(_Settings):
    """What a stack says of one service; what it leaves out is as in the service's service.yaml."""

    enabled: bool | None = Field(None, description="Runs or not, whatever its profile; unset: as its profile says.")
    cpus: float | None = Field(None, gt=0, le=64)
    memory_mib: int | None = Field(None, ge=64, le=65536)
    environment: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], str] = Field(default_factory=dict)
    image: ImageDigest | None = None


class BuildSettings(_Settings):
    """How images are built where they are built."""

    base_image: str = Field("dyber-base:{suite}", description="{suite} becomes trixie or forky.")
    pip_index_url: str | None = Field(None, description="Python package index used inside builds.")
    apt_options: str = Field("", description="Extra options for apt-get inside builds.")
    ca_bundle: str | None = Field(None, description="PEM file trusted inside builds, for networks with a TLS proxy.")

    @field_validator("base_image")
    @classmethod
    def _base_image_names_the_suite(cls, value: str) -> str:
        if "{suite}" not in value:
            raise ValueError("must contain {suite}, such as dyber-base:{suite} or debian:{suite}-slim")
        return value

    def base(self, suite: str) -> str:
        """The base image for a Debian suite."""
        return self.base_image.replace("{suite}", suite)


class StackSettings(_Settings):
    """All settings of one stack."""

    stack: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    profiles: tuple[str, ...] = Field((), description="Services with one of these profiles run too.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    data_retention: Literal["delete", "keep"] = Field("delete", description="keep: data volumes outlive `destroy`.")
    clients: tuple[ClientName, ...] = Field(("desktop-pet",), min_length=1, description="Each gets a token.")
    gateway: GatewaySettings = GatewaySettings()
    services: dict[str, ServiceSettings] = Field(default_factory=dict)
    images: Literal["build", "pinned"] = Field(
        "build", description="pinned: only images given by digest under services.<name>.image and gatewayImage."
    )
    gateway_image: ImageDigest | None = None
    build: BuildSettings = BuildSettings()

    @field_validator("clients")
    @classmethod
    def _clients_are_distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        doubled = sorted({name for name in value if value.count(name) > 1})
        if doubled:
            raise ValueError(f"each client once; doubled: {', '.join(doubled)}")
        return value

    def select(self, catalog: Mapping[str, ServiceSpec]) -> list[ServiceSpec]:
        """The services this stack runs, with the stack's own values, in order of their ports.

        Raises ConfigurationError when the stack names a service, or a profile, that no folder provides.
        """
        source = stack_file(self.stack)
        problems = [
            f"{source}: services.{name}: 没有这个服务 / no such service; 可用 / known: {', '.join(catalog) or '-'}"
            for name in self.services
            if name not in catalog
        ]
        known_profiles = sorted({spec.profile for spec in catalog.values() if spec.profile})
        problems += [
            f"{source}: profiles: {profile!r}: 没有这个配置档 / no service has this profile; "
            f"可用 / known: {', '.join(known_profiles) or '-'}"
            for profile in self.profiles
            if profile not in known_profiles
        ]
        selected = []
        for name, spec in catalog.items():
            own = self.services.get(name)
            enabled = own.enabled if own else None
            if enabled is None:
                enabled = spec.profile is None or spec.profile in self.profiles
            if not enabled:
                continue
            if self.images == "pinned" and not (own and own.image):
                problems.append(
                    f"{source}: services.{name}.image: images 为 pinned 时必须给出摘要 / needed while images is "
                    f"pinned, such as sha256:<64 hex digits>"
                )
            selected.append(self._with_own_values(spec, own))
        if self.images == "pinned" and not self.gateway_image:
            problems.append(f"{source}: gatewayImage: images 为 pinned 时必须给出摘要 / needed while images is pinned")
        if not selected:
            problems.append(f"{source}: 没有启用任何服务 / no service is enabled")
        if problems:
            raise ConfigurationError("\n".join(problems))
        return selected

    def _with_own_values(self, spec: ServiceSpec, own: ServiceSettings | None) -> ServiceSpec:
        if own is None:
            return spec
        changes: dict[str, Any] = {"environment": {**spec.environment, **own.environment}}
        if own.cpus is not None:
            changes["cpus"] = own.cpus
        if own.memory_mib is not None:
            changes["memory_mib"] = own.memory_mib
        return spec.model_copy(update=changes)


def stack_file(stack: str) -> str:
    """Name of a stack's configuration file."""
    return f"Pulumi.{stack}.yaml"


def parse_settings(stack: str, values: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> StackSettings:
    """Settings from Pulumi's configuration `values` (fully qualified key to text; objects are JSON text).

    `environment` completes what the stack file leaves out with what set-up found out about this machine
    (DYBER_PIP_INDEX_URL, DYBER_CA_BUNDLE). Raises ConfigurationError naming file, key and value.
    """
    content: dict[str, Any] = {}
    for key, text in values.items():
        namespace, _, name = key.partition(":")
        if namespace == NAMESPACE:
            content[name] = _decode(text)
    build = content.get("build", {})
    if isinstance(build, dict):
        found = {"pipIndexUrl": environment.get("DYBER_PIP_INDEX_URL"), "caBundle": environment.get("DYBER_CA_BUNDLE")}
        content["build"] = {**{key: value for key, value in found.items() if value}, **build}
    try:
        return StackSettings(stack=stack, **content)
    except ValidationError as error:
        known = [to_camel(field) for field in StackSettings.model_fields if field != "stack"]
        raise ConfigurationError(explain(error, stack_file(stack), known)) from error
    except TypeError as error:
        raise ConfigurationError(
            f"{stack_file(stack)}: dyber:stack: 由 Pulumi 的栈名决定，请删除 / given by the stack's name, remove it"
        ) from error


def load_settings() -> StackSettings:
    """Settings of the stack that is running this program. Raises ConfigurationError."""
    import pulumi
    from pulumi.runtime.config import CONFIG

    return parse_settings(pulumi.get_stack(), CONFIG.get())


def _decode(text: str) -> Any:
    """Pulumi hands scalars over as text and objects as JSON text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
