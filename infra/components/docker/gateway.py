"""Gateway: Nginx in front of all services, replaced new-first, and the delivery of its configuration without that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.access import ClientToken
from infra.components.docker import defaults, one_shot
from infra.components.docker.certificate import (
    AcmeCertificate,
    AcmeCertificateArgs,
    CertificateFiles,
    CertificateFilesArgs,
    SelfSignedCertificate,
    SelfSignedCertificateArgs,
)
from infra.components.docker.front import Front, FrontArgs
from infra.components.docker.images import Image
from infra.components.docker.monitoring import Monitoring
from infra.components.docker.service import DRAIN_MARGIN_SECONDS, McpService
from infra.rendering import gateway_config, gateway_inputs
from infra.rendering.gateway_model import tls_names
from infra.rendering.monitoring_config import GATEWAY_HOST
from infra.services.catalog import ServiceSpec
from infra.services.ports import MONITORING_PORT
from infra.settings.stack import StackSettings

GATEWAY_UID = 20080
#: Of the gateway's user on the engine: the old and the new gateway, a loader, what brings certificates.
MAX_PROCESSES = 512
STAGING = "/staging"
#: Name of the gateway's containers on the network that it shares with the fronts (nginx/front/nginx.conf).
ALIAS = "gateway"
DIRECT_FRONT_MEMORY_MIB = 64


@dataclass(frozen=True)
class GatewayArgs:
    """`specs` with the stack's own values; `services`, `tokens` and `monitoring` as declared in this program."""

    owner: defaults.Owner
    image: Image
    front_image: Image
    settings: StackSettings
    specs: list[ServiceSpec]
    services: list[McpService]
    tokens: Mapping[str, ClientToken]
    monitoring: Monitoring | None = None


