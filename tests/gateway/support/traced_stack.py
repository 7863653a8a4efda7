"""Runs the real gateway, hub, template service and console, whose spans all reach a collector."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import template_stand_in
import uvicorn
from dyber_console.records import calls
from dyber_console.records.model import Call
from dyber_console.records.store import Store
from dyber_kit import Settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from template_server.service import build_app

from infra.rendering.gateway.model import GatewayClient, GatewayConsole, GatewayHub, GatewayService
from infra.services.ports import HUB_PORT
from tests.console.support.gateway import StandInGateway
from tests.console.support.running import RunningConsole, console_on
from tests.gateway.support.docker_cli import CONFINED, LABEL, archive, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import TOKEN, GatewayUnderTest
from tests.gateway.support.hub_under_test import HUB_TOKEN, PATIENT, RELAY_PORT
from tests.gateway.support.relay import relay
from tests.stand_in.hub import services as hub_services
from tests.stand_in.running import free_port, process, running

PORT = 9000
TOOLS = ("template_echo", "template_search", "template_get")
#: A replica that is ready, and breaks the connection of every call.
BREAKING = f"""
pid /tmp/nginx.pid;
error_log stderr crit;
events {{ }}
http {{
    access_log off;
    client_body_temp_path /tmp/a;
    proxy_temp_path /tmp/b;
    fastcgi_temp_path /tmp/c;
    uwsgi_temp_path /tmp/d;
    scgi_temp_path /tmp/e;
    server {{
        listen {PORT};
        location = /ready {{ return 200 '{{"status":"ready","service":"template-mcp","version":"1.0.0","tools":4}}'; }}
        location / {{ return 444; }}
    }}
}}
"""


@dataclass
class Collector:
    """Holds the spans that reached it, each with the name of its service."""

    spans: list[tuple[str, Span]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        for group in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
            about = {entry.key: entry.value.string_value for entry in group.resource.attributes}
            self.spans += [(about["service.name"], span) for scope in group.scope_spans for span in scope.spans]
        return Response(media_type="application/x-protobuf")

    def trace(self, trace_id: str) -> list[tuple[str, Span]]:
        """Return the spans of a trace by their start."""
        found = [each for each in self.spans if each[1].trace_id.hex() == trace_id]
        return sorted(found, key=lambda each: each[1].start_time_unix_nano)


@dataclass
class TracedStack:
    """The running parts."""

    gateway: GatewayUnderTest
    console: RunningConsole
    collector: Collector
    _lines: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port(80)}"

    def deliver_log(self) -> None:
        """Give the console the lines that the gateway has written since the last time, as syslog does."""
        lines = self.gateway.logs()[0]
        for line in lines[self._lines :]:
            self.console.send_line(json.dumps(line))
        self._lines = len(lines)

    def recorded(self, request_id: str) -> Call:
        """Return the call as the console has recorded it."""
        found: list[Call] = []

        def present() -> bool:
            self.deliver_log()
            store = self.store()
            try:
                call = calls.by_request(store, request_id)
                found[:] = [call] if call is not None else []
            finally:
                store.close()
            return bool(found)

        wait_until(present, f"the console has recorded {request_id}")
        return found[0]

    def store(self) -> Store:
        """Open the console's records."""
        return Store(self.console.settings.data_dir / "console.sqlite")

    def tree(self, trace_id: str, least: int) -> list[tuple[int, str, str]]:
        """Return depth, service and name of the spans of a trace, once there are so many of them."""

        def complete() -> bool:
            self.deliver_log()
            spans = self.collector.trace(trace_id)
            known = {span.span_id for _, span in spans}
            roots = [service for service, span in spans if span.parent_span_id not in known]
            return len(spans) >= least and roots == ["gateway"]

        wait_until(complete, f"{least} spans of {trace_id} have reached the collector")
        time.sleep(0.3)  # Another one would be an error.
        spans = self.collector.trace(trace_id)
        known = {span.span_id for _, span in spans}
        below: dict[bytes, list[tuple[str, Span]]] = {}
        for each in spans:
            below.setdefault(each[1].parent_span_id if each[1].parent_span_id in known else b"", []).append(each)
        rows: list[tuple[int, str, str]] = []

        def add(parent: bytes, depth: int) -> None:
            for service, span in below.get(parent, []):
                rows.append((depth, service, span.name))
                add(span.span_id, depth + 1)

        add(b"", 0)
        return rows


