"""Makes OpenTelemetry spans in the caller's trace; they are sent only when OTEL_EXPORTER_OTLP_ENDPOINT is set.

Without that variable only the API is loaded, and a span has no effect. Other OTEL_* variables (headers, sampler,
resource attributes) mean what the OpenTelemetry specification says.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext

import anyio
from opentelemetry import context, trace
from opentelemetry.trace import INVALID_SPAN, ProxyTracerProvider, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_tracer = trace.get_tracer("dyber_kit")
_LAST_SPANS_SECONDS = 3.0
_propagator = TraceContextTextMapPropagator()
_NO_SPAN: AbstractContextManager[Span] = nullcontext(INVALID_SPAN)


class _Spans:
    """Says whether spans go anywhere: they do when the process has set a provider of tracers."""

    are_sent = False


def is_configured() -> bool:
    """Return whether the environment names a collector for spans."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(os.environ.get(name) for name in names) and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"


@asynccontextmanager
async def tracing(service: str, version: str) -> AsyncIterator[None]:
    """Send spans over OTLP/HTTP until the context ends, when a collector is configured.

    Spans wait in a bounded queue on a separate thread: when the collector is down, spans are lost but calls are not
    affected, and a stop takes at most 3 s longer.
    """
    if not is_configured():
        _note_provider()
        yield
        return
    # These imports are here because they take most of a service's import time.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: f"{service}-mcp"}
    provider = TracerProvider(resource=Resource.create({**name, SERVICE_VERSION: version}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _note_provider()
    try:
        yield
    finally:
        with anyio.move_on_after(_LAST_SPANS_SECONDS):
            await anyio.to_thread.run_sync(provider.shutdown, abandon_on_cancel=True)


def span(name: str, attributes: Mapping[str, str | int | float | bool] | None = None) -> AbstractContextManager[Span]:
    """Open a span inside the current one, for a call, a page or a request to the platform.

    An error marks it as failed, with the type of the error but not its text, which may quote a page.
    """
    return _open_span(name, attributes) if _Spans.are_sent else _NO_SPAN


@contextmanager
def _open_span(name: str, attributes: Mapping[str, str | int | float | bool] | None) -> Iterator[Span]:
    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def request_span(name: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
    """Open the span of one HTTP request, inside the caller's trace when `headers` have a `traceparent`."""
    return _open_request_span(name, headers) if _Spans.are_sent else _NO_SPAN


@contextmanager
def _open_request_span(name: str, headers: Mapping[str, str]) -> Iterator[Span]:
    token = context.attach(_propagator.extract(headers))
    try:
        with _tracer.start_as_current_span(
            name, kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as current:
            yield current
    finally:
        context.detach(token)


def outgoing_trace(received: str) -> dict[str, str]:
    """Return the headers that put a request to another server into the current trace.

    Args:
        received: The `traceparent` of the request that is being handled, which is passed on while this server makes no
            spans; "-" without any.
    """
    headers: dict[str, str] = {}
    if _Spans.are_sent:
        _propagator.inject(headers)
    elif received != "-":
        headers["traceparent"] = received
    return headers


def is_on() -> bool:
    """Return whether spans are sent."""
    return _Spans.are_sent


def _note_provider() -> None:
    _Spans.are_sent = not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)


def note_outcome(current: Span, outcome: str) -> None:
    """Record on a call's span how the call ended."""
    current.set_attribute("mcp.outcome", outcome)
