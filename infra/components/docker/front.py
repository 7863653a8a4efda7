"""Front: holds host ports for the gateway, so that replacing the gateway costs no call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.components.docker import defaults
from infra.components.docker.images import Image
from infra.parts.published_ports import Published

FRONT_UID = 20079
STOP_SECONDS = 10
#: Added to the front's port for the second address of a port on the host (nginx/front/nginx.conf).
SECOND_ADDRESS = 30000


@dataclass(frozen=True)
class FrontArgs:
    """`ports`: where they are on the host, by the gateway's port; `network`: where the gateway is called `gateway`."""

    identity: defaults.StackIdentity
    image: Image
    network: pulumi.Input[str]
    ports: Mapping[int, Published]
    memory_mib: int


class Front(pulumi.ComponentResource):
    """Creates one container that publishes `ports` and passes their connections on, with the caller's address.

    Host ports cannot be held twice, so it is replaced old-first; but nothing that changes in daily use is in it:
    its configuration is part of its image, and each service's direct port has a front of its own.
    """

    container: docker.Container

    def __init__(self, name: str, args: FrontArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:Front", name, None, opts)
        self.container = docker.Container(
            f"{name}-nginx",
            image=args.image.reference,
            labels=defaults.container_labels(args.identity, name),
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=args.network)],
            ports=_ports(args.ports),
            read_only=True,
            tmpfs=defaults.SMALL_TMP,
            healthcheck=defaults.healthcheck("/usr/local/bin/front-healthcheck"),
            wait=True,
            wait_timeout=60,
            stop_signal="SIGQUIT",
            stop_timeout=STOP_SECONDS,
            destroy_grace_seconds=STOP_SECONDS,
            restart=defaults.RESTART,
            must_run=True,
            **defaults.confined(uid=FRONT_UID, memory_mib=args.memory_mib, cpus=1.0, processes=1024),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.image.built_by,
                delete_before_replace=True,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )
        self.register_outputs({"container": self.container.name})


def _ports(ports: Mapping[int, Published]) -> list[docker.ContainerPortArgs]:
    """No two of them lead to the same port of the container: of those the engine tells the order of its own, which the
    provider would take for a change."""
    found = [
        (internal + number * SECOND_ADDRESS, external, address)
        for internal, (external, addresses) in ports.items()
        for number, address in enumerate(addresses)
    ]
    return [
        docker.ContainerPortArgs(internal=internal, external=external, ip=address)
        for internal, external, address in sorted(found)
    ]
