"""Builds the service of a foreign server: the tools of its lock, and the servers that handle their calls."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio

from dyber_kit.bridge.children import Children, SessionChildren, SharedChildren
from dyber_kit.bridge.listing import Lock
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.metrics import BridgeMetrics
from dyber_kit.bridge.offering.calls import Backend
from dyber_kit.bridge.offering.completions import ForeignSuggestions
from dyber_kit.bridge.offering.prompts import prompt_offers
from dyber_kit.bridge.offering.resources import resource_offers
from dyber_kit.bridge.offering.tools import declarations
from dyber_kit.bridge.settings import (
    DEFAULT_LOCK_FILE,
    LOCK_FILE_SETTING,
    BridgeSettings,
    Values,
    read_settings,
)
from dyber_kit.bridge.supervisor import Supervisor, Timings
from dyber_kit.bridge.transports.endpoints import Endpoint, StdioEndpoint
from dyber_kit.language import tr
from dyber_kit.observing.metrics import Metrics
from dyber_kit.serving.app import NotConfigured, ServiceApp, create_app
from dyber_kit.settings import Settings

#: Version of a service whose server has none: a remote one.
VERSION = "1.0.0"


def build_app(
    settings: Settings | None = None,
    bridge: BridgeSettings | None = None,
    lock: Lock | None = None,
    timings: Timings | None = None,
) -> ServiceApp:
    """Return the application of the foreign server that the files in the image describe.

    Args:
        settings: The settings of the process; those of the environment by default.
        bridge: How the server is started or reached; by default what DYBER_BRIDGE_FILE holds.
        lock: The tools; by default what DYBER_LOCK_FILE holds.
        timings: How long the bridge waits for the server.

    Raises:
        ValueError: A file or a variable cannot be used; the message names it and the reason.
    """
    bridge = bridge or read_settings()
    lock = lock or Lock.read(Path(os.environ.get(LOCK_FILE_SETTING) or DEFAULT_LOCK_FILE))
    settings = settings or _process_settings(bridge)
    timings = timings or Timings()
    values = Values(bridge)
    masker = Masker(values.secrets.values())
    metrics = Metrics(bridge.service)
    bridge_metrics = BridgeMetrics(metrics)
    missing = tuple(values.missing)
    children = None
    if not missing:
        endpoint = make_endpoint(bridge, values, bridge_metrics, settings.data_dir)
        children = _children(
            bridge, lambda: Supervisor(endpoint, bridge, lock, masker, bridge_metrics, timings), timings
        )
        lanes = children
        bridge_metrics.watch(
            lambda: sum(lane.supervisor.is_up for lane in lanes.lanes),
            lambda: sum(lane.supervisor.resident_bytes for lane in lanes.lanes),
        )

    async def ready() -> str | None:
        if children is None:
            return NotConfigured(tr("Required secrets are not set: {names}", names=", ".join(missing)))
        return None if children.problem is None else str(children.problem)

    backend = Backend(children, missing, masker)
    return create_app(
        name=bridge.service,
        title=bridge.title,
        version=bridge.version or VERSION,
        instructions=lock.instructions or "",
        tools=declarations(bridge, lock, backend),
        prompts=prompt_offers(lock, backend),
        resources=resource_offers(lock, backend),
        suggestions=ForeignSuggestions(lock, backend),
        lifespan=_lifespan(children),
        ready=ready,
        details=lambda: _details(children),
        settings=settings,
        metrics=metrics,
    )


def make_endpoint(
    bridge: BridgeSettings, values: Values, metrics: BridgeMetrics, data_dir: Path | None = None
) -> Endpoint:
    """Return how the server of the settings is started or reached."""
    if bridge.transport == "stdio":
        return StdioEndpoint(bridge, values, metrics, data_dir)
    # This import is here because most servers are children that speak over stdio.
    from dyber_kit.bridge.transports.http import HttpEndpoint

    return HttpEndpoint(bridge, values, data_dir)


def _process_settings(bridge: BridgeSettings) -> Settings:
    settings = Settings.from_environment()
    if os.environ.get("MAX_CALL_SECONDS", "").strip():
        return settings
    return replace(settings, max_call_seconds=bridge.max_call_seconds)


def _children(bridge: BridgeSettings, make: Callable[[], Supervisor], timings: Timings) -> Children:
    if bridge.child == "session":
        return SessionChildren(make, bridge.max_children, bridge.max_in_flight, timings)
    return SharedChildren(make, bridge.max_children if bridge.child == "pool" else 1, bridge.max_in_flight)


def _details(children: Children | None) -> dict[str, str]:
    """Return what is the matter with the server although calls can be served, for /ready."""
    found: dict[str, str] = {}
    for lane in children.lanes if children else ():
        supervisor = lane.supervisor
        if supervisor.unreachable is not None:
            found["unreachable"] = str(supervisor.unreachable)
        if supervisor.differences.count:
            found["differs"] = supervisor.differences.told()
    return found


def _lifespan(children: Children | None) -> Callable[[], AbstractAsyncContextManager[None]] | None:
    if children is None:
        return None
    running = children

    @asynccontextmanager
    async def run_children() -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            await tasks.start(running.run)
            yield
            tasks.cancel_scope.cancel()

    return run_children
