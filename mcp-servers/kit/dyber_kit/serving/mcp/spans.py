"""Names the spans of MCP requests and records their errors, by OpenTelemetry's conventions for MCP.

The span of the HTTP request is that of the MCP request in it, as each POST brings one. Neither arguments nor answers,
nor the texts of errors, are recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp.types import INVALID_PARAMS, CallToolResult
from pydantic import ValidationError

from dyber_kit.calling.legacy_sessions import current_session
from dyber_kit.errors import ERROR_META, KINDS
from dyber_kit.observing import tracing
from dyber_kit.observing.tracing import Attributes, Kind, Span
from dyber_kit.serving.mcp.aliases import called_tool

_SESSION_ID = "mcp-session-id"
_LONGEST_TEXT = 128
_SDK_SPANS = "OpenTelemetryMiddleware"


def join_trace(message: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Put the span of the request into the trace that its message names, if it names one."""
    if tracing.current().is_recorded:
        params = message.get("params")
        tracing.join_trace_of_body(params.get("_meta") if isinstance(params, dict) else None, headers)


def name_request(
    message: Mapping[str, Any], headers: Mapping[str, str], raw_headers: Iterable[tuple[bytes, bytes]]
) -> None:
    """Describe the span of a POST by the message that it brings."""
    span = tracing.current()
    method = message.get("method")
    if not span.is_recorded or not isinstance(method, str):
        return
    params = message.get("params") or {}
    tracing.join_trace_of_body(params.get("_meta"), headers)
    name = params.get("name")
    if method == "tools/call" and isinstance(name, str):
        name = called_tool(name, raw_headers)
    span.name, described = _described(method, name, message.get("id"), headers.get(MCP_PROTOCOL_VERSION_HEADER))
    span.attributes.update(described)
    if session := headers.get(_SESSION_ID):
        span.set_attribute("mcp.session.id", session[:_LONGEST_TEXT])


def use_spans_of_kit(middleware: list[Any]) -> None:
    """Record the errors of a server's requests here, in place of the SDK's middleware, whose spans quote texts.

    Args:
        middleware: The list of the server, which is changed.
    """
    middleware[:] = [_record_errors if type(each).__name__ == _SDK_SPANS else each for each in middleware]


def client_span(method: str, params: Mapping[str, Any], version: str) -> AbstractContextManager[Span]:
    """Return a context with the span of a request to another MCP server."""
    return tracing.span(*_described(method, params.get("name"), None, version), kind=Kind.CLIENT)


def note_result(span: Span, method: str, result: object) -> None:
    """Mark a span as failed when the result of its request says so, and note the code that it has."""
    if method != "tools/call":
        return
    is_error = (
        result.get("isError") if isinstance(result, dict) else isinstance(result, CallToolResult) and result.is_error
    )
    if is_error is True:
        if span.kind is Kind.SERVER and span.attributes.get("mcp.outcome", "tool_error") == "tool_error":
            span.set_attribute("mcp.outcome", _code_of(result))
        span.fail("tool_error")


def note_refusal(span: Span, error: MCPError | ValidationError) -> None:
    """Mark a span as failed with the code with which its request is refused."""
    code = str(error.error.code if isinstance(error, MCPError) else INVALID_PARAMS)
    span.set_attribute("rpc.response.status_code", code)
    span.fail(code)


def _code_of(result: object) -> str:
    """Return the code of a failed answer; `tool_error` without one."""
    meta = result.get("_meta") if isinstance(result, dict) else None
    details = meta.get(ERROR_META) if isinstance(meta, dict) else None
    code = details.get("code") if isinstance(details, dict) else None
    return code if isinstance(code, str) and code in KINDS else "tool_error"


async def _record_errors(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    span = tracing.current()
    if not span.is_recorded:
        return await call_next(ctx)
    if current_session.get() is None:
        return await _noted(span, ctx, call_next)
    # The POST of such a session is answered before its message is handled.
    name = (ctx.params or {}).get("name")
    title, described = _described(ctx.method, name, ctx.request_id, ctx.protocol_version)
    with tracing.span(title, described, kind=Kind.SERVER) as span:
        span.takes_call = True
        return await _noted(span, ctx, call_next)


async def _noted(span: Span, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    try:
        result = await call_next(ctx)
    except (MCPError, ValidationError) as error:
        note_refusal(span, error)
        raise
    except Exception as error:
        span.fail(type(error).__qualname__)
        raise
    note_result(span, ctx.method, result)
    return result


def _described(method: str, name: Any, request_id: Any, version: str | None) -> tuple[str, Attributes]:
    """Return the name and the attributes of the span of a request."""
    title = method[:_LONGEST_TEXT]
    about: Attributes = {"mcp.method.name": title}
    if version:
        about["mcp.protocol.version"] = version[:_LONGEST_TEXT]
    if request_id is not None:
        about["jsonrpc.request.id"] = str(request_id)[:_LONGEST_TEXT]
    target = name[:_LONGEST_TEXT] if isinstance(name, str) else ""
    if method == "tools/call":
        about["gen_ai.operation.name"] = "execute_tool"
        if target:
            about["gen_ai.tool.name"] = target
    elif method == "prompts/get" and target:
        about["gen_ai.prompt.name"] = target
    else:
        target = ""
    return f"{title} {target}" if target else title, about
