"""Declares the gateway, which is replaced new first, and the delivery of its configuration without replacing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.access import ClientToken
from infra.components.docker import containers, defaults, one_shot
from infra.components.docker.console import Console
from infra.components.docker.edge.certificate import (
    AcmeCertificate,
    CertificateFiles,
    CertificateFilesArgs,
    KeeperArgs,
    SelfSignedCertificate,
)
from infra.components.docker.edge.front import Front, FrontArgs
from infra.components.docker.hub import Hub
from infra.components.docker.images import FRONT, GATEWAY, Image
from infra.components.docker.monitoring import Monitoring
from infra.components.docker.service import McpService
from infra.parts import certificate
from infra.parts import gateway as parts
from infra.parts.composition import Composition
from infra.parts.console import LOG_VOLUME as CONSOLE_LOG
from infra.parts.console import NETWORK as CONSOLE_NETWORK
from infra.parts.hub import NETWORK as HUB_NETWORK
from infra.parts.monitoring import NETWORK as MONITORING_NETWORK
from infra.parts.service import network_name
from infra.rendering.gateway import inputs as gateway_inputs
from infra.rendering.gateway.model import GatewayNetworks, tls_names
from infra.rendering.hub.for_gateway import gateway_hub
from infra.services.catalog import ServiceSpec
from infra.settings.stack import StackSettings
from messages import tr


@dataclass(frozen=True)
class GatewayArgs:
    """`images` and `services` are by name, `tokens` by client; `monitoring`, `hub` and `console` are None in
    stacks without."""

    composition: Composition
    identity: defaults.StackIdentity
    images: Mapping[str, Image]
    services: Mapping[str, McpService]
    tokens: Mapping[str, ClientToken]
    monitoring: Monitoring | None = None
    hub: Hub | None = None
    console: Console | None = None

    @property
    def settings(self) -> StackSettings:
        """Return the settings of the stack."""
        return self.composition.settings

    @property
    def specs(self) -> list[ServiceSpec]:
        """Return the services of the stack, with the stack's values."""
        return self.composition.services

    @property
    def image(self) -> Image:
        """Return the image of the gateway."""
        return self.images[GATEWAY]


