"""Declares the hub with its network, its token and its containers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from infra.components.docker import containers
from infra.components.docker.defaults import StackIdentity
from infra.components.docker.images import Image
from infra.components.docker.secret_files import SecretFiles, SecretFilesArgs
from infra.parts import hub as parts
from infra.parts.composition import Composition
from infra.parts.service import SECRETS_FOLDER
from infra.rendering.hub.content import HubContent, catalogue
from infra.rendering.hub.logins import authorities, introspection_secrets, logins

TOKEN_BYTES = 32


@dataclass(frozen=True)
class HubArgs:
    """`content` is what the hub offers (infra.rendering.hub.content)."""

    composition: Composition
    content: HubContent
    identity: StackIdentity
    image: Image


class Hub(pulumi.ComponentResource):
    """Creates the hub, which lists the tools of all services and makes the calls that the gateway cannot pass on.

    Creates:
    - a network that only the hub and the gateway share; it has internet access only in stacks with logins, whose
      identity providers the hub asks
    - its token, with which it calls the services through the gateway; the gateway gets only its hash
    - a volume with the files of the token, of its secrets at identity providers, of the catalogue, and of the identity
      providers
    - its containers, one per replica; a changed catalogue is a new file, so it replaces them, and a new container is
      healthy before the old one is removed
    """

    network: docker.Network
    containers: list[docker.Container]
    #: The SHA-256 of the token as 64 hex digits; it is not secret, as it tells nothing about 256 random bits.
    token_sha256: pulumi.Output[str]

    def __init__(self, name: str, args: HubArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:hub:Hub", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, specs = args.composition.settings, args.composition.services
        part = parts.hub(settings, specs, args.identity.subnets)
        self.network = containers.declare_network(
            part.network, args.identity, child, internal=not part.network.internet_access
        )
        token: pulumi.Output[str] = pulumi.Output.secret(
            random.RandomBytes(f"{name}-token", length=TOKEN_BYTES, opts=child).hex
        )
        self.token_sha256 = pulumi.Output.unsecret(token.apply(lambda text: hashlib.sha256(text.encode()).hexdigest()))
        plain = {parts.CATALOGUE: catalogue(args.content, specs, search=settings.hub.search)}
        plain_files = {parts.CATALOGUE_VARIABLE: parts.CATALOGUE}
        if settings.gateway.oauth:
            plain[parts.LOGINS] = logins(settings.gateway.oauth, authorities(settings))
            plain_files[parts.LOGINS_VARIABLE] = parts.LOGINS
        contents: dict[str, pulumi.Input[str]] = {
            parts.TOKEN_SECRET: token,
            **introspection_secrets(settings.gateway.oauth),
        }
        secrets = SecretFiles(
            parts.SECRETS_VOLUME,
            SecretFilesArgs(
                identity=args.identity,
                image=args.image,
                uid=parts.HUB_UID,
                owned=parts.OWNED_FOLDER,
                folder=SECRETS_FOLDER,
                contents=contents,
                processes=parts.MAX_PROCESSES,
                plain=plain,
            ),
            child,
        )
        self.containers = [
            containers.declare_server(
                server,
                args.identity,
                args.image,
                child,
                networks={parts.NETWORK: self.network.name},
                volumes={parts.SECRETS_VOLUME: secrets.volume.name},
                environment=[
                    *(pulumi.Output.concat(f"{name}=", secrets.file(file)) for name, file in plain_files.items()),
                    *(pulumi.Output.concat(f"{secret}_FILE=", secrets.file(secret)) for secret in contents),
                ],
                depends_on=[secrets.written],
            )
            for server in part.servers
        ]
        self.register_outputs(
            {"containers": [container.name for container in self.containers], "network": self.network.name}
        )