class Gateway(pulumi.ComponentResource):
    """The gateway with its ports.

    Creates:
    - fronts, which alone publish its ports: one for the gateway's own, one for each service's direct port and one for
      that of Prometheus
    - the gateway's container, in every service's network and in that of Prometheus; a new one serves before the old one drains
    - a volume with its configuration, which the gateway sees read-only
    - a one-shot loader per configuration: checks it with `nginx -t` in the same image, switches, reloads
    - what renews its certificate, unless that is the user's own

    A configuration that Nginx refuses fails the update with Nginx's own words; the old one keeps serving.
    Neither waits for the services: the gateway finds their containers by name, so one that does not start
    keeps nobody else from being served, and a replaced one changes nothing here.
    """

    container: docker.Container
    configuration_version: pulumi.Output[str]

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:Gateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        edge = docker.Network(
            f"{name}-edge",
            internal=False,
            **defaults.network_arguments(args.owner, name, args.owner.subnets.edge()),
            opts=child,
        )
        volume = docker.Volume(f"{name}-configuration", labels=defaults.volume_labels(args.owner, name), opts=child)
        self.container = self._gateway(name, args, edge, volume)
        loader = self._loader(name, args, volume, self._configuration(args, edge), self._own_files(name, args, volume))
        fronts = self._fronts(name, args, edge)
        self._keeper(name, args, edge, volume, [self.container, loader, *fronts])
        self.configuration_version = one_shot.outcome(
            loader,
            refused="网关拒绝了新配置，旧配置仍在服务。Nginx 的原话如下：\n"
            "The gateway refused the new configuration; the old one keeps serving. In Nginx's own words:",
            failed="新配置没有送达网关，旧配置仍在服务；Nginx 的话见网关容器的日志：\n"
            "The new configuration did not reach the gateway; the old one keeps serving. "
            "See also the log of the gateway's container:",
        ).apply(_version)
        self.register_outputs({"container": self.container.name, "configurationVersion": self.configuration_version})

    def _fronts(self, name: str, args: GatewayArgs, edge: docker.Network) -> list[Front]:
        # After the gateway: whoever finds an open port finds somebody behind it.
        opts = pulumi.ResourceOptions(parent=self, depends_on=[self.container])
        ports = gateway_inputs.gateway_ports(args.settings, args.specs)
        own = {spec.port: f"{spec.name}-direct" for spec in args.specs}
        if args.monitoring:
            own[MONITORING_PORT] = "monitoring-direct"
        shared = {port: public for port, public in ports.items() if port not in own}
        held = [
            (f"{name}-front", args.settings.gateway.memory_mib, shared),
            *[(front, DIRECT_FRONT_MEMORY_MIB, {port: ports[port]}) for port, front in own.items()],
        ]
        return [
            Front(front, FrontArgs(args.owner, args.front_image, edge.name, published, memory_mib), opts)
            for front, memory_mib, published in held
        ]

    def _own_files(self, name: str, args: GatewayArgs, volume: docker.Volume) -> list[pulumi.Resource]:
        """What stores the user's own certificate, if the settings name one."""
        if args.settings.gateway.tls.source != "files":
            return []
        files = gateway_inputs.tls_files(args.settings)
        stored = CertificateFiles(
            name,
            CertificateFilesArgs(
                owner=args.owner,
                image=args.image,
                uid=GATEWAY_UID,
                volume=volume.name,
                certificate=files["certificateFile"],
                key=files["keyFile"],
                tls_names=tls_names(args.settings.gateway.server_names) or "\n",
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
        answers_challenges: list[pulumi.Resource],
    ) -> None:
        """What renews the certificate; for ACME what gets it, too, once its challenges can be answered."""
        tls = args.settings.gateway.tls
        if tls.source == "self-signed":
            keeper = SelfSignedCertificateArgs(args.owner, args.image, GATEWAY_UID, volume.name)
            SelfSignedCertificate(name, keeper, pulumi.ResourceOptions(parent=self))
        if tls.source != "acme":
            return
        AcmeCertificate(
            name,
            AcmeCertificateArgs(
                owner=args.owner,
                image=args.image,
                uid=GATEWAY_UID,
                volume=volume.name,
                network=edge.name,
                names=args.settings.gateway.dns_names,
                directory=tls.acme_directory,
                email=tls.acme_email or "",
                authorities=gateway_inputs.tls_files(args.settings).get("acmeCaFile", ""),
            ),
            pulumi.ResourceOptions(parent=self, depends_on=answers_challenges),
        )

    def _configuration(self, args: GatewayArgs, edge: docker.Network) -> pulumi.Output[dict[str, str]]:
        hashes = pulumi.Output.all(**{client: token.sha256 for client, token in args.tokens.items()})
        monitoring: pulumi.Input[Sequence[Any]] = args.monitoring.network.ipam_configs if args.monitoring else []
        return pulumi.Output.all(hashes, edge.ipam_configs, monitoring).apply(
            lambda known: gateway_inputs.configuration(
                args.settings, args.specs, known[0], _subnets(known[1]), _subnets(known[2])
            )
        )

    def _gateway(self, name: str, args: GatewayArgs, edge: docker.Network, volume: docker.Volume) -> docker.Container:
        # SIGQUIT lets running calls end; streams that are still open then are cut.
        drain_seconds = max(spec.max_call_seconds for spec in args.specs) + DRAIN_MARGIN_SECONDS
        return docker.Container(
            f"{name}-nginx",
            image=args.image.reference,
            labels=defaults.container_labels(args.owner, name),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(name=edge.name, aliases=[ALIAS]),
                *[docker.ContainerNetworksAdvancedArgs(name=service.network.name) for service in args.services],
                *self._monitoring_network(args),
            ],
            mounts=[self._configuration_mount(volume, read_only=True)],
            read_only=True,
            tmpfs={
                path: f"rw,nosuid,nodev,noexec,size={mib}m,mode=1777"
                for path, mib in {"/run": 64, "/tmp": args.settings.gateway.body_memory_mib}.items()
            },
            healthcheck=defaults.healthcheck("/usr/local/bin/gateway-healthcheck"),
            wait=True,
            wait_timeout=60,
            stop_signal="SIGQUIT",
            stop_timeout=drain_seconds,
            destroy_grace_seconds=drain_seconds,
            restart=defaults.RESTART,
            must_run=True,
            **defaults.confined(
                uid=GATEWAY_UID, memory_mib=args.settings.gateway.memory_mib, cpus=2.0, processes=MAX_PROCESSES
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.image.built_by,
                delete_before_replace=False,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )

    def _monitoring_network(self, args: GatewayArgs) -> list[docker.ContainerNetworksAdvancedArgs]:
        if not args.monitoring:
            return []
        return [docker.ContainerNetworksAdvancedArgs(name=args.monitoring.network.name, aliases=[GATEWAY_HOST])]

    def _loader(
        self,
        name: str,
        args: GatewayArgs,
        volume: docker.Volume,
        configuration: pulumi.Output[dict[str, str]],
        certificate: list[pulumi.Resource],
    ) -> docker.Container:
        uploads = configuration.apply(
            lambda files: [
                docker.ContainerUploadArgs(file=f"{STAGING}/{path}", content=text, permissions="0444")
                for path, text in sorted(files.items())
            ]
        )
        return docker.Container(
            f"{name}-loader",
            image=args.image.reference,
            command=["/usr/local/bin/apply-config", STAGING],
            labels=defaults.container_labels(args.owner, f"{name}-loader"),
            network_mode="none",
            pid_mode=pulumi.Output.concat("container:", self.container.id),
            mounts=[self._configuration_mount(volume, read_only=False)],
            uploads=uploads,
            must_run=False,
            attach=True,
            logs=True,
            restart="no",
            **defaults.confined(uid=GATEWAY_UID, memory_mib=128, cpus=1.0, processes=MAX_PROCESSES),
            opts=pulumi.ResourceOptions(parent=self, depends_on=certificate, replace_on_changes=["mounts"]),
        )

    def _configuration_mount(self, volume: docker.Volume, *, read_only: bool) -> docker.ContainerMountArgs:
        return docker.ContainerMountArgs(
            target=gateway_config.CONFIGURATION_ROOT, type="volume", source=volume.name, read_only=read_only
        )


def _version(lines: list[str]) -> str:
    """The version that serves now: the loader's last line. Its warnings are shown."""
    for line in lines[:-1]:
        pulumi.log.warn(line)
    return one_shot.last_line(lines)


def _subnets(ipam_configs: list[Any] | None) -> list[str]:
    """The networks' address ranges, of a docker.Network's `ipam_configs`."""
    return sorted(config["subnet"] for config in ipam_configs or [] if config.get("subnet"))
