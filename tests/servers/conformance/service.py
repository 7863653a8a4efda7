"""Builds the server that the official conformance suite tests, from the kit and what the suite expects.

`python -m tests.servers.conformance.service` serves it on HOST and PORT like any other.
"""

from __future__ import annotations

from typing import Any

from dyber_kit import ServiceApp, Settings, create_app, run
from mcp.server.context import ServerRequestContext
from mcp.types import EmptyResult, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams

from tests.servers.conformance import contents, questions


def build_app(settings: Settings | None = None) -> ServiceApp:
    """Return the conformance server."""
    app = create_app(
        name="conformance",
        title="一致性",
        version="1.0.0",
        instructions="Serves what the conformance suite of the protocol expects.",
        tools=[*contents.TOOLS, *questions.TOOLS],
        prompts=[*contents.PROMPTS, *questions.PROMPTS],
        resources=contents.RESOURCES,
        completions=contents.COMPLETIONS,
        settings=settings,
    )
    _answer_deprecated_requests(app)
    return app


def _answer_deprecated_requests(app: ServiceApp) -> None:
    """Answer requests of 2025-11-25 that the suite makes and that the kit does not offer.

    Services of the kit send their logs to the administrator, and their resources do not change.
    """

    async def done(ctx: ServerRequestContext[Any, Any], params: Any) -> EmptyResult:
        return EmptyResult()

    server = app.mcp._lowlevel_server
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, done)
    server.add_request_handler("resources/subscribe", SubscribeRequestParams, done)
    server.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, done)


if __name__ == "__main__":
    run(build_app())
