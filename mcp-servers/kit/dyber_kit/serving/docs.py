"""Serves /docs, a page about the REST routes; its files come from this server, so it works without internet."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from dyber_kit.language import tr

DOCS_PATH = "/docs"
ASSETS_PATH = "/docs/assets"
OPENAPI_PATH = "/openapi.json"


def add_docs(api: FastAPI) -> None:
    """Serve /docs, its files and a schema in which the gateway's bearer token can be filled in.

    `api` must be made with `docs_url=None` and `redoc_url=None`.
    """
    # Only the released files of Swagger UI are used from this package.
    assets = str(files("fastapi_offline") / "static")
    api.router.routes.append(Mount(ASSETS_PATH, StaticFiles(directory=assets), name="docs-assets"))
    make_schema = api.openapi

    def schema() -> dict[str, Any]:
        document = make_schema()
        about = tr("The gateway's access token, without Bearer")
        token = {"type": "http", "scheme": "bearer", "description": about}
        document.setdefault("components", {})["securitySchemes"] = {"token": token}
        document["security"] = [{"token": []}]
        return document

    api.openapi = schema  # type: ignore[method-assign] # FastAPI's documented way to extend the schema

    @api.get(DOCS_PATH, include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        prefix = request.scope.get("root_path", "").rstrip("/")
        return get_swagger_ui_html(
            title=api.title,
            openapi_url=prefix + OPENAPI_PATH,
            swagger_js_url=f"{prefix}{ASSETS_PATH}/swagger-ui-bundle.js",
            swagger_css_url=f"{prefix}{ASSETS_PATH}/swagger-ui.css",
            swagger_favicon_url=f"{prefix}{ASSETS_PATH}/favicon.png",
            # Without this, the page sends the schema's address to a validator on the internet.
            swagger_ui_parameters={"validatorUrl": None},
        )
