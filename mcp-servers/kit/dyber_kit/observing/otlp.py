"""Encodes spans as the protobuf message of OTLP, without protobuf's library, which takes more memory and time.

The numbers of the fields are those of `opentelemetry/proto/collector/trace/v1/trace_service.proto` and of the messages
in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from struct import Struct

from dyber_kit.observing.tracing import Span, Value

_SCOPE = "dyber_kit"
_ERROR = b"\x7a\x02\x18\x02"
# Fields 7 and 8 of a span, both of 8 bytes.
_TIMES = Struct("<BQBQ")
_DOUBLE = Struct("<d")


def export_request(resource: bytes, spans: Iterable[Span]) -> bytes:
    """Return an ExportTraceServiceRequest with the spans of one resource."""
    scope = _field(1, _field(1, _SCOPE.encode()))
    return _field(1, resource + _field(2, scope + b"".join([_field(2, _span(span)) for span in spans])))


def resource(attributes: Mapping[str, Value]) -> bytes:
    """Return the field of the resource, for `export_request`."""
    return _field(1, b"".join([_field(1, _attribute(name, value)) for name, value in attributes.items()]))


def _span(span: Span) -> bytes:
    parts = [b"\x0a\x10", span.trace_id, b"\x12\x08", span.span_id]
    if span.parent_id:
        parts += (b"\x22\x08", span.parent_id)
    parts += (_name(span.name), b"\x30", span.kind.to_bytes(), _TIMES.pack(0x39, span.start, 0x41, span.end))
    parts += [_span_attribute(name, value) for name, value in span.attributes.items()]
    if span.failed:
        parts.append(_ERROR)
    return b"".join(parts)


@lru_cache(maxsize=256)
def _name(name: str) -> bytes:
    return _field(5, name.encode(errors="replace"))


# Most attributes are the same in many spans. `typed`, because 1, 1.0 and True are equal.
@lru_cache(maxsize=512, typed=True)
def _span_attribute(name: str, value: Value) -> bytes:
    return _field(9, _attribute(name, value))


def _attribute(name: str, value: Value) -> bytes:
    if isinstance(value, str):
        encoded = _field(1, value.encode(errors="replace"))
    elif isinstance(value, bool):
        encoded = b"\x10" + _varint(value)
    elif isinstance(value, int):
        encoded = b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    else:
        encoded = b"\x21" + _DOUBLE.pack(value)
    return _field(1, name.encode()) + _field(2, encoded)


def _field(number: int, content: bytes) -> bytes:
    """Return a field whose content has a length; `number` is at most 15."""
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
