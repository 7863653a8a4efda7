"""The profile `monitoring`: Prometheus, and the delivery of its configuration without a restart."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.components.docker import defaults, one_shot
from infra.components.docker.images import Image
from infra.rendering import monitoring_config
from infra.services.catalog import ServiceSpec
from infra.services.ports import MONITORING_PORT
from infra.settings.profiles import MonitoringSettings

MONITORING_UID = 29090
#: Name of Prometheus on its network (nginx/templates/servers.conf.j2).
ALIAS = "prometheus"
STAGING = "/staging"
MAX_PROCESSES = 256
STOP_SECONDS = 30
#: Of the container's memory, what Go may take before it collects its garbage more often.
GO_MEMORY_SHARE = 0.85


@dataclass(frozen=True)
class MonitoringArgs:
    """`specs` with the stack's own values. `watches_cache`: there is an exporter of Redis in the network.
    `data`: the mount of the volume with the samples."""

    owner: defaults.Owner
    image: Image
    settings: MonitoringSettings
    specs: list[ServiceSpec]
    watches_cache: bool
    data: docker.ContainerMountArgs


class Monitoring(pulumi.ComponentResource):
    """Prometheus with its configuration and data.

    Creates:
    - a network without a way out, for Prometheus, the gateway and exporters; services are read through the gateway
    - a volume with its configuration, which Prometheus sees read-only
    - Prometheus, replaced old-first, as two cannot share the samples; the gateway passes people on to it
    - a one-shot loader per configuration: checks it with `promtool` in the same image, switches, reloads

    A configuration or rule that promtool refuses fails the update with its words; the old one stays in use. The update
    waits for Prometheus half a minute at most: where it does not come up, its container runs on and tries again
    (monitoring/bin/monitoring-run), and takes the configuration when it starts.
    """

    network: docker.Network
    container: docker.Container
    configuration_version: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:monitoring:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.network = docker.Network(
            f"{name}-network",
            internal=True,
            **defaults.network_arguments(args.owner, name, args.owner.subnets.part("monitoring")),
            opts=child,
        )
        volume = docker.Volume(f"{name}-configuration", labels=defaults.volume_labels(args.owner, name), opts=child)
        self.container = self._prometheus(name, args, volume)
        loader = self._loader(name, args, volume)
        self.configuration_version = one_shot.outcome(
            loader,
            refused="",
            failed="新配置没有送达 Prometheus，旧配置仍在使用；Prometheus 的话见 monitoring 容器的日志：\n"
            "The new configuration did not reach Prometheus; the old one stays in use. "
            "See also the log of the container monitoring:",
        ).apply(one_shot.last_line)
        self.register_outputs({"container": self.container.name, "configurationVersion": self.configuration_version})

    def _prometheus(self, name: str, args: MonitoringArgs, volume: docker.Volume) -> docker.Container:
        settings = args.settings
        return docker.Container(
            f"{name}-prometheus",
            image=args.image.reference,
            command=[
                "prometheus",
                f"--config.file={monitoring_config.CONFIGURATION_ROOT}/current/prometheus.yml",
                "--storage.tsdb.path=/data",
                f"--storage.tsdb.retention.time={settings.retention}",
                f"--storage.tsdb.retention.size={settings.disk_mib}MB",
                f"--web.listen-address=0.0.0.0:{MONITORING_PORT}",
                # No page of another origin.
                "--web.cors.origin=$^",
                # Neither must one question take all memory.
                "--query.max-concurrency=4",
                "--query.max-samples=5000000",
            ],
            envs=[f"GOMEMLIMIT={int(settings.memory_mib * GO_MEMORY_SHARE)}MiB"],
            labels=defaults.container_labels(args.owner, name),
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=self.network.name, aliases=[ALIAS])],
            mounts=[
                _configuration_mount(volume, read_only=True),
                args.data,
            ],
            read_only=True,
            tmpfs=defaults.SMALL_TMP,
            healthcheck=defaults.healthcheck("/usr/local/bin/monitoring-healthcheck", start_period="2m0s"),
            # Services do without it, so nothing waits for it; the loader does, for a moment.
            wait=False,
            stop_signal="SIGTERM",
            stop_timeout=STOP_SECONDS,
            destroy_grace_seconds=STOP_SECONDS,
            restart=defaults.RESTART,
            must_run=True,
            **defaults.confined(uid=MONITORING_UID, memory_mib=settings.memory_mib, cpus=1.0, processes=MAX_PROCESSES),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.image.built_by,
                delete_before_replace=True,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )

    def _loader(self, name: str, args: MonitoringArgs, volume: docker.Volume) -> docker.Container:
        files = monitoring_config.render(args.specs, cache=args.watches_cache)
        in_prometheus = pulumi.Output.concat("container:", self.container.id)
        return docker.Container(
            f"{name}-loader",
            image=args.image.reference,
            command=["/usr/local/bin/apply-monitoring", STAGING],
            labels=defaults.container_labels(args.owner, f"{name}-loader"),
            network_mode=in_prometheus,
            pid_mode=in_prometheus,
            mounts=[_configuration_mount(volume, read_only=False)],
            uploads=[
                docker.ContainerUploadArgs(file=f"{STAGING}/{path}", content=text, permissions="0444")
                for path, text in sorted(files.items())
            ],
            must_run=False,
            attach=True,
            logs=True,
            restart="no",
            **defaults.confined(uid=MONITORING_UID, memory_mib=128, cpus=1.0, processes=MAX_PROCESSES),
            opts=pulumi.ResourceOptions(parent=self, replace_on_changes=["mounts"]),
        )


def _configuration_mount(volume: docker.Volume, *, read_only: bool) -> docker.ContainerMountArgs:
    return docker.ContainerMountArgs(
        target=monitoring_config.CONFIGURATION_ROOT, type="volume", source=volume.name, read_only=read_only
    )
