"""Describes the addresses of a service besides MCP, from which they are both served and documented."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Handler = Callable[[Request], Awaitable[Any]]


@dataclass(frozen=True)
class ServiceRoute:
    """Describes one address: its path, its method and the handler that answers it.

    The handler returns a response, or a value that is sent as JSON.

    Attributes:
        response_class: What kind of response /docs shows.
        openapi_extra: What the schema says in addition to what the handler's signature tells.
    """

    path: str
    handler: Handler
    method: str = "GET"
    response_class: type[Response] = JSONResponse
    openapi_extra: dict[str, Any] = field(default_factory=dict)

    def served(self) -> Route:
        """Return the route that serves this address."""

        async def answer(request: Request) -> Response:
            result = await self.handler(request)
            return result if isinstance(result, Response) else JSONResponse(result)

        return Route(self.path, answer, methods=[self.method])
