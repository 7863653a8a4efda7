"""Defines what a stack's file says of each service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from infra.schema.strict_settings import StrictSettings
from infra.services.catalog import MAX_REPLICAS, ServiceSpec, VariableName
from infra.services.contract import ContractSettings
from infra.settings.gateway import RequestsPerSecond
from infra.settings.secrets import SecretValue

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
    requests_per_second: RequestsPerSecond | None = Field(
        None,
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

    def applied_to(self, spec: ServiceSpec) -> ServiceSpec:
        """Return what service.yaml says, with the values of the stack in their places."""
        changes: dict[str, Any] = {"environment": {**spec.environment, **self.environment}}
        for key in ("cpus", "memory_mib", "replicas", "max_call_seconds"):
            if getattr(self, key) is not None:
                changes[key] = getattr(self, key)
        if self.egress is not None:
            changes["internet"] = self.egress == "internet"
        if self.contract is not None:
            kinds = self.contract.tools
            changes["tools"] = {tool: kind != "write" for tool, kind in kinds.items()}
            # A stack's file of before there was `read-once` says `read`; then the lock file knows.
            changes["once_tools"] = tuple(
                tool
                for tool, kind in kinds.items()
                if kind == "read-once" or (kind == "read" and tool in spec.once_tools)
            )
            changes["contract_sha256"] = self.contract.sha256
        return spec.model_copy(update=changes)
