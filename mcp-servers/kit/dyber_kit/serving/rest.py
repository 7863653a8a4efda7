"""Serves REST routes with the envelopes and status codes of the first release."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from dyber_kit.calling.arguments.reading import read_arguments
from dyber_kit.calling.calls import Calls
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.serving.bodies import parse_json, read_body
from dyber_kit.serving.routes import ServiceRoute
from dyber_kit.settings import Settings


@dataclass(frozen=True)
class RestRoute:
    """Describes one POST route: its path, the action named in the envelope and the handler.

    The handler takes one Pydantic model (the body) and returns the value of `data`; a list gets a `count`. A route with
    `read_only=False` changes something on the platform and is refused while the service is read-only.
    """

    path: str
    action: str
    handler: Callable[[Any], Awaitable[Any]]
    read_only: bool = True


def required(value: str, detail: str) -> str:
    """Return `value` without outer blanks.

    Raises:
        HTTPException: 400 with `detail` when nothing is left.
    """
    value = value.strip()
    if not value:
        raise HTTPException(status_code=400, detail=detail)
    return value


def rest_route(route: RestRoute, service: str, calls: Calls, settings: Settings) -> ServiceRoute:
    """Return the address of `route`; its body is read within limits and converted like the arguments of a tool.

    While the service is read-only, a route that writes is refused.
    """
    body_model = next(iter(inspect.signature(route.handler, eval_str=True).parameters.values())).annotation
    schema = body_model.model_json_schema()
    head = {"service": service, "action": route.action}
    handler = route.handler if route.read_only or not settings.read_only else _refuse_write

    async def answer(request: Request) -> Response:
        try:
            read = read_arguments(body_model, schema, await _object_in(request, settings.max_body_bytes))
        except ServiceError as error:
            return _failure(head, error, detail=error.message)
        except ClientDisconnect:
            return Response(status_code=400)  # Only the log shows it; the caller has left.
        try:
            data = await calls.run(f"rest:{route.action}", lambda: _guarded(handler, read.checked))
        except ServiceError as error:
            return _failure(head, error)
        if isinstance(data, _Refused):
            raise data.error
        content = {"status": "success", **head, "data": _plain(data)}
        if isinstance(data, list):
            content["count"] = len(data)
        if read.warnings:
            content["warnings"] = read.warnings
        return JSONResponse(content)

    answer.__doc__ = inspect.getdoc(route.handler)
    answer.__name__ = route.action
    request_body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return ServiceRoute(route.path, answer, method="POST", openapi_extra={"requestBody": request_body})


async def _object_in(request: Request, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        ServiceError: INVALID_ARGUMENT for a body that is too long, or not a JSON object in UTF-8.
    """
    body = await read_body(request.receive, request.headers, max_bytes)
    value = parse_json(body)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Browsers let pages of other sites send other types without a preflight request.
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The body must be a JSON object"),
            tr_lazy("Send Content-Type: application/json"),
        )
    if not isinstance(value, dict):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The body must be a JSON object"),
            tr_lazy('Send a body of the form {"name": value}'),
        )
    return value


@dataclass(frozen=True)
class _Refused:
    error: HTTPException


async def _guarded(handler: Callable[[Any], Awaitable[Any]], body: Any) -> Any:
    """Run the handler; return HTTP 400 as a value, since it is the caller's mistake and must not count as INTERNAL."""
    try:
        return await handler(body)
    except HTTPException as error:
        return _Refused(error)


async def _refuse_write(_: Any) -> None:
    raise ServiceError(ErrorCode.READ_ONLY)


def _failure(head: dict[str, str], error: ServiceError, **more: str) -> JSONResponse:
    content: dict[str, Any] = {
        **more,
        "status": "error",
        **head,
        "error": error.message,
        "code": str(error.code),
        "next_step": error.next_step,
        "retryable": error.retryable,
    }
    if error.request_id is not None:
        content["platform_request_id"] = error.request_id
    if error.retry_after is None:
        return JSONResponse(content, status_code=error.status)
    content["retry_after_seconds"] = seconds = math.ceil(error.retry_after)
    return JSONResponse(content, status_code=error.status, headers={"Retry-After": str(seconds)})


def _plain(data: Any) -> Any:
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json")
    if isinstance(data, list):
        return [_plain(item) for item in data]
    return data
