"""The typed, validated model of one stack's settings.

Keys in `Pulumi.<stack>.yaml` are camelCase under the namespace `dyber:`; unknown keys are errors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator

from infra.schema.corrections import as_told, yaml_lines
from infra.schema.problems import ConfigurationError, explain
from infra.schema.setting_tree import Setting
from infra.schema.strict_settings import StrictSettings
from infra.services.catalog import MAX_REPLICAS, ServiceSpec, VariableName, declared_secrets
from infra.services.contract import LOCK_FILE, ContractSettings
from infra.services.hidden_tools import hidden_tools
from infra.settings import env_file
from infra.settings import secrets as secret_settings
from infra.settings.build import BuildSettings, found_by_set_up
from infra.settings.clients import ClientName, ClientSettings, ClientsInFile, TokenSettings, as_mapping
from infra.settings.env_file import EnvFile
from infra.settings.gateway import GatewaySettings
from infra.settings.names import stack_file
from infra.settings.profiles import BUILT_IN_PROFILES, CACHE, MONITORING, CacheSettings, MonitoringSettings
from infra.settings.secrets import SecretValue
from infra.settings.subnets import parse_pool

NAMESPACE = "dyber"
#: Fields of StackSettings that do not come from a stack's file.
NOT_IN_THE_FILE = ("stack", "given_tokens")
#: An image without a tag that could move: `name@sha256:…`, or the id of an image on this engine.
ImageDigest = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._/:-]*@)?sha256:[0-9a-f]{64}$")]


class ServiceSettings(StrictSettings):
    """What a stack says of one service; what it leaves out is as in the service's service.yaml."""

    enabled: bool | None = Field(
        None,
        description="运行与否，不管配置档；不写则由配置档决定 / Runs or not, whatever its profile; unset: as that says",
    )
    cpus: float | None = Field(None, gt=0, le=64, description="每个副本的 CPU 核数 / CPU cores of each replica")
    memory_mib: int | None = Field(None, ge=64, le=65536, description="每个副本的内存，MiB / MiB of each replica")
    replicas: int | None = Field(
        None, ge=1, le=MAX_REPLICAS, description="分担调用的容器数 / Containers that share the calls"
    )
    max_call_seconds: int | None = Field(
        None, ge=1, le=3600, description="一次调用最多多少秒，再久就被结束 / A call that takes more seconds is ended"
    )
    requests_per_second: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="每个客户端每秒的调用数；不写则同 gateway.limits / Calls a second of one client; "
        "unset: as in gateway.limits",
    )
    egress: Literal["internet", "none"] | None = Field(
        None,
        description="能否上网；不写则按 service.yaml。改它会中断调用几秒 / Whether it reaches the internet; unset: as its "
        "service.yaml says. A change interrupts its calls for seconds",
    )
    environment: dict[VariableName, str] = Field(
        default_factory=dict,
        description="加到 service.yaml 之上的环境变量，不放机密 / Environment variables beside those of service.yaml; "
        "nothing secret",
    )
    secrets: dict[VariableName, SecretValue] = Field(
        default_factory=dict,
        description="service.yaml 声明的机密，由 Pulumi 加密 / Secrets that its service.yaml declares, encrypted by Pulumi",
    )
    image: ImageDigest | None = Field(
        None, description="按摘要的镜像，由 promote 写入 / The image, by its digest; written by promote"
    )
    contract: ContractSettings | None = Field(
        None, description="与镜像一起晋级的工具契约 / The tools' contract that was promoted with the image"
    )


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
        None, description="网关前端的镜像，按摘要；由 promote 写入 / The front's image by digest; written by promote"
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
        own = self._with_own_values(spec, self.services.get(spec.name))
        return hidden_tools(own.tools, own.environment)

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
        # What a client may call is judged by the contract that the stack has, which may be older than the lock files.
        in_this_stack = {name: self._with_own_values(spec, self.services.get(name)) for name, spec in catalog.items()}
        for client, own_scopes in self.clients.items():
            problems += own_scopes.problems(f"{source}: clients.{client}", in_this_stack)
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
                    "service.yaml\n" + instead(("services", name, "replicas"), spec.max_replicas)
                )
            if self.contracts == "enforced" and not spec.contract_sha256:
                problems.append(
                    f"mcp-servers/{name}/{LOCK_FILE}: contracts 为 enforced 时必须有；写入它 / needed while contracts is "
                    f"enforced; write it: ./deploy.sh tools lock {name}"
                )
        problems += [
            f"{source}: {key}: images 为 pinned 时必须给出摘要 / needed while images is pinned"
            for key, image in self.part_images().items()
            if self.images == "pinned" and not image
        ]
        if not selected:
            problems.append(f"{source}: 没有启用任何服务 / no service is enabled")
        if problems:
            raise ConfigurationError("\n".join(problems))
        return selected

    def part_images(self) -> dict[str, str | None]:
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
            kinds = own.contract.tools
            changes["tools"] = {tool: kind != "write" for tool, kind in kinds.items()}
            # A stack's file of before there was `read-once` says `read`; then the lock file knows.
            changes["once_tools"] = tuple(
                tool
                for tool, kind in kinds.items()
                if kind == "read-once" or (kind == "read" and tool in spec.once_tools)
            )
            changes["contract_sha256"] = own.contract.sha256
        return spec.model_copy(update=changes)


def instead(path: Sequence[str], value: Any) -> str:
    """What to write in a stack's file, as errors show it."""
    return as_told(yaml_lines(path, value, prefix=f"{NAMESPACE}:"))


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
        raise ConfigurationError(
            f"{stack_file(stack)}: dyber:givenTokens: 没有这个键；令牌写在 {env_file.file_name(stack)} / "
            f"no such key; tokens belong into {env_file.file_name(stack)}"
        )
    try:
        settings = StackSettings(stack=stack, given_tokens=overrides.tokens, **content)
    except ValidationError as error:
        raise ConfigurationError(explain(error, stack_file(stack), setting_tree(), f"{NAMESPACE}:")) from error
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
