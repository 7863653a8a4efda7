"""What the commands run in a service's container to learn its tools, at real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import uvicorn
from dyber_kit import Settings
from dyber_kit.serving.server import build_server
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from cli.release import contracts
from tests.stand_in.running import free_port, running
from tests.stand_in.services import PACKAGES, build


@pytest.mark.parametrize("require_scope", [True, False])
def test_a_server_tells_its_tools_with_and_without_a_gateway_before_it(require_scope: bool) -> None:
    settings = Settings(port=free_port(), require_scope=require_scope)
    with running(build_server(build(PACKAGES["template"], settings))):
        asked = subprocess.run(
            [sys.executable, "-", "en"],
            input=contracts._ASK_THE_SERVER,
            env={**os.environ, "PORT": str(settings.port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    tools = json.loads(asked.stdout.strip().splitlines()[-1])
    assert "template_echo" in [tool["name"] for tool in tools]


def test_a_server_is_asked_in_the_users_language() -> None:
    languages: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            languages.append(Headers(scope=scope)["accept-language"])
            await PlainTextResponse("no", 500)(scope, receive, send)

    port = free_port()
    with running(uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))):
        asked = subprocess.run(
            [sys.executable, "-", "en"],
            input=contracts._ASK_THE_SERVER,
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert asked.returncode == 1
    assert set(languages) == {"en"}
