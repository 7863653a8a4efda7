"""OpenTelemetry spans, joined to the caller's trace; sent only where OTEL_EXPORTER_OTLP_ENDPOINT says so.

Without that variable only the API is loaded, and a span is a no-op. Other OTEL_* variables (headers, sampler,
resource attributes) mean what the OpenTelemetry specification says.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import anyio
from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_tracer = trace.get_tracer("dyber_kit")
_LAST_SPANS_SECONDS = 3.0
_propagator = TraceContextTextMapPropagator()


def tracing_wanted() -> bool:
    """Whether spans are to be sent anywhere."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(os.environ.get(name) for name in names) and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"


@asynccontextmanager
async def tracing(service: str, version: str) -> AsyncIterator[None]:
    """Send spans over OTLP/HTTP while this is entered, where that is configured.

    Spans wait in a bounded queue on a thread of their own: a collector that is down costs spans, not calls, and holds
    up a stop by 3 s at most.
    """
    if not tracing_wanted():
        yield
        return
    # Imported here: the SDK and its exporter are most of this service's import time.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    given = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: f"{service}-mcp"}
    provider = TracerProvider(resource=Resource.create({**given, SERVICE_VERSION: version}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        with anyio.move_on_after(_LAST_SPANS_SECONDS):
            await anyio.to_thread.run_sync(provider.shutdown, abandon_on_cancel=True)


@contextmanager
def span(name: str, attributes: Mapping[str, str | int | float | bool] | None = None) -> Iterator[Span]:
    """A span inside the current one, for a step worth seeing: a call, a page, a request to the platform.

    Errors mark it as failed by their type; their texts stay out, since they may quote a page.
    """
    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


@contextmanager
def request_span(name: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """The span of one HTTP request, inside the caller's trace when `headers` carry a `traceparent`."""
    token = context.attach(_propagator.extract(headers))
    try:
        with _tracer.start_as_current_span(
            name, kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as current:
            yield current
    finally:
        context.detach(token)


def note_outcome(current: Span, outcome: str) -> None:
    """Write on a call's span how it ended."""
    current.set_attribute("mcp.outcome", outcome)
