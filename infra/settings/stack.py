"""Defines the validated model of a stack's settings, and reads it.

Keys in `Pulumi.<stack>.yaml` are camelCase under the namespace `dyber:`; unknown keys are errors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator

from infra.schema.forms import Form
from infra.schema.problems import ConfigurationError, Problem, validation_problems
from infra.schema.setting_tree import Setting
from infra.schema.strict_settings import StrictSettings
from infra.services.catalog import ServiceSpec, declared_secrets
from infra.services.hidden_tools import hidden_tools
from infra.settings import env_file
from infra.settings import secrets as secret_settings
from infra.settings.build import BuildSettings, from_environment
from infra.settings.clients import ClientName, ClientSettings, ClientsInFile, TokenSettings, as_mapping
from infra.settings.env_file import EnvFile
from infra.settings.gateway import GatewaySettings
from infra.settings.hub import GroupName, GroupSettings, HubSettings
from infra.settings.names import CONSOLE_CLIENT, CONSOLE_IMAGE, HUB_IMAGE, NAMESPACE, stack_file
from infra.settings.observing.console import DEFAULT_STACK, ConsoleSettings
from infra.settings.profiles import BUILT_IN_PROFILES, CACHE, MONITORING, CacheSettings, MonitoringSettings
from infra.settings.selection import select
from infra.settings.services import ImageDigest, ServiceSettings
from infra.settings.subnets import parse_pool
from messages import mark

#: The fields of StackSettings that do not come from a stack's file.
NOT_IN_THE_FILE = ("stack", "given_tokens")
#: The first interface (infra.parts.image_interface) whose images of services keep to X-Dyber-Scope.
SCOPES_INTERFACE = 2
#: The form of a stack's name, which is part of the names of its containers.
STACK_FORM = Form(r"^[a-z][a-z0-9-]{0,30}$", "stack_form")
StackName = Annotated[str, STACK_FORM]


class StackSettings(StrictSettings):
    """All settings of a stack."""

    stack: StackName = Field(description=mark("The stack's name"))
    profiles: tuple[str, ...] = Field(
        (),
        description=mark(
            "cache and monitoring each add a part; any other profile also runs the services that name it in "
            "service.yaml"
        ),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description=mark("The log level of the services")
    )
    data_retention: Literal["delete", "keep"] = Field(
        "delete",
        description=mark(
            "What ./deploy.sh destroy does with data volumes: keep leaves them; delete lists them, asks, and deletes "
            "them. No other change of a stack deletes data"
        ),
    )
    clients: dict[ClientName, ClientSettings] = Field(
        {"desktop-pet": ClientSettings()},
        min_length=1,
        description=mark("The clients, each with its own token; or only a list of their names"),
    )
    tokens: dict[ClientName, TokenSettings] = Field(
        default_factory=dict,
        description=mark("The rotation of tokens, by client; written by token rotate and token revoke"),
    )
    gateway: GatewaySettings = Field(GatewaySettings(), description=mark("The Nginx gateway"))
    hub: HubSettings = Field(HubSettings(), description=mark("The hub: the tools of all services at one address"))
    groups: dict[GroupName, GroupSettings] = Field(
        default_factory=dict,
        description=mark("Groups of tools, each at an address of its own, /groups/<name>/mcp; they need the hub"),
    )
    console: ConsoleSettings = Field(
        ConsoleSettings(), description=mark("The console: web pages that show the stack to a person")
    )
    network_pool: str | None = Field(
        None,
        description=mark(
            "The address range of the networks: a /15 used nowhere else, such as 10.200.0.0/15; unset: the engine's "
            "own, about 30 networks for all its stacks"
        ),
    )
    cache: CacheSettings = Field(CacheSettings(), description=mark("Redis of the profile cache"))
    monitoring: MonitoringSettings = Field(
        MonitoringSettings(), description=mark("Prometheus of the profile monitoring")
    )
    services: dict[str, ServiceSettings] = Field(
        default_factory=dict,
        description=mark("By service, the values that this stack overrides in service.yaml"),
    )
    images: Literal["build", "pinned"] = Field(
        "build",
        description=mark(
            "pinned: nothing is built, all images are given by digest: each service's image, gatewayImage, frontImage, "
            "hubImage where there is a hub, consoleImage where there is a console, and those of the profiles, cacheImage "
            "and monitoringImage"
        ),
    )
    policy: Literal["mandatory", "advisory"] | None = Field(
        None,
        description=mark(
            "Whether the rules of policy/, and missing secrets of foreign programs, stop an update or only advise; "
            "unset: they stop it in prod and advise elsewhere"
        ),
    )
    local_env: bool | None = Field(
        None,
        description=mark(
            "true: this machine's .env.<stack> is used and overrides this file; unset: only dev uses it, other stacks "
            "take only MCP_AUTH_TOKEN from it"
        ),
    )
    registry: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*$")] | None = Field(
        None,
        description=mark("Where release and promote push images, such as registry.example.com/dyber"),
    )
    contracts: Literal["enforced", "off"] = Field(
        "off",
        description=mark("enforced: a service whose tools differ from its contract is not put in service"),
    )
    gateway_image: ImageDigest | None = Field(
        None, description=mark("The gateway's image by digest; written by promote")
    )
    front_image: ImageDigest | None = Field(None, description=mark("The front's image by digest; written by promote"))
    hub_image: ImageDigest | None = Field(None, description=mark("The hub's image by digest; written by promote"))
    console_image: ImageDigest | None = Field(
        None, description=mark("The console's image by digest; written by promote")
    )
    cache_image: ImageDigest | None = Field(None, description=mark("The image of Redis by digest; written by promote"))
    monitoring_image: ImageDigest | None = Field(
        None,
        description=mark("The image of Prometheus by digest; written by promote"),
    )
    images_interface: Annotated[int, Field(ge=0)] = Field(
        0,
        description=mark(
            "The program's interface that the images by digest were built for; written by promote. Images of another "
            "interface are not deployed"
        ),
    )
    build: BuildSettings = Field(BuildSettings(), description=mark("How images are built"))
    given_tokens: dict[ClientName, SecretStr] = Field(
        default_factory=dict, exclude=True, description=mark("The tokens of .env, by client")
    )

    @field_validator("clients", mode="before", json_schema_input_type=ClientsInFile)
    @classmethod
    def _clients_may_be_a_list(cls, value: Any) -> Any:
        return as_mapping(value)

    @field_validator("network_pool")
    @classmethod
    def _network_pool_is_usable(cls, value: str | None) -> str | None:
        return value and str(parse_pool(value))

    def token(self, client: str) -> TokenSettings:
        """Return the state of the rotation of a client's token."""
        return self.tokens.get(client, TokenSettings())

    def has(self, profile: str) -> bool:
        """Tell whether the stack has a profile."""
        return profile in self.profiles

    @property
    def has_console(self) -> bool:
        """Whether the stack has the console."""
        return self.stack == DEFAULT_STACK if self.console.enabled is None else self.console.enabled

    @property
    def sends_traces(self) -> bool:
        """Whether services and the hub send spans and logs to the console."""
        return self.has_console and self.console.traces

    def with_data(self, specs: Iterable[ServiceSpec]) -> set[str]:
        """Return the names of everything with a data volume: the built-in profiles, the console, and those of the
        services `specs` that have one."""
        names = {spec.name for spec in specs if spec.data} | {name for name in BUILT_IN_PROFILES if self.has(name)}
        return names | ({CONSOLE_CLIENT} if self.has_console else set())

    def requests_per_second(self, service: str) -> int:
        """Return how many calls a second one client may make to a service."""
        settings = self.services.get(service)
        return (settings and settings.requests_per_second) or self.gateway.limits.requests_per_second

    def secrets(self, service: str) -> Mapping[str, SecretStr]:
        """Return the secrets that the stack gives to a service, by name."""
        settings = self.services.get(service)
        return settings.secrets if settings else {}

    @property
    def has_mandatory_rules(self) -> bool:
        """Whether the rules of policy/ stop an update: as the stack says, else in prod."""
        return (self.policy or ("mandatory" if self.stack == "prod" else "advisory")) == "mandatory"

    def runs_without_secrets(self, spec: ServiceSpec) -> bool:
        """Tell whether a service is deployed although secrets that it requires are missing.

        The bridge of a foreign program starts without them, says which are missing, and refuses calls. A stack with
        mandatory rules takes only services that work.
        """
        return spec.source is not None and not self.has_mandatory_rules

    def missing_secrets(self, specs: Iterable[ServiceSpec]) -> dict[str, tuple[str, ...]]:
        """Return by service the secrets that it requires and this stack does not give, for services that lack any."""
        found = {spec.name: secret_settings.missing_secrets(spec, self.secrets(spec.name)) for spec in specs}
        return {name: missing for name, missing in found.items() if missing}

    def hidden_tools(self, spec: ServiceSpec) -> tuple[str, ...]:
        """Return the tools in the service's contract that this stack's settings hide from agents."""
        spec = self.with_stack_values(spec)
        return hidden_tools(spec.tools, spec.environment)

    def select(self, catalog: Mapping[str, ServiceSpec]) -> list[ServiceSpec]:
        """Return the services that this stack runs, with the stack's values, in the order of their ports.

        Raises ConfigurationError if the stack's file does not fit the services of the repository.
        """
        return select(self, catalog)

    def with_stack_values(self, spec: ServiceSpec) -> ServiceSpec:
        """Return the content of service.yaml with the values that this stack overrides."""
        settings = self.services.get(spec.name)
        if not settings:
            return spec
        applied = settings.applied_to(spec)
        if settings.image and self.images_interface < SCOPES_INTERFACE:
            # service.yaml describes the sources, and this image is older than they are.
            return applied.model_copy(update={"enforces_scopes": False})
        return applied

    def part_images(self) -> dict[str, str | None]:
        """Return by key the images of the parts that are not services; None for an image that is built."""
        images = {"gatewayImage": self.gateway_image, "frontImage": self.front_image}
        if self.hub.enabled:
            images[HUB_IMAGE] = self.hub_image
        if self.has_console:
            images[CONSOLE_IMAGE] = self.console_image
        if self.has(CACHE):
            images["cacheImage"] = self.cache_image
        if self.has(MONITORING):
            images["monitoringImage"] = self.monitoring_image
        return images


