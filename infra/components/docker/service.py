"""Declares a service with its network, the files of its secrets and its containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker
import pulumi_random as random
from pydantic import SecretStr

from infra.components.docker import containers, defaults
from infra.components.docker.cache import CacheLogin
from infra.components.docker.contract_check import ContractCheck, ContractCheckArgs
from infra.components.docker.images import Image
from infra.components.docker.secret_files import SHELL, SecretFiles, SecretFilesArgs
from infra.parts.data_volumes import DATA_FOLDER
from infra.parts.service import (
    CACHE_SECRET,
    MAX_PROCESSES,
    PYTHON,
    SECRETS_FOLDER,
    STATE_KEY_SECRET,
    data_volume,
    has_shell,
    secrets_volume,
    service,
)
from infra.services.catalog import ServiceSpec

STATE_KEY_BYTES = 32


@dataclass(frozen=True)
class McpServiceArgs:
    """`data` is the name of the data volume on the engine, if the service has one. `cache` is the service's user in
    Redis, if it uses Redis. `check_contract`: no container is created unless the image's tools are those of the
    contract. `secrets` are those that the stack gives to the service, by name. `traces`: it sends spans to the
    console."""

    identity: defaults.StackIdentity
    spec: ServiceSpec
    image: Image
    log_level: str
    data: pulumi.Input[str] | None = None
    cache: CacheLogin | None = None
    check_contract: bool = False
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    traces: bool = False


class McpService(pulumi.ComponentResource):
    """Creates a service with its replicas, as infra.parts.service decides.

    Creates:
    - a network that only this service and the gateway share, without internet access unless the service declares it
    - files with the secrets that the stack gives to it, if there are any, and with the key that several replicas share
    - if contracts are enforced, the check of its image's tools, on which its containers depend
    - its containers, one per replica: with generated names, no published port, and the aliases `<service>-mcp` and
      `<service>-mcp-<replica>`; a new container is healthy before the old one is removed
    """

    network: docker.Network
    containers: list[docker.Container]

    def __init__(self, name: str, args: McpServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:service:McpService", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        part = service(
            args.spec,
            log_level=args.log_level,
            subnets=args.identity.subnets,
            data=bool(args.data),
            secrets=args.secrets,
            cache_user=args.cache.user if args.cache else None,
            traces=args.traces,
        )
        self.network = containers.declare_network(
            part.network, args.identity, child, internal=not part.network.internet_access
        )
        secrets = _secret_files(name, args, child) if part.secrets else None
        environment = [pulumi.Output.concat(f"{key}_FILE=", secrets.file(key)) for key in part.secrets if secrets]
        if args.check_contract:
            check = ContractCheck(
                name, ContractCheckArgs(args.identity, args.spec, args.image, part.environment), child
            )
            # The server does not read it. It makes the container depend on the outcome of the check.
            environment.append(pulumi.Output.concat("DYBER_TOOLS_SHA256=", check.sha256))
        volumes = {
            **({data_volume(name): args.data} if args.data else {}),
            **({secrets_volume(name): secrets.volume.name} if secrets else {}),
        }
        self.containers = [
            containers.declare_server(
                server,
                args.identity,
                args.image,
                child,
                networks={part.network.name: self.network.name},
                volumes=volumes,
                environment=environment,
                depends_on=[secrets.written] if secrets else [],
            )
            for server in part.servers
        ]
        self.register_outputs(
            {"containers": [container.name for container in self.containers], "network": self.network.name}
        )


def _secret_files(name: str, args: McpServiceArgs, opts: pulumi.ResourceOptions) -> SecretFiles:
    contents: dict[str, pulumi.Input[str]] = {key: secret.get_secret_value() for key, secret in args.secrets.items()}
    if args.cache:
        contents[CACHE_SECRET] = args.cache.password
    if args.spec.replicas > 1:
        key = random.RandomBytes(f"{name}-state-key", length=STATE_KEY_BYTES, opts=opts)
        contents[STATE_KEY_SECRET] = pulumi.Output.secret(key.hex)
    return SecretFiles(
        f"{name}-secrets",
        SecretFilesArgs(
            identity=args.identity,
            image=args.image,
            uid=args.spec.uid,
            owned=DATA_FOLDER,
            folder=SECRETS_FOLDER,
            contents=contents,
            processes=MAX_PROCESSES,
            interpreter=SHELL if has_shell(args.spec) else PYTHON,
        ),
        opts,
    )
