"""Serves /docs, a page about the REST routes; its files come from this server, so it works without internet."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from dyber_kit.language import tr
from dyber_kit.serving.routes import ServiceRoute

DOCS_PATH = "/docs"
ASSETS_PATH = "/docs/assets"
OPENAPI_PATH = "/openapi.json"


class Docs:
    """Makes the page and its schema when they are asked for; FastAPI, which does so, is not imported before.

    Args:
        title: Name of the service, shown to people.
        version: Version of the service.
        description: What the page says about the service.
        documented: The addresses that the page shows.
    """

    def __init__(self, title: str, version: str, description: str, documented: Sequence[ServiceRoute]) -> None:
        self._title = title
        self._version = version
        self._description = description
        self._documented = tuple(documented)
        self._schema: dict[str, Any] | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the page, of its files and of the schema."""
        return [
            Route(OPENAPI_PATH, self._show_schema),
            Mount(ASSETS_PATH, StaticFiles(directory=_assets_folder()), name="docs-assets"),
            Route(DOCS_PATH, self._show_page),
        ]

    async def _show_schema(self, request: Request) -> JSONResponse:
        """Answer with the schema, in which the gateway's bearer token can be filled in."""
        if self._schema is None:
            self._schema = await anyio.to_thread.run_sync(self._make_schema)
        about = tr("The gateway's access token, without Bearer")
        token = {"type": "http", "scheme": "bearer", "description": about}
        components = {**self._schema.get("components", {}), "securitySchemes": {"token": token}}
        shown = {**self._schema, "components": components, "security": [{"token": []}]}
        if prefix := _prefix(request):
            shown["servers"] = [{"url": prefix}]
        return JSONResponse(shown)

    async def _show_page(self, request: Request) -> Response:
        return await anyio.to_thread.run_sync(self._make_page, _prefix(request))

    def _make_schema(self) -> dict[str, Any]:
        from fastapi import APIRouter
        from fastapi.openapi.utils import get_openapi

        router = APIRouter()
        for route in self._documented:
            router.add_api_route(
                route.path,
                route.handler,
                methods=[route.method],
                response_class=route.response_class,
                openapi_extra=route.openapi_extra or None,
            )
        return get_openapi(
            title=self._title, version=self._version, description=self._description, routes=router.routes
        )

    def _make_page(self, prefix: str) -> Response:
        from fastapi.openapi.docs import get_swagger_ui_html

        return get_swagger_ui_html(
            title=self._title,
            openapi_url=prefix + OPENAPI_PATH,
            swagger_js_url=f"{prefix}{ASSETS_PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{prefix}{ASSETS_PATH}/swagger-ui.css",
            swagger_favicon_url=f"{prefix}{ASSETS_PATH}/favicon.png",
            # Without this, the page sends the schema's address to a validator on the internet.
            swagger_ui_parameters={"validatorUrl": None},
        )


def _prefix(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")


def _assets_folder() -> Path:
    """Return the folder with the released files of Swagger UI; nothing else of that package is used.

    The package is not imported, because it imports FastAPI.
    """
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package fastapi_offline, which has the files of /docs, is not installed")
    return Path(spec.origin).parent / "static"
