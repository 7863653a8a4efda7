"""Starts the stand-in for GitHub, and makes services on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvicorn
from dyber_kit import ServiceApp, Settings
from mcp import Client
from mcp.types import CallToolResult

from tests.stand_in.platforms.github.site import TOKEN, GitHubState, create_github
from tests.stand_in.running import StandIn, free_port, running

from github_server.config import GitHubSettings
from github_server.service import build_app

Ask = Callable[..., Awaitable[dict[str, Any]]]
Refused = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def site() -> Iterator[StandIn]:
    """Return the running stand-in."""
    app = create_github()
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, app)


@pytest.fixture
def state(site: StandIn) -> GitHubState:
    """Return what the stand-in received and how it behaves, as at its start."""
    site.app.state.github.reset()
    return site.app.state.github


@pytest.fixture
def make(site: StandIn, state: GitHubState) -> Callable[..., ServiceApp]:
    """Return a function that makes a service with a token on the stand-in; arguments change its settings."""

    def made(settings: Settings | None = None, **values: Any) -> ServiceApp:
        chosen = {"api_url": site.base, "token": TOKEN, **values}
        return build_app(settings or Settings(port=free_port()), GitHubSettings(**chosen))

    return made


@pytest.fixture
def app(make: Callable[..., ServiceApp]) -> ServiceApp:
    """Return a service with a token."""
    return make()


@pytest.fixture
def writing_app(make: Callable[..., ServiceApp]) -> ServiceApp:
    """Return a service with a token that may write."""
    return make(Settings(port=free_port(), read_only=False))


@pytest.fixture
def ask(app: ServiceApp) -> Ask:
    """Return a function that calls a tool and returns its answer; `app` chooses another service."""

    async def asked(tool: str, app: ServiceApp = app, **arguments: Any) -> dict[str, Any]:
        result = await called(app, tool, arguments)
        assert not result.is_error, result.content[0].text
        return result.structured_content

    return asked


@pytest.fixture
def refused(app: ServiceApp) -> Refused:
    """Return a function that calls a tool and returns the text of its error; `app` chooses another service."""

    async def asked(tool: str, app: ServiceApp = app, **arguments: Any) -> str:
        result = await called(app, tool, arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text

    return asked


async def called(app: ServiceApp, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    async with Client(app.mcp) as client:
        return await client.call_tool(f"github_{tool}", arguments)
