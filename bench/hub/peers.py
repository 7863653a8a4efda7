"""Runs other programs that offer the tools of several servers at one address, in front of the same backends.

They are installed from PyPI on first use, each into an environment of its own, and run as ordinary processes of this
machine, with the settings that log and check least: no access log, no authentication, no plugins.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx2

from bench.hub.backends import Backend
from bench.servers import wait_for
from tests.stand_in.running import free_port
from tests.support.installed_once import install_once

#: The second package is the SDK that the first needs, which an installer may else take in an older version.
FASTMCP = ("fastmcp==4.2.3", "mcp==2.3.0")
CONTEXTFORGE = ("mcp-contextforge-gateway==1.0.7.post20260921",)
#: Reads the servers' addresses by name as JSON from its first argument, and listens on the port of its second.
PROXY = """
import json, sys
from fastmcp.server import create_proxy
servers = {name: {"url": url} for name, url in json.loads(sys.argv[1]).items()}
proxy = create_proxy({"mcpServers": servers}, name="bench")
proxy.run(
    transport="http", host="127.0.0.1", port=int(sys.argv[2]), stateless_http=True, show_banner=False,
    log_level="CRITICAL", uvicorn_config={"access_log": False},
)
"""


def environment(name: str, packages: Sequence[str]) -> Path:
    """Return the folder of the programs of an environment with these packages, installed if they are not there."""

    def prepare(folder: Path) -> list[str | Path]:
        venv.create(folder / "environment", clear=True)
        python = folder / "environment" / "bin" / "python"
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *packages]

    return install_once(f"bench-{name}", " ".join(packages).encode(), prepare) / "environment" / "bin"


@contextlib.contextmanager
def running(command: Sequence[str | Path], folder: Path, ready: str, **variables: str) -> Iterator[int]:
    """Run a program in `folder`, without its log, until `ready` answers; yield its process id."""
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(ready)
        yield child.pid
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        child.kill()
        child.wait()


@contextlib.contextmanager
def fastmcp(backends: list[Backend]) -> Iterator[tuple[int, str]]:
    """Run FastMCP's proxy of all backends; yield its process id and its MCP address."""
    port = free_port()
    servers = json.dumps({backend.name: backend.mcp for backend in backends})
    with tempfile.TemporaryDirectory() as folder:
        command = [environment("fastmcp", FASTMCP) / "python", "-c", PROXY, servers, str(port)]
        with running(command, Path(folder), f"http://127.0.0.1:{port}/nothing") as pid:
            yield pid, f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def contextforge(backends: list[Backend]) -> Iterator[tuple[int, str]]:
    """Run ContextForge with all backends registered; yield its process id and its MCP address."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "DATABASE_URL": f"sqlite:///{folder}/mcp.db",
            "CACHE_TYPE": "memory",
            "AUTH_REQUIRED": "false",
            "MCP_REQUIRE_AUTH": "false",
            "ALLOW_UNAUTHENTICATED_ADMIN": "true",
            "JWT_SECRET_KEY": secrets.token_hex(32),
            "AUTH_ENCRYPTION_SECRET": secrets.token_hex(32),
            "PLATFORM_ADMIN_PASSWORD": f"A1-{secrets.token_hex(16)}",
            "BASIC_AUTH_PASSWORD": f"A1-{secrets.token_hex(16)}",
            "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
            "SSRF_ALLOW_LOCALHOST": "true",
            "MCPGATEWAY_UI_ENABLED": "false",
            "PLUGINS_ENABLED": "false",
            "OBSERVABILITY_ENABLED": "false",
            "RATE_LIMITING_ENABLED": "false",
            "LOG_LEVEL": "CRITICAL",
        }
        program = environment("contextforge", CONTEXTFORGE) / "mcpgateway"
        command = [program, "--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "critical"]
        with running(command, Path(folder), f"{base}/health", **settings) as pid:
            _register(base, backends)
            yield pid, f"{base}/mcp/"


def _register(base: str, backends: list[Backend]) -> None:
    with httpx2.Client(base_url=base, timeout=60) as client:
        for backend in backends:
            entry = {"name": backend.name, "url": backend.mcp, "transport": "STREAMABLEHTTP", "visibility": "public"}
            answer = client.post("/gateways", json=entry)
            if answer.status_code >= 400:
                raise SystemExit(f"ContextForge does not take {backend.name}: {answer.status_code} {answer.text[:500]}")


#: By name with its version, what runs it.
PEERS: dict[str, Callable[[list[Backend]], contextlib.AbstractContextManager[tuple[int, str]]]] = {
    f"ContextForge {CONTEXTFORGE[0].partition('==')[2]}": contextforge,
    f"FastMCP proxy {FASTMCP[0].partition('==')[2]}": fastmcp,
}
