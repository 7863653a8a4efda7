"""Passes all spans on to the user's collector over OTLP/HTTP: those that came in, and the gateway's."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

from dyber_console.records.model import Call, Span
from dyber_console.records.traces import GATEWAY, gateway_spans

#: Bytes that wait at most while the collector is away; more are dropped.
MOST_WAITING = 4 * 2**20
_SEND_SECONDS = 10.0
_LAST_SECONDS = 1.0
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
#: Statuses of a collector that is away or busy; after any other failure, sending again would fail again.
_PASSING = {408, 429, 502, 503, 504}
_HEADERS = {"content-type": "application/x-protobuf"}
_KINDS = {"server": SentSpan.SPAN_KIND_SERVER, "client": SentSpan.SPAN_KIND_CLIENT}

logger = logging.getLogger("dyber_console")


@dataclass(frozen=True)
class ExportState:
    """Says how passing spans on goes.

    Attributes:
        failing_since: Since when the collector takes nothing, in seconds since 1970; None while it does.
        reason: What it answers, such as `HTTP 401`, or the kind of the error.
        dropped: How many spans were lost since the start of the console.
        sent: How many it took.
        host: Name of the collector's host.
    """

    host: str
    failing_since: float | None = None
    reason: str = ""
    dropped: int = 0
    sent: int = 0


class Export:
    """Keeps exports until the collector has taken them, in a queue of bounded size.

    Args:
        endpoint: Address of the collector; `/v1/traces` is added unless it ends with it.
        headers: Headers of the requests, which may be secret.
        stack: Name of the stack, which the gateway's spans have as their environment.
        most_waiting: Bytes that wait at most.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str], stack: str, most_waiting: int = MOST_WAITING) -> None:
        path = endpoint.rstrip("/")
        self._url = path if path.endswith("/v1/traces") else f"{path}/v1/traces"
        self._headers = {**headers, **_HEADERS}
        self._most_waiting = most_waiting
        self._resource = Resource(
            attributes=[_attribute("service.name", GATEWAY), _attribute("deployment.environment.name", stack)]
        )
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._size = 0
        self._any = asyncio.Event()
        self._failing_since: float | None = None
        self._reason = ""
        self._dropped = self._sent = 0

    @property
    def state(self) -> ExportState:
        """Return how it goes."""
        host = httpx2.URL(self._url).host
        return ExportState(host, self._failing_since, self._reason, self._dropped, self._sent)

    def take(self, export: bytes, count: int) -> None:
        """Take an ExportTraceServiceRequest with so many spans."""
        if not count:
            return
        if self._size + len(export) > self._most_waiting:
            self._dropped += count
            return
        self._waiting.append((export, count))
        self._size += len(export)
        self._any.set()

    def take_calls(self, calls: Sequence[Call]) -> None:
        """Take the gateway's spans of calls."""
        spans = [(span, call) for call in calls if call.sampled and call.span_id for span in gateway_spans(call)]
        if spans:
            scope = ScopeSpans(
                scope=InstrumentationScope(name="dyber_console"), spans=[_sent(span, call) for span, call in spans]
            )
            request = ExportTraceServiceRequest(
                resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[scope])]
            )
            self.take(request.SerializeToString(), len(spans))

    async def run(self) -> None:
        """Send what waits until cancelled; then try for a second to send the rest."""
        verify = ssl.create_default_context() if self._url.startswith("https:") else False
        async with httpx2.AsyncClient(verify=verify, trust_env=False, timeout=_SEND_SECONDS) as http:
            try:
                pause = 0.0
                while True:
                    await self._any.wait()
                    asked = await self._send(http)
                    if asked is None:
                        pause = 0.0
                    else:
                        pause = min(max(2 * pause, asked, _SHORTEST_PAUSE), _LONGEST_PAUSE)
                        await asyncio.sleep(pause)
            except asyncio.CancelledError:
                try:
                    async with asyncio.timeout(_LAST_SECONDS):
                        while self._waiting and await self._send(http) is None:
                            pass
                except TimeoutError:
                    pass
                raise

    async def _send(self, http: httpx2.AsyncClient) -> float | None:
        """Send the oldest export; return None when it was taken or is lost, else the seconds to wait before a retry."""
        body, count = self._waiting[0]
        try:
            answer = await http.post(self._url, content=body, headers=self._headers)
        except (httpx2.HTTPError, OSError) as error:
            self._note_failure(type(error).__name__)
            return 0.0
        if answer.status_code in _PASSING:
            self._note_failure(f"HTTP {answer.status_code}")
            wait = answer.headers.get("retry-after", "")
            return float(wait) if wait.isdecimal() and len(wait) < 6 else 0.0
        if answer.is_success:
            self._sent += count
            if self._failing_since is not None:
                logger.info("the collector of spans takes them again; %d were lost", self._dropped)
                self._failing_since = None
        else:
            self._dropped += count
            self._note_failure(f"HTTP {answer.status_code}")
        self._waiting.popleft()
        self._size -= len(body)
        if not self._waiting:
            self._any.clear()
        return None

    def _note_failure(self, reason: str) -> None:
        if self._failing_since is None:
            self._failing_since = time.time()
            logger.warning("the collector of spans at %s does not take them: %s", self.state.host, reason)
        self._reason = reason


def _sent(span: Span, call: Call) -> SentSpan:
    """Return a span of the gateway as OTLP has it, by the conventions for HTTP."""
    status = span.details.get("http.response.status_code", "")
    about: dict[str, str | int] = {"http.request.method": "POST"}
    if status.isdecimal():
        about["http.response.status_code"] = int(status)
    if span.details["kind"] == "server":
        known = {
            "url.path": call.path,
            "mcp.method.name": call.mcp_method,
            "gen_ai.tool.name": call.tool,
            "dyber.client": call.client,
            "dyber.service": call.service,
            "dyber.via": call.via,
            "dyber.request_id": call.request_id,
        }
        about |= {name: value for name, value in known.items() if value}
    else:
        host, _, port = span.details.get("server.address", "").rpartition(":")
        about |= {"server.address": host.strip("[]"), "server.port": int(port)} if host and port.isdecimal() else {}
        about["http.request.resend_count"] = int(span.details["try"]) - 1
    if span.failed:
        about["error.type"] = status if status.startswith("5") else call.outcome
    return SentSpan(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_id),
        name=span.name,
        kind=_KINDS[span.details["kind"]],
        start_time_unix_nano=round(span.start * 1e9),
        end_time_unix_nano=round((span.start + span.seconds) * 1e9),
        attributes=[_attribute(name, value) for name, value in about.items()],
        status=Status(code=Status.STATUS_CODE_ERROR) if span.failed else None,
    )


def _attribute(name: str, value: str | int) -> KeyValue:
    kind = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    return KeyValue(key=name, value=kind)
