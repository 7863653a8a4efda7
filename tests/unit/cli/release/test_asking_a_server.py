"""What the commands run in a service's container to learn its tools, at real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from cli.release import contracts
from tests.stand_in.running import free_port, running
from tests.stand_in.services import PACKAGES, build


@pytest.mark.parametrize("require_scope", [True, False])
def test_a_server_tells_its_tools_with_and_without_a_gateway_before_it(require_scope: bool) -> None:
    settings = Settings(port=free_port(), require_scope=require_scope)
    with running(build_server(build(PACKAGES["template"], settings))):
        asked = subprocess.run(
            [sys.executable, "-"],
            input=contracts._ASK_THE_SERVER,
            env={**os.environ, "PORT": str(settings.port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    tools = json.loads(asked.stdout.strip().splitlines()[-1])
    assert "template_echo" in [tool["name"] for tool in tools]