@contextmanager
def traced_stack(gateway: GatewayUnderTest, folder: Path) -> Iterator[TracedStack]:
    """Run everything behind a gateway that has started; `folder` is for the console and the hub."""
    with ExitStack() as stack:
        collector = Collector()
        app = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
        receiver = stack.enter_context(
            running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="error")))
        )
        console = stack.enter_context(
            console_on(folder / "console", StandInGateway(), export_endpoint=receiver, export_headers={"x-key": "k"})
        )
        feed = stack.enter_context(
            running(uvicorn.Server(uvicorn.Config(template_stand_in.app, port=free_port(), log_level="error")))
        )
        spans = {
            "HOST": "0.0.0.0",
            "ALLOWED_HOSTS": "*",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{console.settings.spans_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        _, service = stack.enter_context(
            process(
                "template_server",
                TEMPLATE_UPSTREAM_URL=f"{feed}/ok/feed.json?start=21",
                TEMPLATE_MIN_INTERVAL_SECONDS="3",
                TEMPLATE_CACHE_SECONDS="0",
                **spans,
            )
        )
        relay(gateway, "template", _port(service), PORT)
        entry = hub_services.entry(build_app(Settings(port=free_port())))
        folder.mkdir(exist_ok=True)
        (folder / "hub.json").write_text(json.dumps({"services": [entry], "groups": [], "search": True}))
        (folder / "token").write_text(HUB_TOKEN)
        _, hub = stack.enter_context(
            process(
                "dyber_hub",
                DYBER_HUB_FILE=str(folder / "hub.json"),
                DYBER_HUB_TOKEN_FILE=str(folder / "token"),
                DYBER_GATEWAY_URL=f"http://127.0.0.1:{gateway.port(RELAY_PORT)}",
                **spans,
            )
        )
        relay(gateway, "hub", _port(hub), HUB_PORT, ("hub", "hub-1"))
        configure(gateway, replicas=1)
        traced = TracedStack(gateway, console, collector)
        wait_until(lambda: _states(gateway) == {"up"}, "the hub and the service are ready", 60)
        yield traced


def configure(gateway: GatewayUnderTest, replicas: int) -> None:
    """Configure the service with so many replicas, and the hub."""
    service = GatewayService(
        "template", PORT, "模板", 20, replicas, TOOLS, requests_per_second=10_000, enforces_scopes=True
    )
    hub = GatewayHub(
        hashlib.sha256(HUB_TOKEN.encode()).hexdigest(), tools={"template": TOOLS}, search=True, requests_per_second=10_000
    )  # fmt: skip
    client = GatewayClient("desktop-pet", (hashlib.sha256(TOKEN.encode()).hexdigest(),))
    gateway.configure(PATIENT, (service,), (client,), hub=hub, console=GatewayConsole())


@contextmanager
def breaking_replica(gateway: GatewayUnderTest) -> Iterator[None]:
    """Run a second replica that breaks every call."""
    name = unique("breaking")
    docker(
        "create", "--name", name, "--label", LABEL, "--network", gateway.network, "--network-alias", "template-mcp",
        "--network-alias", "template-mcp-2", *CONFINED, gateway.image, "nginx", "-e", "stderr", "-c",
        "/breaking/nginx.conf", "-g", "daemon off;",
    )  # fmt: skip
    gateway.others.append(name)
    docker("cp", "-", f"{name}:/", stdin=archive({"breaking/nginx.conf": BREAKING}))
    docker("start", name)
    configure(gateway, replicas=2)
    ready: dict[str, Any] = {"ready": 2, "total": 2}
    status = lambda: gateway.request("/api/status").json()["details"]["template"]["replicas"]  # noqa: E731
    wait_until(lambda: status() == ready, "both replicas are ready")
    try:
        yield
    finally:
        gateway.remove_backend(name, grace_seconds=0)


def _port(base: str) -> int:
    return int(base.rsplit(":", 1)[1])


def _states(gateway: GatewayUnderTest) -> set[str]:
    status = gateway.request("/api/status").json()
    return {detail["state"] for detail in (*status["details"].values(), status["hub"])}
