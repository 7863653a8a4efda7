"""Wraps the whole app: checks hosts, sets path prefix, language and request id, logs requests, closes connections."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Collection

from mcp.types import INVALID_REQUEST
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dyber_kit.calling.calls import Calls
from dyber_kit.language import Language, request_language, tr, using_language
from dyber_kit.observing.logs import RequestInfo, current_request, log_event
from dyber_kit.observing.tracing import TRACE_OF_BODY, current, request_span
from dyber_kit.serving.hosts import ANY_HOST, foreign
from dyber_kit.serving.mcp.streams import rpc_error, set_text_headers

logger = logging.getLogger("dyber.requests")

_PREFIX = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){1,4}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_UNLOGGED_PATHS = {"/health", "/ready", "/metrics"}


class GatewayMiddleware:
    """Makes a server behave behind the gateway as it does without one.

    `X-Forwarded-Prefix` becomes `root_path`, so that SSE endpoint events, redirects and /docs carry it.

    Args:
        app: The service.
        calls: Its calls, which know whether the server is draining.
        allowed_hosts: Host names in Host and Origin that are accepted.
        language: Language of messages for requests that name none.
    """

    def __init__(
        self,
        app: ASGIApp,
        calls: Calls,
        allowed_hosts: Collection[str] = (ANY_HOST,),
        language: Language = "zh",
    ) -> None:
        self._app = app
        self._calls = calls
        self._allowed_hosts = allowed_hosts
        self._language: Language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with using_language(request_language(scope["headers"], self._language)):
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _first_values(scope)
        path = scope["path"]
        info = RequestInfo(
            request_id=_checked(headers.get("x-request-id")) or uuid.uuid4().hex,
            traceparent=_checked(headers.get("traceparent")) or "-",
            client=_checked(headers.get("x-dyber-client")) or "-",
        )
        prefix = headers.get("x-forwarded-prefix", "").rstrip("/")
        if prefix and _PREFIX.fullmatch(prefix):
            raw_path = scope.get("raw_path") or path.encode()
            scope = {**scope, "root_path": prefix, "path": prefix + path, "raw_path": prefix.encode() + raw_path}
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                marked = MutableHeaders(scope=message)
                marked.append("X-Request-Id", info.request_id)
                set_text_headers(marked)
                if current().trace_of_body:
                    marked[TRACE_OF_BODY] = current().trace_of_body
                if self._calls.draining:
                    marked["Connection"] = "close"
            await send(message)

        token = current_request.set(info)
        started = time.perf_counter()
        try:
            header = foreign(headers, self._allowed_hosts)
            if header is not None:
                await _refuse(header, send_marked)
                return
            if path in _UNLOGGED_PATHS:
                await self._app(scope, receive, send_marked)
                return
            with request_span(f"{scope['method']} {path}", headers) as span:
                span.set_attribute("http.request.method", scope["method"])
                try:
                    await self._app(scope, receive, send_marked)
                finally:
                    span.set_attribute("http.response.status_code", status)
                    if status >= 500 and not span.failed:
                        span.fail(str(status))
        finally:
            if path not in _UNLOGGED_PATHS:
                seconds = round(time.perf_counter() - started, 4)
                fields = {"method": scope["method"], "path": path, "status": status, "seconds": seconds}
                log_event(logger, "request", fields)
            current_request.reset(token)


async def _refuse(header: str, send: Send) -> None:
    await rpc_error(
        send,
        421 if header == "Host" else 403,
        INVALID_REQUEST,
        tr(
            "The host name in the header {header} is not this server's; behind a proxy of yours, set ALLOWED_HOSTS",
            header=header,
        ),
    )


def _first_values(scope: Scope) -> dict[str, str]:
    """Return the headers of a request by their names in lower case; of repeated ones the first."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}


def _checked(value: str | None) -> str | None:
    return value if value and _ID.fullmatch(value) else None
