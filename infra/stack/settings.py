"""The only reader of Pulumi configuration: a typed, validated model of one stack's settings.

Keys in `Pulumi.<stack>.yaml` are camelCase under the namespace `dyber:`; unknown keys are errors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from stack import env_file, secret_settings
from stack.catalog import ServiceSpec, VariableName, declared_secrets
from stack.client_settings import ClientName, ClientSettings, TokenSettings, as_mapping
from stack.contract import LOCK_FILE, ContractSettings
from stack.env_file import EnvFile
from stack.errors import ConfigurationError, explain
from stack.gateway_model import MAX_REPLICAS
from stack.gateway_settings import GatewaySettings
from stack.profile_settings import BUILT_IN_PROFILES, CACHE, MONITORING, CacheSettings, MonitoringSettings
from stack.schema import StrictSettings
from stack.secret_settings import SecretValue
from stack.subnets import parse_pool

NAMESPACE = "dyber"
#: An image without a tag that could move: `name@sha256:…`, or the id of an image on this engine.
ImageDigest = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._/:-]*@)?sha256:[0-9a-f]{64}$")]


class ServiceSettings(StrictSettings):
    """What a stack says of one service; what it leaves out is as in the service's service.yaml."""

    enabled: bool | None = Field(None, description="Runs or not, whatever its profile; unset: as its profile says.")
    cpus: float | None = Field(None, gt=0, le=64)
    memory_mib: int | None = Field(None, ge=64, le=65536)
    replicas: int | None = Field(None, ge=1, le=MAX_REPLICAS, description="Containers that share the calls.")
    max_call_seconds: int | None = Field(None, ge=1, le=3600, description="A call that takes longer is ended.")
    requests_per_second: int | None = Field(None, ge=1, le=100_000, description="Per client; unset: gateway.limits.")
    egress: Literal["internet", "none"] | None = Field(
        None,
        description="能否上网；不写则按 service.yaml。改它会中断调用几秒 / Whether it reaches the internet; unset: as its "
        "service.yaml says. A change interrupts its calls for seconds",
    )
    environment: dict[VariableName, str] = Field(default_factory=dict)
    secrets: dict[VariableName, SecretValue] = Field(
        default_factory=dict,
        description="service.yaml 声明的机密，由 Pulumi 加密 / Secrets that its service.yaml declares, encrypted by Pulumi",
    )
    image: ImageDigest | None = None
    contract: ContractSettings | None = Field(None, description="Promoted with the image; unset: the lock file's.")


class BuildSettings(StrictSettings):
    """How images are built where they are built."""

    base_image: str = Field("dyber-base:{suite}", description="{suite} becomes trixie or forky.")
    pip_index_url: str | None = Field(None, description="Python package index used inside builds.")
    apt_options: str = Field("", description="Extra options for apt-get inside builds.")
    ca_bundle: str | None = Field(None, description="PEM file trusted inside builds, for networks with a TLS proxy.")
    generation: int = Field(0, ge=0, description="A number not used before builds every image anew, whatever the caches hold.")

    @field_validator("base_image")
    @classmethod
    def _base_image_names_the_suite(cls, value: str) -> str:
        if "{suite}" not in value:
            raise ValueError("must contain {suite}, such as dyber-base:{suite} or debian:{suite}-slim")
        return value

    def base(self, suite: str) -> str:
        """The base image for a Debian suite."""
        return self.base_image.replace("{suite}", suite)