def parse_settings(
    stack: str,
    values: Mapping[str, str],
    environment: Mapping[str, str] = os.environ,
    overrides: EnvFile | None = None,
) -> StackSettings:
    """Return the settings in Pulumi's configuration `values`: text by fully qualified key; objects are JSON text.

    `environment` has the values that set-up determined for this machine (infra.settings.build.FROM_ENVIRONMENT), which
    are used where the stack's file has none. `overrides` is the stack's .env, which overrides its file.
    Raises ConfigurationError naming file, key and value.
    """
    overrides = overrides or EnvFile()
    content = file_content(values)
    env_file.refuse_unreviewed(overrides, stack, content.get("localEnv"))
    build = content.get("build", {})
    if isinstance(build, dict):
        content["build"] = {**from_environment(environment), **build}
    content = overrides.over(content)
    if {"givenTokens", "given_tokens"} & set(content):
        parameters = {"env_file": env_file.file_name(stack)}
        raise ConfigurationError(
            Problem("token_in_stack_file", stack_file(stack), ("dyber:givenTokens",), parameters=parameters)
        )
    try:
        settings = StackSettings(stack=stack, given_tokens=overrides.tokens, **content)
    except ValidationError as error:
        problems = validation_problems(error, stack_file(stack), setting_tree(), f"{NAMESPACE}:")
        raise ConfigurationError(*problems) from error
    except TypeError as error:
        raise ConfigurationError(Problem("stack_is_given", stack_file(stack), ("dyber:stack",))) from error
    for client in settings.given_tokens:
        if client not in settings.clients:
            parameters = {"stack_file": stack_file(stack), "client": client}
            raise ConfigurationError(
                Problem(
                    "token_without_client", env_file.file_name(stack), (env_file.MAIN_TOKEN,), parameters=parameters
                )
            )
    return settings


