"""What the built-in profiles add to a stack: the cache, monitoring, neither or both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pulumi

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
from infra.parts.cache import CACHE_UID
from infra.parts.monitoring import MONITORING_UID
from infra.parts.published_ports import redis_port
from infra.parts.service import network_name
from infra.services.catalog import ServiceSpec
from infra.settings.profiles import CACHE, MONITORING
from infra.settings.stack import StackSettings


class Profiles:
    """The cache and monitoring of a stack, where its `profiles` ask for them.

    In two steps, as the services stand between them: they need `access` to the cache, and the cache needs their
    networks.
    """

    images: dict[str, Image]
    #: For the services that declare `cache: true`.
    access: CacheAccess | None = None
    cache: Cache | None = None
    monitoring: Monitoring | None = None

    def __init__(
        self,
        settings: StackSettings,
        identity: StackIdentity,
        root: Path,
        specs: list[ServiceSpec],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`root` is the repository, `specs` are the stack's services."""
        self._settings, self._owner, self._opts = settings, identity, opts
        self.images = {}
        if settings.has(CACHE):
            self.images[CACHE] = cache_image(settings, root / "cache", CACHE_UID, opts)
            users = [spec.name for spec in specs if spec.cache]
            self.access = CacheAccess(CACHE, CacheAccessArgs(identity, self.images[CACHE], settings.cache, users), opts)
        if settings.has(MONITORING):
            self.images[MONITORING] = monitoring_image(settings, root / "monitoring", MONITORING_UID, opts)

    def start(self, specs: list[ServiceSpec], services: Mapping[str, McpService], data: DataVolumes) -> None:
        """Declare Redis and Prometheus, for these services, with their data volumes."""
        settings, identity, opts = self._settings, self._owner, self._opts
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
                    data=data.volume(MONITORING),
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