class StackSettings(StrictSettings):
    """All settings of one stack."""

    stack: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    profiles: tuple[str, ...] = Field(
        (), description="cache and monitoring add a part each; services with one of the others run too."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    data_retention: Literal["delete", "keep"] = Field("delete", description="keep: data volumes outlive `destroy`.")
    clients: dict[ClientName, ClientSettings] = Field(
        {"desktop-pet": ClientSettings()}, min_length=1, description="Each gets a token."
    )
    tokens: dict[ClientName, TokenSettings] = Field(default_factory=dict, description="Rotation, by client.")
    gateway: GatewaySettings = GatewaySettings()
    network_pool: str | None = Field(
        None,
        description="A /15 used nowhere else, such as 10.200.0.0/15, for the networks; unset: the engine's own ranges, "
        "about 30 networks for all its stacks.",
    )
    cache: CacheSettings = CacheSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    services: dict[str, ServiceSettings] = Field(default_factory=dict)
    images: Literal["build", "pinned"] = Field(
        "build",
        description="pinned: only images given by digest: services.<name>.image, gatewayImage, frontImage, and those "
        "of the profiles, cacheImage and monitoringImage.",
    )
    policy: Literal["mandatory", "advisory"] | None = Field(
        None, description="Whether the rules of policy/ stop an update; unset: in prod they do, elsewhere they advise."
    )
    registry: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*$")] | None = Field(
        None, description="Where `release` and `promote` push images, such as registry.example.com/dyber."
    )
    contracts: Literal["enforced", "off"] = Field(
        "off", description="enforced: a service whose tools differ from its contract is not put in service."
    )
    gateway_image: ImageDigest | None = None
    front_image: ImageDigest | None = None
    cache_image: ImageDigest | None = None
    monitoring_image: ImageDigest | None = None
    build: BuildSettings = BuildSettings()
    given_tokens: dict[ClientName, SecretStr] = Field(
        default_factory=dict, exclude=True, description="By client, of this machine's .env, never of the file."
    )

    @field_validator("clients", mode="before")
    @classmethod
    def _clients_may_be_a_list(cls, value: Any) -> Any:
        return as_mapping(value)

    @field_validator("network_pool")
    @classmethod
    def _network_pool_is_usable(cls, value: str | None) -> str | None:
        return value and str(parse_pool(value))

    def token(self, client: str) -> TokenSettings:
        """Where the rotation of a client's token stands."""
        return self.tokens.get(client, TokenSettings())

    def has(self, profile: str) -> bool:
        """Whether the stack asks for a profile."""
        return profile in self.profiles

    def requests_per_second(self, service: str) -> int:
        """How many calls a second one client may make to a service."""
        own = self.services.get(service)
        return (own and own.requests_per_second) or self.gateway.limits.requests_per_second

    def secrets(self, service: str) -> Mapping[str, SecretStr]:
        """The secrets that the stack gives to a service, by name."""
        own = self.services.get(service)
        return own.secrets if own else {}

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
        known_profiles = sorted({*BUILT_IN_PROFILES, *(spec.profile for spec in catalog.values() if spec.profile)})
        problems += [
            f"{source}: profiles: {profile!r}: 没有这个配置档 / no such profile; "
            f"可用 / known: {', '.join(known_profiles) or '-'}"
            for profile in self.profiles
            if profile not in known_profiles
        ]
        for client, own_scopes in self.clients.items():
            problems += own_scopes.problems(f"{source}: clients.{client}", catalog)
        problems += [
            f"{source}: tokens.{client}: 没有这个客户端 / no such client; 可用 / known: {', '.join(self.clients)}"
            for client in self.tokens
            if client not in self.clients
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
            selected.append(spec := self._with_own_values(spec, own))
            problems += secret_settings.problems(source, self.stack, spec, self.secrets(name))
            if spec.replicas > spec.max_replicas:
                problems.append(
                    f"{source}: services.{name}.replicas = {spec.replicas}: 这个服务最多 {spec.max_replicas} 个（"
                    f"mcp-servers/{name}/service.yaml 的 max_replicas）/ at most {spec.max_replicas}, says its "
                    "service.yaml"
                )
            if self.contracts == "enforced" and not spec.contract_sha256:
                problems.append(
                    f"mcp-servers/{name}/{LOCK_FILE}: contracts 为 enforced 时必须有；写入它 / needed while contracts is "
                    f"enforced; write it: ./deploy.sh tools lock {name}"
                )
        problems += [
            f"{source}: {key}: images 为 pinned 时必须给出摘要 / needed while images is pinned"
            for key, image in self._own_images().items()
            if self.images == "pinned" and not image
        ]
        if not selected:
            problems.append(f"{source}: 没有启用任何服务 / no service is enabled")
        if problems:
            raise ConfigurationError("\n".join(problems))
        return selected

    def _own_images(self) -> dict[str, str | None]:
        """By key, the images of everything that is not a service."""
        images = {"gatewayImage": self.gateway_image, "frontImage": self.front_image}
        if self.has(CACHE):
            images["cacheImage"] = self.cache_image
        if self.has(MONITORING):
            images["monitoringImage"] = self.monitoring_image
        return images

    def _with_own_values(self, spec: ServiceSpec, own: ServiceSettings | None) -> ServiceSpec:
        if own is None:
            return spec
        changes: dict[str, Any] = {"environment": {**spec.environment, **own.environment}}
        if own.cpus is not None:
            changes["cpus"] = own.cpus
        for key in ("memory_mib", "replicas", "max_call_seconds"):
            if getattr(own, key) is not None:
                changes[key] = getattr(own, key)
        if own.egress is not None:
            changes["internet"] = own.egress == "internet"
        if own.contract is not None:
            changes["tools"] = {tool: kind == "read" for tool, kind in own.contract.tools.items()}
            changes["contract_sha256"] = own.contract.sha256
        return spec.model_copy(update=changes)


def stack_file(stack: str) -> str:
    """Name of a stack's configuration file."""
    return f"Pulumi.{stack}.yaml"


def parse_settings(
    stack: str,
    values: Mapping[str, str],
    environment: Mapping[str, str] = os.environ,
    overrides: EnvFile | None = None,
) -> StackSettings:
    """Settings from Pulumi's configuration `values` (fully qualified key to text; objects are JSON text).

    `environment` completes what the stack file leaves out with what set-up found out about this machine
    (DYBER_PIP_INDEX_URL, DYBER_CA_BUNDLE); `overrides` is the stack's .env, which wins over its file.
    Raises ConfigurationError naming file, key and value.
    """
    overrides = overrides or EnvFile()
    content: dict[str, Any] = {}
    for key, text in values.items():
        namespace, _, name = key.partition(":")
        if namespace == NAMESPACE:
            content[name] = _decode(text)
    build = content.get("build", {})
    if isinstance(build, dict):
        found = {"pipIndexUrl": environment.get("DYBER_PIP_INDEX_URL"), "caBundle": environment.get("DYBER_CA_BUNDLE")}
        content["build"] = {**{key: value for key, value in found.items() if value}, **build}
    content = overrides.over(content)
    if {"givenTokens", "given_tokens"} & set(content):
        raise ConfigurationError(
            f"{stack_file(stack)}: dyber:givenTokens: 没有这个键；令牌写在 {env_file.file_name(stack)} / "
            f"no such key; tokens belong into {env_file.file_name(stack)}"
        )
    try:
        settings = StackSettings(stack=stack, given_tokens=overrides.tokens, **content)
    except ValidationError as error:
        known = [to_camel(field) for field in StackSettings.model_fields if field not in ("stack", "given_tokens")]
        raise ConfigurationError(explain(error, stack_file(stack), known)) from error
    except TypeError as error:
        raise ConfigurationError(
            f"{stack_file(stack)}: dyber:stack: 由 Pulumi 的栈名决定，请删除 / given by the stack's name, remove it"
        ) from error
    for client in settings.given_tokens:
        if client not in settings.clients:
            raise ConfigurationError(
                f"{env_file.file_name(stack)}: MCP_AUTH_TOKEN: {stack_file(stack)} 的 clients 里没有 {client} / "
                f"there is no {client} among the clients of {stack_file(stack)}"
            )
    return settings


def read_overrides(root: Path, stack: str) -> EnvFile:
    """The .env of `stack` in the repository at `root`. Raises ConfigurationError naming file and line."""
    return env_file.read(root, stack, declared_secrets(root / "mcp-servers"))


def read_settings(
    root: Path, stack: str, values: Mapping[str, str], secret_keys: Collection[str] = ()
) -> StackSettings:
    """Settings of `stack` from Pulumi's configuration and the stack's files in the repository at `root`.

    `values` as for parse_settings, `secret_keys` those of them that hold anything encrypted.
    Raises ConfigurationError, also for a service's secret that is in clear text.
    """
    secret_settings.refuse_clear_text(stack, values, secret_keys, root / stack_file(stack))
    return parse_settings(stack, values, overrides=read_overrides(root, stack))


def load_settings(root: Path) -> StackSettings:
    """Settings of the stack that is running this program, of the repository at `root`. Raises ConfigurationError."""
    import pulumi
    from pulumi.runtime.config import CONFIG, is_config_secret

    values = CONFIG.get()
    return read_settings(root, pulumi.get_stack(), values, [key for key in values if is_config_secret(key)])


def _decode(text: str) -> Any:
    """Pulumi hands scalars over as text and objects as JSON text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
