"""Makes OpenTelemetry spans in the caller's trace; they are sent only when OTEL_EXPORTER_OTLP_ENDPOINT is set.

The spans are this module's and not those of OpenTelemetry's SDK, which takes 9 MiB and a third of the processor time of
a short call. `dyber_kit.observing.sending` sends them; it lists the OTEL_* variables that it reads.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar, Token
from enum import IntEnum
from random import Random
from types import TracebackType
from typing import Any

Value = str | int | float | bool
Attributes = dict[str, Value]

#: Header in which the gateway names the span that it makes for the request; it overwrites what callers send.
GATEWAY_SPAN = "x-dyber-span"
#: Header of an answer that tells the gateway which trace the request belongs to, when only its body says so.
TRACE_OF_BODY = "X-Dyber-Trace"
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_SAMPLED = 1
_LONGEST_NAME = 200
_SHORTEST_WAIT = 0.001
# Ids need no secrecy, and the system's randomness costs more.
_random = Random(os.urandom(16))


class Kind(IntEnum):
    """Says what a span is about; the numbers are those of OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class Span:
    """Holds a named part of the time of a call.

    Attributes:
        start, end: Nanoseconds since 1970; `end` is 0 while the span is open.
        attributes: What is recorded; never arguments, answers or parts of them.
        failed: Whether it ended with an error.
        takes_call: Whether a call of a tool can still be recorded on this span: it is that of a request.
        trace_of_body: The `traceparent` in the request's body, when the span is in that trace.
    """

    __slots__ = (
        "attributes", "end", "failed", "kind", "name", "parent_id", "span_id", "start", "takes_call", "trace_id",
        "trace_of_body",
    )  # fmt: skip
    is_recorded = True

    def __init__(
        self,
        name: str,
        trace_id: bytes = b"",
        parent_id: bytes = b"",
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
    ) -> None:
        self.name = name[:_LONGEST_NAME]
        self.trace_id = trace_id or _random.randbytes(16)
        self.span_id = _random.randbytes(8)
        self.parent_id = parent_id
        self.kind = kind
        self.attributes = {} if attributes is None else attributes
        self.start = time.time_ns()
        self.end = 0
        self.failed = False
        self.takes_call = False
        self.trace_of_body = ""

    def set_attribute(self, name: str, value: Value) -> None:
        """Record something about the span."""
        self.attributes[name] = value

    def fail(self, error_type: str) -> None:
        """Mark the span as failed, with a class of errors of which there are few; a later one replaces it."""
        self.failed = True
        self.attributes["error.type"] = error_type

    def finish(self) -> None:
        """End the span and have it sent; a second time, this does nothing."""
        if not self.end:
            self.end = max(time.time_ns(), self.start)
            if _Spans.send is not None:
                _Spans.send(self)

    @property
    def traceparent(self) -> str:
        """Return the header that makes another server's spans children of this one."""
        return f"00-{self.trace_id.hex()}-{self.span_id.hex()}-01"


class _NoSpan(Span):
    """Stands for a span that is not recorded."""

    is_recorded = False

    def set_attribute(self, name: str, value: Value) -> None:
        """Do nothing."""

    def fail(self, error_type: str) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


NO_SPAN = _NoSpan("")
#: Stands for the spans of a caller who wants none.
_UNSAMPLED = _NoSpan("")

_current: ContextVar[Span] = ContextVar("span", default=NO_SPAN)


class _Spans:
    """Takes the finished spans; None while they go nowhere."""

    send: Callable[[Span], None] | None = None


class _Opened:
    """Makes a span the current one inside a `with` block, and ends it afterwards."""

    __slots__ = ("_at_least", "_span", "_token")

    def __init__(self, span: Span, at_least: int = 0) -> None:
        self._span = span
        self._at_least = at_least
        self._token: Token[Span] | None = None

    def __enter__(self) -> Span:
        self._token = _current.set(self._span)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._token is not None
        with suppress(ValueError):  # A generator that nobody has closed ends in another context.
            _current.reset(self._token)
        span = self._span
        if error is not None:
            # The text may quote a page or an argument; the code of an error says more than its type.
            code = getattr(error, "code", None)
            span.fail(str(code) if isinstance(code, str | int) else type(error).__name__)
        elif self._at_least and time.time_ns() - span.start < self._at_least:
            return
        span.finish()


class _Nothing(_Opened):
    """Changes nothing; a single one is enough, as it keeps nothing."""

    def __enter__(self) -> Span:
        return NO_SPAN

    def __exit__(self, *_: object) -> None:
        pass


_NOTHING = _Nothing(NO_SPAN)


