"""Gateway: Nginx in front of all services, and the delivery of its configuration without replacing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from stack import gateway_config
from stack.access import ClientToken
from stack.catalog import ServiceSpec
from stack.components import defaults
from stack.components.service import McpService
from stack.errors import ConfigurationError
from stack.images import Image
from stack.settings import GatewaySettings, StackSettings, stack_file

GATEWAY_UID = 20080
HTTP_PORT, HTTPS_PORT, DEVELOPMENT_PORT = 80, 443, 8080
STAGING = "/staging"
#: Seconds a stopping gateway waits for running calls.
DRAIN_SECONDS = 30


@dataclass(frozen=True)
class GatewayArgs:
    """`configuration` is the rendered text by relative path (stack.gateway_config.render)."""

    owner: defaults.Owner
    image: Image
    settings: GatewaySettings
    specs: list[ServiceSpec]
    services: list[McpService]
    configuration: pulumi.Input[dict[str, str]]


def published_ports(settings: GatewaySettings, specs: list[ServiceSpec]) -> list[tuple[int, int, str]]:
    """(port in the container, port on the host, address) of everything the gateway publishes.

    The old direct ports of the services stay on loopback whatever address the gateway is bound to.
    """
    own = [(port, settings.public(port), settings.bind) for port in (HTTP_PORT, HTTPS_PORT, DEVELOPMENT_PORT)]
    return own + [(spec.port, settings.public(spec.port), "127.0.0.1") for spec in specs]


def configuration(
    settings: StackSettings, specs: list[ServiceSpec], tokens: Mapping[str, ClientToken]
) -> pulumi.Output[dict[str, str]]:
    """The gateway's rendered configuration, by relative path. Raises ConfigurationError before anything is created."""
    try:
        gateway = gateway_config.GatewaySettings(
            server_names=settings.gateway.server_names,
            allowed_origins=settings.gateway.allowed_origins,
            max_body_mib=settings.gateway.max_body_mib,
        )
        services = [
            gateway_config.GatewayService(spec.name, spec.port, spec.title, spec.max_call_seconds) for spec in specs
        ]
        gateway_config.render(gateway, services, [])
    except ValueError as error:
        raise ConfigurationError(f"{stack_file(settings.stack)}: gateway: {error}") from error
    return pulumi.Output.all(**{client: token.sha256 for client, token in tokens.items()}).apply(
        lambda hashes: gateway_config.render(
            gateway,
            services,
            [gateway_config.GatewayClient(client, (value,)) for client, value in hashes.items()],
        )
    )


class Gateway(pulumi.ComponentResource):
    """Creates:
    - the gateway's container, in every service's network, the only one with host ports
    - a volume with its configuration, which the gateway sees read-only
    - a one-shot loader per configuration: checks it with `nginx -t` in the same image, switches, reloads

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
            f"{name}-edge", internal=False, labels=defaults.network_labels(args.owner, name), opts=child
        )
        volume = docker.Volume(f"{name}-configuration", labels=defaults.volume_labels(args.owner, name), opts=child)
        self.container = self._gateway(name, args, edge, volume)
        loader = self._loader(name, args, volume)
        self.configuration_version = pulumi.Output.all(loader.exit_code, loader.container_logs).apply(_outcome)
        self.register_outputs({"container": self.container.name, "configurationVersion": self.configuration_version})

    def _gateway(self, name: str, args: GatewayArgs, edge: docker.Network, volume: docker.Volume) -> docker.Container:
        networks = [edge.name, *(service.network.name for service in args.services)]
        return docker.Container(
            f"{name}-nginx",
            image=args.image.reference,
            labels=defaults.container_labels(args.owner, name),
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network) for network in networks],
            ports=[
                docker.ContainerPortArgs(internal=internal, external=external, ip=address)
                for internal, external, address in published_ports(args.settings, args.specs)
            ],
            mounts=[self._configuration_mount(volume, read_only=True)],
            read_only=True,
            tmpfs={path: "rw,nosuid,nodev,noexec,size=64m,mode=1777" for path in ("/run", "/tmp")},
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", "/usr/local/bin/gateway-healthcheck"], interval="3s", timeout="3s", retries=5
            ),
            wait=True,
            wait_timeout=60,
            stop_signal="SIGQUIT",
            stop_timeout=DRAIN_SECONDS,
            destroy_grace_seconds=DRAIN_SECONDS,
            restart="unless-stopped",
            must_run=True,
            **defaults.confined(uid=GATEWAY_UID, memory_mib=args.settings.memory_mib, cpus=2.0, processes=256),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.image.built_by,
                # Host ports cannot be held twice, so the old one must go first.
                delete_before_replace=True,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )

    def _loader(self, name: str, args: GatewayArgs, volume: docker.Volume) -> docker.Container:
        uploads = pulumi.Output.from_input(args.configuration).apply(
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
            **defaults.confined(uid=GATEWAY_UID, memory_mib=128, cpus=1.0, processes=256),
            opts=pulumi.ResourceOptions(parent=self, replace_on_changes=["mounts"]),
        )

    def _configuration_mount(self, volume: docker.Volume, *, read_only: bool) -> docker.ContainerMountArgs:
        return docker.ContainerMountArgs(
            target=gateway_config.CONFIGURATION_ROOT, type="volume", source=volume.name, read_only=read_only
        )


#: The loader's exit code when `nginx -t` said no (nginx/bin/apply-config); others are its own failures.
REFUSED = 2


def _outcome(result: list[object]) -> str:
    """The version that serves now: the loader's last line. Raises RunError with what it printed when it failed."""
    exit_code, logs = result
    words = str(logs or "").strip()
    if exit_code == REFUSED:
        raise pulumi.RunError(
            "网关拒绝了新配置，旧配置仍在服务。Nginx 的原话如下：\n"
            "The gateway refused the new configuration; the old one keeps serving. In Nginx's own words:\n" + words
        )
    if exit_code:
        raise pulumi.RunError(
            "新配置没有送达网关，旧配置仍在服务；Nginx 的话见网关容器的日志：\n"
            "The new configuration did not reach the gateway; the old one keeps serving. "
            "See also the log of the gateway's container:\n" + words
        )
    return words.splitlines()[-1] if words else ""
