"""Declares a front, which publishes ports of the host for the gateway, so that replacing the gateway loses no call."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.components.docker import containers, defaults
from infra.components.docker.images import Image
from infra.parts import gateway as parts


@dataclass(frozen=True)
class FrontArgs:
    """`network` is the name on the engine of the network in which the gateway has the name `gateway`."""

    identity: defaults.StackIdentity
    image: Image
    network: pulumi.Input[str]
    front: parts.Front


class Front(pulumi.ComponentResource):
    """Creates a container that publishes ports and passes their connections to the gateway, with the caller's address.

    Two containers cannot publish the same port, so it is replaced old first. That is rare, because its configuration is
    part of its image, and each service's direct port has its own front.
    """

    container: docker.Container

    def __init__(self, name: str, args: FrontArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:Front", name, None, opts)
        self.container = containers.declare_server(
            args.front.server,
            args.identity,
            args.image,
            pulumi.ResourceOptions(parent=self),
            networks={parts.EDGE: args.network},
            ports=[
                docker.ContainerPortArgs(internal=internal, external=external, ip=address)
                for internal, external, address in args.front.ports
            ],
        )
        self.register_outputs({"container": self.container.name})
