"""Declares the parts that the built-in profiles add to a stack: the cache and monitoring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pulumi

from infra.components.docker.alerts import Alerts, AlertsArgs
from infra.components.docker.cache import (
    Cache,
    CacheAccess,
    CacheAccessArgs,
    CacheArgs,
    CacheExporter,
    CacheExporterArgs,
)
from infra.components.docker.data import DataVolumes
from infra.components.docker.defaults import StackIdentity
from infra.components.docker.images import Image, cache_image, monitoring_image
from infra.components.docker.monitoring import Monitoring, MonitoringArgs
from infra.components.docker.service import McpService
from infra.parts.alerts import ALERTS
from infra.parts.cache import CACHE_UID
from infra.parts.composition import Composition
from infra.parts.monitoring import MONITORING_UID
from infra.parts.published_ports import redis_port
from infra.parts.service import network_name
from infra.settings.profiles import CACHE, MONITORING


class Profiles:
    """Creates the cache and monitoring of a stack if it has these profiles.

    There are two steps, because services need `access` to the cache, and the cache needs the networks of the services.
    """

    images: dict[str, Image]
    #: The logins of the services that declare `cache: true`.
    access: CacheAccess | None = None
    cache: Cache | None = None
    monitoring: Monitoring | None = None
    #: What sends the alerts of monitoring, if they go anywhere.
    alerts: Alerts | None = None

    def __init__(
        self,
        composition: Composition,
        identity: StackIdentity,
        root: Path,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the images, and the users of Redis; `root` is the folder of the repository."""
        self._composition, self._identity, self._opts = composition, identity, opts
        settings = composition.settings
        self.images = {}
        if settings.has(CACHE):
            self.images[CACHE] = cache_image(settings, root / "cache", CACHE_UID, opts)
            users = [spec.name for spec in composition.services if spec.cache]
            self.access = CacheAccess(CACHE, CacheAccessArgs(identity, self.images[CACHE], settings.cache, users), opts)
        if settings.has(MONITORING):
            self.images[MONITORING] = monitoring_image(settings, root / "monitoring", MONITORING_UID, opts)

    def start(self, services: Mapping[str, McpService], data: DataVolumes) -> None:
        """Declare Redis and Prometheus for the services, with the data volumes of the two."""
        identity, opts = self._identity, self._opts
        settings, specs = self._composition.settings, self._composition.services
        if self.access:
            self.cache = Cache(
                CACHE,
                CacheArgs(
                    identity=identity,
                    image=self.images[CACHE],
                    settings=settings.cache,
                    access=self.access,
                    networks={
                        network_name(spec.name): services[spec.name].network.name for spec in specs if spec.cache
                    },
                    publish=redis_port(settings),
                    data=data.volume(CACHE),
                ),
                opts,
            )
        if settings.has(MONITORING):
            self.monitoring = Monitoring(
                MONITORING,
                MonitoringArgs(
                    identity=identity,
                    image=self.images[MONITORING],
                    settings=settings.monitoring,
                    specs=specs,
                    watches_cache=settings.has(CACHE),
                    watches_console=settings.has_console,
                    hub_replicas=settings.hub.replicas if self._composition.hub else 0,
                    data=data.volume(MONITORING),
                ),
                opts,
            )
            if settings.monitoring.alerts:
                self.alerts = Alerts(
                    ALERTS,
                    AlertsArgs(
                        identity=identity,
                        image=self.images[MONITORING],
                        settings=settings.monitoring.alerts,
                        monitoring_network=self.monitoring.network.name,
                    ),
                    opts,
                )
        if self.access and self.cache and self.monitoring:
            network = self.monitoring.network.name
            CacheExporter(
                f"{CACHE}-exporter",
                CacheExporterArgs(identity, self.images[CACHE], self.access, self.cache, network),
                opts,
            )
