"""The REST side: the envelopes and status codes that callers of the first release know."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from dyber_kit.calls import Calls
from dyber_kit.errors import ErrorCode, ServiceError


@dataclass(frozen=True)
class RestRoute:
    """One POST route: its path, the action named in the envelope and the handler.

    The handler takes one Pydantic model (the body) and returns what goes under `data`; a list is counted. A route with
    `read_only=False` changes something on the platform and is refused while the service is read-only.
    """

    path: str
    action: str
    handler: Callable[[Any], Awaitable[Any]]
    read_only: bool = True


def required(value: str, detail: str) -> str:
    """`value` without outer blanks, or HTTP 400 `{"detail": ...}` when nothing is left.

    Raises:
        HTTPException: 400 with `detail`.
    """
    value = value.strip()
    if not value:
        raise HTTPException(status_code=400, detail=detail)
    return value


def endpoint(
    route: RestRoute, service: str, calls: Calls, read_only: bool = False
) -> Callable[..., Awaitable[JSONResponse]]:
    """A FastAPI endpoint that runs `route.handler` and wraps what comes back; `read_only` refuses those that write."""
    body_model = next(iter(inspect.signature(route.handler, eval_str=True).parameters.values())).annotation
    head = {"service": service, "action": route.action}

    async def answer(body: Any) -> JSONResponse:
        try:
            handler = route.handler if route.read_only or not read_only else _refuse_write
            data = await calls.run(f"rest:{route.action}", lambda: _guarded(handler, body))
        except ServiceError as error:
            return _failure(head, error)
        except Exception:
            return _failure(head, ServiceError(ErrorCode.INTERNAL))
        if isinstance(data, _Refused):
            raise data.error
        content = {"status": "success", **head, "data": _plain(data)}
        if isinstance(data, list):
            content["count"] = len(data)
        return JSONResponse(content)

    answer.__annotations__ = {"body": body_model, "return": JSONResponse}
    answer.__doc__ = inspect.getdoc(route.handler)
    return answer


@dataclass(frozen=True)
class _Refused:
    error: HTTPException


async def _guarded(handler: Callable[[Any], Awaitable[Any]], body: Any) -> Any:
    """A refused request (HTTP 400) is the caller's mistake, not a crash: keep it out of the INTERNAL count."""
    try:
        return await handler(body)
    except HTTPException as error:
        return _Refused(error)


async def _refuse_write(_: Any) -> None:
    raise ServiceError(ErrorCode.READ_ONLY)


def _failure(head: dict[str, str], error: ServiceError) -> JSONResponse:
    content: dict[str, Any] = {
        "status": "error",
        **head,
        "error": error.message,
        "code": str(error.code),
        "next_step": error.next_step,
        "retryable": error.retryable,
    }
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
