"""The typed, validated model of one stack's settings.

Keys in `Pulumi.<stack>.yaml` are camelCase under the namespace `dyber:`; unknown keys are errors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator

from infra.schema.problems import ConfigurationError, Problem, validation_problems
from infra.schema.setting_tree import Setting
from infra.schema.strict_settings import StrictSettings
from infra.services.catalog import ServiceSpec, declared_secrets
from infra.services.hidden_tools import hidden_tools
from infra.settings import env_file
from infra.settings import secrets as secret_settings
from infra.settings.build import BuildSettings, found_by_set_up
from infra.settings.clients import ClientName, ClientSettings, ClientsInFile, TokenSettings, as_mapping
from infra.settings.env_file import EnvFile
from infra.settings.gateway import GatewaySettings
from infra.settings.names import NAMESPACE, stack_file
from infra.settings.profiles import BUILT_IN_PROFILES, CACHE, MONITORING, CacheSettings, MonitoringSettings
from infra.settings.selection import select
from infra.settings.services import ImageDigest, ServiceSettings
from infra.settings.subnets import parse_pool

#: Fields of StackSettings that do not come from a stack's file.
NOT_IN_THE_FILE = ("stack", "given_tokens")
#: The first interface (infra.parts.image_interface) whose images of services keep to X-Dyber-Scope.
SCOPES_INTERFACE = 2


class StackSettings(StrictSettings):
    """All settings of one stack."""

    stack: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", description="栈名 / The stack's name")
    profiles: tuple[str, ...] = Field(
        (),
        description="cache 和 monitoring 各加一部分；其余的让带这个配置档的服务也运行 / cache and monitoring add a part "
        "each; with another one the services that have it run too",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="服务的日志级别 / What the services log"
    )
    data_retention: Literal["delete", "keep"] = Field(
        "delete",
        description="./deploy.sh destroy 如何处理数据卷：keep 保留；delete 列出它们、询问后删除。别的改变都不删数据 / What "
        "./deploy.sh destroy does with data volumes: keep leaves them; delete lists them, asks, and deletes them. "
        "Nothing else that changes a stack deletes data",
    )
    clients: dict[ClientName, ClientSettings] = Field(
        {"desktop-pet": ClientSettings()},
        min_length=1,
        description="客户端，每个一个令牌；也可以只列名字 / The clients, each with a token; or a list of their names",
    )
    tokens: dict[ClientName, TokenSettings] = Field(
        default_factory=dict,
        description="令牌的轮换，按客户端；由 token rotate 和 token revoke 写入 / Rotation of the tokens, by client; "
        "written by token rotate and token revoke",
    )
    gateway: GatewaySettings = Field(GatewaySettings(), description="Nginx 网关 / The Nginx gateway")
    network_pool: str | None = Field(
        None,
        description="各个网络用的地址段：别处不用的一个 /15，如 10.200.0.0/15；不写则用引擎自己的，所有栈加起来约 30 个网络 / "
        "Address range of the networks: a /15 used nowhere else, such as 10.200.0.0/15; unset: the engine's own, about 30 "
        "networks for all its stacks",
    )
    cache: CacheSettings = Field(CacheSettings(), description="配置档 cache 的 Redis / Redis of the profile cache")
    monitoring: MonitoringSettings = Field(
        MonitoringSettings(), description="配置档 monitoring 的 Prometheus / Prometheus of the profile monitoring"
    )
    services: dict[str, ServiceSettings] = Field(
        default_factory=dict,
        description="这个栈里各服务不同于 service.yaml 的值 / By service, what is other in this stack than in service.yaml",
    )
    images: Literal["build", "pinned"] = Field(
        "build",
        description="pinned：不构建，只用按摘要给出的镜像：每个服务的 image、gatewayImage、frontImage，以及配置档的 "
        "cacheImage、monitoringImage / pinned: builds nothing; all images are given by digest: each service's image, "
        "gatewayImage, frontImage, and those of the profiles, cacheImage and monitoringImage",
    )
    policy: Literal["mandatory", "advisory"] | None = Field(
        None,
        description="policy/ 的规则是否能挡住更新；不写：prod 能，其余只建议 / Whether the rules of policy/ stop an update; "
        "unset: in prod they do, elsewhere they advise",
    )
    local_env: bool | None = Field(
        None,
        description="true：采用这台机器的 .env.<栈>，优先于本文件；不写：只有 dev 采用，其余的栈只从中取 MCP_AUTH_TOKEN / true: "
        "takes this machine's .env.<stack>, which wins over this file; unset: only dev does, other stacks take nothing "
        "from it but MCP_AUTH_TOKEN",
    )
    registry: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)*$")] | None = Field(
        None,
        description="release 和 promote 把镜像推到哪里，如 registry.example.com/dyber / Where release and promote push "
        "images, such as registry.example.com/dyber",
    )
    contracts: Literal["enforced", "off"] = Field(
        "off",
        description="enforced：工具与契约不同的服务不会投入使用 / enforced: a service whose tools differ from its contract "
        "is not put in service",
    )
    gateway_image: ImageDigest | None = Field(
        None, description="网关的镜像，按摘要；由 promote 写入 / The gateway's image by digest; written by promote"
    )
    front_image: ImageDigest | None = Field(
        None, description="网关前置的镜像，按摘要；由 promote 写入 / The front's image by digest; written by promote"
    )
    cache_image: ImageDigest | None = Field(
        None, description="Redis 的镜像，按摘要；由 promote 写入 / The image of Redis by digest; written by promote"
    )
    monitoring_image: ImageDigest | None = Field(
        None,
        description="Prometheus 的镜像，按摘要；由 promote 写入 / The image of Prometheus by digest; written by promote",
    )
    images_interface: Annotated[int, Field(ge=0)] = Field(
        0,
        description="按摘要给出的镜像是为程序的哪个接口构建的；由 promote 写入，与程序不符的不部署 / The program's interface that "
        "the images by digest were built for; written by promote, and images of another one are not deployed",
    )
    build: BuildSettings = Field(BuildSettings(), description="怎么构建镜像 / How images are built")
    given_tokens: dict[ClientName, SecretStr] = Field(
        default_factory=dict, exclude=True, description="来自 .env 的令牌，按客户端 / Tokens of .env, by client"
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
        """Where the rotation of a client's token stands."""
        return self.tokens.get(client, TokenSettings())

    def has(self, profile: str) -> bool:
        """Whether the stack asks for a profile."""
        return profile in self.profiles

    def with_data(self, specs: Iterable[ServiceSpec]) -> set[str]:
        """Return what in the stack has a data volume: the profiles, and those of its services `specs` that want one."""
        return {spec.name for spec in specs if spec.data} | {name for name in BUILT_IN_PROFILES if self.has(name)}

    def requests_per_second(self, service: str) -> int:
        """How many calls a second one client may make to a service."""
        own = self.services.get(service)
        return (own and own.requests_per_second) or self.gateway.limits.requests_per_second

    def secrets(self, service: str) -> Mapping[str, SecretStr]:
        """The secrets that the stack gives to a service, by name."""
        own = self.services.get(service)
        return own.secrets if own else {}

    def hidden_tools(self, spec: ServiceSpec) -> tuple[str, ...]:
        """Return the tools in the service's contract that this stack's settings hide from agents."""
        own = self.with_stack_values(spec)
        return hidden_tools(own.tools, own.environment)

    def select(self, catalog: Mapping[str, ServiceSpec]) -> list[ServiceSpec]:
        """Return the services this stack runs, with the stack's values, in order of their ports.

        Raises ConfigurationError where the stack's file does not fit the services that there are.
        """
        return select(self, catalog)

    def with_stack_values(self, spec: ServiceSpec) -> ServiceSpec:
        """Return what service.yaml says, with the values of this stack in their places."""
        own = self.services.get(spec.name)
        if not own:
            return spec
        applied = own.applied_to(spec)
        if own.image and self.images_interface < SCOPES_INTERFACE:
            # What service.yaml says is true of the sources, and the image is older.
            return applied.model_copy(update={"enforces_scopes": False})
        return applied

    def part_images(self) -> dict[str, str | None]:
        """By key, the images of everything that is not a service."""
        images = {"gatewayImage": self.gateway_image, "frontImage": self.front_image}
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
    """Settings from Pulumi's configuration `values` (fully qualified key to text; objects are JSON text).

    `environment` completes what the stack file leaves out with what set-up found out about this machine
    (DYBER_PIP_INDEX_URL, DYBER_CA_BUNDLE); `overrides` is the stack's .env, which wins over its file.
    Raises ConfigurationError naming file, key and value.
    """
    overrides = overrides or EnvFile()
    content = file_content(values)
    env_file.refuse_unasked(overrides, stack, content.get("localEnv"))
    build = content.get("build", {})
    if isinstance(build, dict):
        content["build"] = {**found_by_set_up(environment), **build}
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
    """Everything that a stack's file can say."""
    return Setting.of(StackSettings, NOT_IN_THE_FILE)


def file_content(values: Mapping[str, str]) -> dict[str, Any]:
    """By key without its namespace, what Pulumi's configuration `values` say of this program."""
    named = {key.partition(":")[::2]: text for key, text in values.items()}
    return {name: _decode(text) for (namespace, name), text in named.items() if namespace == NAMESPACE}


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


def _decode(text: str) -> Any:
    """Pulumi hands scalars over as text and objects as JSON text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