def setting_tree() -> Setting:
    """Return the tree of all settings of a stack's file."""
    return Setting.of(StackSettings, NOT_IN_THE_FILE)


def file_content(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of this program in Pulumi's configuration `values`, by key without the namespace."""
    named = {key.partition(":")[::2]: text for key, text in values.items()}
    return {name: _decode(text) for (namespace, name), text in named.items() if namespace == NAMESPACE}


def read_overrides(root: Path, stack: str) -> EnvFile:
    """Return the env file of `stack` in the repository `root`. Raises ConfigurationError naming file and line."""
    return env_file.read(root, stack, declared_secrets(root / "mcp-servers"))


def read_settings(
    root: Path, stack: str, values: Mapping[str, str], secret_keys: Collection[str] = ()
) -> StackSettings:
    """Return the settings of `stack` from Pulumi's configuration and the stack's files in the repository `root`.

    `values` as for parse_settings; `secret_keys` are the keys of `values` that hold anything encrypted.
    Raises ConfigurationError, also for a secret of a service in clear text.
    """
    secret_settings.refuse_clear_text(stack, values, secret_keys, root / stack_file(stack))
    return parse_settings(stack, values, overrides=read_overrides(root, stack))


def _decode(text: str) -> Any:
    """Return the value of a text in Pulumi's configuration, which has scalars as text and objects as JSON text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
