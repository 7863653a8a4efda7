"""McpService: one MCP server with its own network and its hardened container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker
from pydantic import SecretStr

from infra.components.docker import defaults
from infra.components.docker.cache import ALIAS as CACHE_HOST
from infra.components.docker.cache import CacheLogin
from infra.components.docker.contract_check import ContractCheck, ContractCheckArgs
from infra.components.docker.images import Image
from infra.components.docker.secret_files import SecretFiles, SecretFilesArgs
from infra.parts.data_volumes import DATA_FOLDER
from infra.rendering.gateway_inputs import REDIS_PORT
from infra.services.catalog import ServiceSpec

#: Processes and threads one service may have, for all its containers together. Chromium alone needs about 200.
MAX_PROCESSES = 2048
START_SECONDS = 120
#: A stopping server first lets callers move on, then waits for the longest call.
DRAIN_MARGIN_SECONDS = 10
SECRETS_FOLDER = "/run/dyber-secrets"
#: Name of the file with the password of Redis among a service's secrets, whose own names never begin like this.
CACHE_SECRET = "DYBER_REDIS_PASSWORD"


@dataclass(frozen=True)
class McpServiceArgs:
    """`data`: the mount of the data volume, if the service has one. `cache`: the service's user in Redis, if it is to
    use it. `check_contract`: only tools of the contract take calls. `secrets`: those of the stack, by name."""

    owner: defaults.Owner
    spec: ServiceSpec
    image: Image
    log_level: str
    data: docker.ContainerMountArgs | None = None
    cache: CacheLogin | None = None
    check_contract: bool = False
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)


class McpService(pulumi.ComponentResource):
    """One MCP service with its replicas.

    Creates:
    - a network that only this service and the gateway share, without a way out unless the service asks for one
    - files with the secrets that the stack gives to it, if there are any
    - where contracts are enforced, the check of its image's tools, without which no container is created
    - its containers, one per replica: auto-named, no host port, aliases `<service>-mcp` and `<service>-mcp-<replica>`,
      replaced new-first, healthy before the old goes
    """

    network: docker.Network
    containers: list[docker.Container]

    def __init__(self, name: str, args: McpServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:service:McpService", name, None, opts)
        spec = args.spec
        self.network = docker.Network(
            f"{name}-network",
            internal=not spec.internet,
            **defaults.network_arguments(
                args.owner, name, args.owner.subnets.service(spec.port, internal=not spec.internet)
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        secrets = self._secret_contents(args)
        self._secrets = self._secret_files(name, args, secrets) if secrets else None
        self._contract: pulumi.Output[str] | None = None
        if args.check_contract:
            check = ContractCheckArgs(args.owner, spec, args.image, self._values(args))
            self._contract = ContractCheck(name, check, pulumi.ResourceOptions(parent=self)).sha256
        mounts = [args.data] if args.data else []
        if self._secrets:
            mounts.append(self._secrets.mount)
        self.containers = [self._server(name, replica, args, mounts) for replica in range(1, spec.replicas + 1)]
        self.register_outputs(
            {"containers": [container.name for container in self.containers], "network": self.network.name}
        )

    def _secret_contents(self, args: McpServiceArgs) -> dict[str, pulumi.Input[str]]:
        contents: dict[str, pulumi.Input[str]] = {
            key: secret.get_secret_value() for key, secret in args.secrets.items()
        }
        if args.cache:
            contents[CACHE_SECRET] = args.cache.password
        return contents

    def _secret_files(self, name: str, args: McpServiceArgs, contents: Mapping[str, pulumi.Input[str]]) -> SecretFiles:
        return SecretFiles(
            f"{name}-secrets",
            SecretFilesArgs(
                owner=args.owner,
                image=args.image,
                uid=args.spec.uid,
                owned=DATA_FOLDER,
                folder=SECRETS_FOLDER,
                contents=contents,
                processes=MAX_PROCESSES,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _server(
        self, name: str, replica: int, args: McpServiceArgs, mounts: list[docker.ContainerMountArgs]
    ) -> docker.Container:
        spec = args.spec
        return docker.Container(
            f"{name}-server" if replica == 1 else f"{name}-server-{replica}",
            image=args.image.reference,
            envs=self._environment(args),
            labels=defaults.container_labels(args.owner, name),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(
                    name=self.network.name, aliases=[spec.alias, f"{spec.alias}-{replica}"]
                )
            ],
            mounts=mounts,
            read_only=True,
            tmpfs={"/tmp": f"rw,nosuid,nodev,size={spec.tmp_mib}m,mode=1777"},
            healthcheck=defaults.healthcheck("/opt/dyber/healthcheck", start_period="30s"),
            wait=True,
            wait_timeout=START_SECONDS,
            # Deleting ignores stop_timeout; both give running calls the time of the longest one.
            destroy_grace_seconds=spec.max_call_seconds + DRAIN_MARGIN_SECONDS,
            stop_timeout=spec.max_call_seconds + DRAIN_MARGIN_SECONDS,
            stop_signal="SIGTERM",
            restart=defaults.RESTART,
            must_run=True,
            **defaults.confined(
                uid=spec.uid,
                memory_mib=spec.memory_mib,
                cpus=spec.cpus,
                processes=MAX_PROCESSES,
                seccomp=spec.seccomp,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*args.image.built_by, *([self._secrets.written] if self._secrets else [])],
                delete_before_replace=False,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )

    def _environment(self, args: McpServiceArgs) -> list[pulumi.Input[str]]:
        environment: list[pulumi.Input[str]] = [f"{key}={value}" for key, value in sorted(self._values(args).items())]
        if args.cache:
            environment += [
                f"DYBER_REDIS_HOST={CACHE_HOST}",
                f"DYBER_REDIS_PORT={REDIS_PORT}",
                f"DYBER_REDIS_USER={args.cache.user}",
            ]
        if files := self._secrets:
            names = sorted(self._secret_contents(args))
            environment += [pulumi.Output.concat(f"{key}_FILE=", files.file(key)) for key in names]
        if self._contract is not None:
            # Not for the server to read: without the outcome of the check there is no container.
            environment.append(pulumi.Output.concat("DYBER_TOOLS_SHA256=", self._contract))
        return environment

    def _values(self, args: McpServiceArgs) -> dict[str, str]:
        spec = args.spec
        return {
            "DYBER_SERVICE": spec.name,
            "HOST": "0.0.0.0",
            "PORT": str(spec.port),
            "LOG_LEVEL": args.log_level,
            "MAX_CALL_SECONDS": str(spec.max_call_seconds),
            **({"DYBER_DATA": DATA_FOLDER} if spec.data else {}),
            **spec.environment,
        }
