"""Declares the profile `monitoring`: Prometheus, and the delivery of its configuration without a restart."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.components.docker import containers, defaults, one_shot
from infra.components.docker.images import Image
from infra.parts import monitoring as parts
from infra.rendering import monitoring as monitoring_configuration
from infra.services.catalog import ServiceSpec
from infra.settings.profiles import MonitoringSettings
from messages import tr


@dataclass(frozen=True)
class MonitoringArgs:
    """`specs` have the stack's values. `watches_cache`: the exporter of Redis is in the network.
    `watches_console`: the stack has the console. `hub_replicas` is how many containers the hub has. `data` is the name
    on the engine of the volume with the samples."""

    identity: defaults.StackIdentity
    image: Image
    settings: MonitoringSettings
    specs: list[ServiceSpec]
    watches_cache: bool
    watches_console: bool
    hub_replicas: int
    data: pulumi.Input[str]


class Monitoring(pulumi.ComponentResource):
    """Creates Prometheus with its configuration and data.

    Creates:
    - a network without internet access for Prometheus, the gateway and exporters; Prometheus reads the services'
      metrics through the gateway
    - a volume with its configuration, which Prometheus mounts read-only
    - Prometheus, replaced old first, as two cannot share the samples; people reach it through the gateway
    - a one-shot loader for each new configuration: it checks it with `promtool` in the same image, switches to it, and
      makes Prometheus reload

    A configuration or rule that promtool refuses fails the update with promtool's message; the old one stays in use.
    The update waits at most half a minute for Prometheus. If it does not start, its container keeps running and tries
    again (monitoring/bin/monitoring-run); it uses the new configuration once it starts.
    """

    network: docker.Network
    container: docker.Container
    configuration_version: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:monitoring:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.network = containers.declare_network(
            parts.network(args.identity.subnets), args.identity, child, internal=True
        )
        volume = docker.Volume(
            parts.CONFIGURATION_VOLUME, labels=defaults.volume_labels(args.identity, name), opts=child
        )
        self.container = containers.declare_server(
            parts.prometheus(args.settings),
            args.identity,
            args.image,
            child,
            networks={parts.NETWORK: self.network.name},
            volumes={parts.CONFIGURATION_VOLUME: volume.name, parts.DATA_VOLUME: args.data},
        )
        loader = self._loader(args, volume)
        self.configuration_version = one_shot.outcome(
            loader,
            refused="",
            failed=tr(
                "The new configuration did not reach Prometheus; the old one stays in use. See also the log of the "
                "container monitoring:"
            ),
        ).apply(one_shot.last_line)
        self.register_outputs({"container": self.container.name, "configurationVersion": self.configuration_version})

    def _loader(self, args: MonitoringArgs, volume: docker.Volume) -> docker.Container:
        files = monitoring_configuration.render(
            args.specs,
            cache=args.watches_cache,
            hub_replicas=args.hub_replicas,
            alerts=args.settings.alerts is not None,
            console=args.watches_console,
        )
        in_prometheus = pulumi.Output.concat("container:", self.container.id)
        return containers.declare_task(
            parts.LOADER,
            args.identity,
            args.image,
            pulumi.ResourceOptions(parent=self, replace_on_changes=["mounts"]),
            volumes={parts.CONFIGURATION_VOLUME: volume.name},
            network_mode=in_prometheus,
            pid_mode=in_prometheus,
            uploads=[containers.staged(path, text) for path, text in sorted(files.items())],
        )