class Gateway(pulumi.ComponentResource):
    """Creates the gateway with its ports.

    Creates:
    - fronts, which publish its ports: one for the gateway's own ports, one for each service's direct port and one for
      Prometheus
    - the gateway's container, in every service's network and in those of Prometheus, of the hub and of the console; a
      new container serves before the old one drains
    - a volume with its configuration, which the gateway mounts read-only
    - a one-shot loader for each new configuration: it checks it with `nginx -t` in the same image, switches to it, and
      makes the gateway reload
    - the container that renews its certificate, unless the user provides one

    A configuration that Nginx refuses fails the update with Nginx's message; the old one stays in use. The gateway does
    not wait for the services. It finds their containers by name, so a service that does not start does not affect
    others, and a replaced container changes nothing here.
    """

    container: docker.Container
    configuration_version: pulumi.Output[str]

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:Gateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        edge = containers.declare_network(parts.edge(args.identity.subnets), args.identity, child, internal=False)
        volume = docker.Volume(
            parts.CONFIGURATION_VOLUME, labels=defaults.volume_labels(args.identity, name), opts=child
        )
        networks = {network_name(name): service.network.name for name, service in args.services.items()}
        monitoring: dict[str, pulumi.Output[str]] = {}
        if args.monitoring:
            monitoring[MONITORING_NETWORK] = args.monitoring.network.name
        hub = {HUB_NETWORK: args.hub.network.name} if args.hub else {}
        console = {CONSOLE_NETWORK: args.console.network.name} if args.console else {}
        log = {CONSOLE_LOG: args.console.log.name} if args.console else {}
        self.container = containers.declare_server(
            parts.gateway(
                args.settings.gateway,
                args.specs,
                list(networks),
                next(iter(monitoring), None),
                next(iter(hub), None),
                next(iter(console), None),
                takes_spans=args.settings.sends_traces,
            ),
            args.identity,
            args.image,
            child,
            networks={parts.EDGE: edge.name, **networks, **monitoring, **hub, **console},
            volumes={parts.CONFIGURATION_VOLUME: volume.name, **log},
        )
        loader = self._loader(
            args, volume, self._configuration(args, edge), self._certificate_files(name, args, volume)
        )
        fronts = self._fronts(args, edge)
        self._keeper(name, args, edge, volume, [self.container, loader, *fronts])
        self.configuration_version = one_shot.outcome(
            loader,
            refused=tr("The gateway refused the new configuration; the old one stays in use. Nginx says:"),
            failed=tr(
                "The new configuration did not reach the gateway; the old one stays in use. See also the log of the "
                "gateway's container:"
            ),
        ).apply(_version)
        self.register_outputs({"container": self.container.name, "configurationVersion": self.configuration_version})

    def _fronts(self, args: GatewayArgs, edge: docker.Network) -> list[Front]:
        # After the gateway, so that an open port is answered.
        opts = pulumi.ResourceOptions(parent=self, depends_on=[self.container])
        return [
            Front(front.name, FrontArgs(args.identity, args.images[FRONT], edge.name, front), opts)
            for front in parts.fronts(args.settings, args.specs)
        ]

    def _certificate_files(self, name: str, args: GatewayArgs, volume: docker.Volume) -> list[pulumi.Resource]:
        """Declare the container that stores the user's own certificate, if the settings name one."""
        if args.settings.gateway.tls.source != "files":
            return []
        files = gateway_inputs.tls_files(args.settings)
        stored = CertificateFiles(
            name,
            CertificateFilesArgs(
                identity=args.identity,
                image=args.image,
                volume=volume.name,
                certificate=files["certificateFile"],
                key=files["keyFile"],
                tls_names=tls_names(args.settings.gateway.server_names) or "\n",
                gateway=self.container,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        return [stored.container]

    def _keeper(
        self,
        name: str,
        args: GatewayArgs,
        edge: docker.Network,
        volume: docker.Volume,
        challenge_responders: list[pulumi.Resource],
    ) -> None:
        """Declare the container that renews the certificate; for ACME it starts once the challenges can be answered."""
        tls = args.settings.gateway.tls
        if tls.source == "self-signed":
            keeper = KeeperArgs(
                args.identity, args.image, certificate.self_signed(), volume.name, edge.name, self.container
            )
            SelfSignedCertificate(name, keeper, pulumi.ResourceOptions(parent=self))
        if tls.source == "acme":
            acme = certificate.acme(
                names=args.settings.gateway.dns_names,
                directory=tls.acme_directory,
                email=tls.acme_email or "",
                authorities=gateway_inputs.tls_files(args.settings).get("acmeCaFile", ""),
            )
            keeper = KeeperArgs(args.identity, args.image, acme, volume.name, edge.name, self.container)
            AcmeCertificate(name, keeper, pulumi.ResourceOptions(parent=self, depends_on=challenge_responders))

    def _configuration(self, args: GatewayArgs, edge: docker.Network) -> pulumi.Output[dict[str, str]]:
        hashes = pulumi.Output.all(**{client: token.sha256 for client, token in args.tokens.items()})
        content = args.composition.hub
        hub_token: pulumi.Input[str] = args.hub.token_sha256 if args.hub else ""
        monitoring: pulumi.Input[Sequence[Any]] = args.monitoring.network.ipam_configs if args.monitoring else []
        console: pulumi.Input[Sequence[Any]] = args.console.network.ipam_configs if args.console else []
        console_token: pulumi.Input[str] = args.console.token_sha256 if args.console else ""
        return pulumi.Output.all(hashes, edge.ipam_configs, monitoring, hub_token, console, console_token).apply(
            lambda values: gateway_inputs.configuration(
                args.settings,
                args.specs,
                values[0],
                GatewayNetworks(_subnets(values[1]), _subnets(values[2]), _subnets(values[4])),
                hub=gateway_hub(args.settings, content, values[3]) if content else None,
                console_token=values[5] or None,
            )
        )

    def _loader(
        self,
        args: GatewayArgs,
        volume: docker.Volume,
        configuration: pulumi.Output[dict[str, str]],
        certificate_stored: list[pulumi.Resource],
    ) -> docker.Container:
        uploads = configuration.apply(
            lambda files: [containers.staged(path, text) for path, text in sorted(files.items())]
        )
        return containers.declare_task(
            parts.loader(args.composition.settings.gateway),
            args.identity,
            args.image,
            pulumi.ResourceOptions(parent=self, depends_on=certificate_stored, replace_on_changes=["mounts"]),
            volumes={parts.CONFIGURATION_VOLUME: volume.name},
            pid_mode=pulumi.Output.concat("container:", self.container.id),
            uploads=uploads,
        )


def _version(lines: list[str]) -> str:
    """Return the last line of the loader, which is the version in use; show the lines before as warnings."""
    for line in lines[:-1]:
        pulumi.log.warn(line)
    return one_shot.last_line(lines)


def _subnets(ipam_configs: list[Any] | None) -> tuple[str, ...]:
    """Return the address ranges in the `ipam_configs` of a docker.Network."""
    return tuple(sorted(config["subnet"] for config in ipam_configs or [] if config.get("subnet")))
