"""The health check runs often until it succeeds, then rarely, and often again after a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from infra.components.docker import containers, defaults
from infra.parts.containers import Probe

OWN_CHECK = Path(__file__).resolve().parents[4] / "mcp-servers" / "healthcheck"


@pytest.fixture
def check(tmp_path: Path) -> list[str]:
    """Return the check as the engine runs it, for the existence of the file `ready`, with a recorded sleep."""
    arguments = defaults.healthcheck("/usr/bin/test", "-e", str(tmp_path / "ready")).tests
    assert isinstance(arguments, list) and arguments[0] == "CMD"
    script = str(arguments[3]).replace("/tmp/.healthy", str(tmp_path / "mark"))
    slumber = f"sleep {defaults.HEALTHY_CHECK_SECONDS - defaults.CHECK_SECONDS}"
    assert slumber in script
    return [
        *map(str, arguments[1:3]),
        script.replace(slumber, f"echo slept >> {tmp_path}/slept"),
        *map(str, arguments[4:]),
    ]


def test_the_check_sleeps_only_after_it_has_succeeded(check: list[str], tmp_path: Path) -> None:
    def slept() -> int:
        file = tmp_path / "slept"
        return len(file.read_text().split()) if file.exists() else 0

    results = []
    for ready in (False, True, True, False, False, True):
        (tmp_path / "ready").touch() if ready else (tmp_path / "ready").unlink(missing_ok=True)
        results.append((subprocess.run(check, check=False).returncode, slept()))
    assert results == [(1, 0), (0, 0), (0, 1), (1, 2), (1, 2), (0, 2)]


def test_the_timeout_is_longer_than_the_sleep() -> None:
    arguments = defaults.healthcheck("true")
    assert isinstance(arguments.timeout, str)
    assert int(arguments.timeout.removesuffix("s")) > defaults.HEALTHY_CHECK_SECONDS - defaults.CHECK_SECONDS + 5


def test_an_image_without_a_shell_is_checked_by_its_own_program_which_sleeps_only_after_it_has_succeeded(
    tmp_path: Path,
) -> None:
    answers: list[int] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers[-1])
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    tests = containers.healthcheck(Probe(("/opt/dyber/healthcheck",), has_shell=False)).tests
    assert tests == ["CMD", "/opt/dyber/healthcheck", str(defaults.HEALTHY_CHECK_SECONDS - defaults.CHECK_SECONDS)]
    text = OWN_CHECK.read_text(encoding="utf-8").replace("/tmp/", f"{tmp_path}/")
    check = text.replace("time.sleep(RESTS)", "print('slept', RESTS)")
    results = []
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for status in (503, 200, 200, 503, 503, 200):
            answers.append(status)
            done = subprocess.run(
                [sys.executable, "-c", check, tests[2]],
                env={**os.environ, "PORT": str(server.server_port)}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            results.append((done.returncode, done.stdout.strip()))
        server.shutdown()
    assert results == [(1, ""), (0, ""), (0, "slept 28"), (1, "slept 28"), (1, ""), (0, "")]