def is_configured() -> bool:
    """Return whether the environment names a collector for spans."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(os.environ.get(name) for name in names) and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"


@asynccontextmanager
async def tracing(service: str, version: str) -> AsyncIterator[None]:
    """Send spans over OTLP/HTTP until the context ends, when a collector is configured.

    Spans wait in a bounded queue: when the collector is away, spans are lost but calls are not affected, and a stop
    takes at most a second longer.
    """
    if not is_configured():
        yield
        return
    # Imported here, because a service without a collector does not need it.
    from dyber_kit.observing.sending import Sender

    sender = Sender.from_environment(service, version)
    async with sender.running():
        _Spans.send = sender.take
        try:
            yield
        finally:
            _Spans.send = None


def current() -> Span:
    """Return the span that is open now; NO_SPAN when there is none."""
    return _current.get()


def span(
    name: str, attributes: Attributes | None = None, *, kind: Kind = Kind.INTERNAL, at_least: float = 0.0
) -> _Opened:
    """Return a context with a span inside the current one, for a step of a call or a request to another server.

    An error marks it as failed, with its code or type but not its text.

    Args:
        name: What happens, without anything from the arguments.
        attributes: What is recorded about it; the span keeps this dictionary.
        kind: CLIENT for a request to another server.
        at_least: A step that was shorter, in seconds, is not recorded unless it failed; for waits that mostly are none.
    """
    if _Spans.send is None:
        return _NOTHING
    parent = _current.get()
    if parent is _UNSAMPLED:
        return _NOTHING
    if parent is NO_SPAN:
        return _Opened(Span(name, kind=kind, attributes=attributes), int(at_least * 1e9))
    return _Opened(Span(name, parent.trace_id, parent.span_id, kind, attributes), int(at_least * 1e9))


def waiting(queue: str) -> _Opened:
    """Return a context with the span of a wait for a turn; a wait that is none is not recorded.

    Args:
        queue: What the queue is for, such as the platform's name.
    """
    if _Spans.send is None:
        return _NOTHING
    return span(f"queue {queue}", {"queue": queue}, at_least=_SHORTEST_WAIT)


def begin(name: str, attributes: Attributes | None = None, *, kind: Kind = Kind.CLIENT) -> Span:
    """Return a span inside the current one that the caller ends with `finish`; it does not become the current one."""
    if _Spans.send is None:
        return NO_SPAN
    parent = _current.get()
    if not parent.is_recorded:
        return NO_SPAN if parent is _UNSAMPLED else Span(name, kind=kind, attributes=attributes)
    return Span(name, parent.trace_id, parent.span_id, kind, attributes)


def request_span(name: str, headers: Mapping[str, str]) -> _Opened:
    """Return a context with the span of an HTTP request, inside the caller's trace when `headers` have a traceparent.

    Args:
        name: Method and path, until the request is known better.
        headers: The headers by their names in lower case.
    """
    if _Spans.send is None:
        return _NOTHING
    received = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    if received is None:
        made = Span(name, kind=Kind.SERVER)
    elif not int(received[3], 16) & _SAMPLED:
        return _Opened(_UNSAMPLED)
    else:
        made = Span(name, bytes.fromhex(received[1]), bytes.fromhex(received[2]), Kind.SERVER)
    made.takes_call = True
    return _Opened(made)


def join_trace_of_body(meta: Any, headers: Mapping[str, str]) -> None:
    """Put the current span into the trace that the body of its request names in `_meta`, as SEP-414 says.

    Behind a gateway that makes spans, the parent stays the gateway's span: the gateway is told by TRACE_OF_BODY that
    this span is in the other trace. It has to be called before the span has children.

    Args:
        meta: The `_meta` of the request.
        headers: The headers of the request.
    """
    span = _current.get()
    if not span.is_recorded or not isinstance(meta, dict):
        return
    given = meta.get("traceparent")
    named = _TRACEPARENT.fullmatch(given) if isinstance(given, str) else None
    if named is None or named[1] == span.trace_id.hex():
        return
    span.trace_id = bytes.fromhex(named[1])
    if _SPAN_ID.fullmatch(headers.get(GATEWAY_SPAN, "")):
        span.trace_of_body = named[0]
    else:
        span.parent_id = bytes.fromhex(named[2])


def outgoing_trace(received: str) -> dict[str, str]:
    """Return the headers that put a request to another server into the current trace.

    Args:
        received: The `traceparent` of the request that is being handled, which is passed on while this server makes no
            spans; "-" without any.
    """
    span = _current.get()
    if span.is_recorded:
        return {"traceparent": span.traceparent}
    return {"traceparent": received} if received != "-" else {}
