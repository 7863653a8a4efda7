"""Clients that nobody here wrote log in at a real identity provider and call real services through the real gateway."""

from __future__ import annotations

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.gateway.logins.test_gateway_login_end_to_end import logins
from tests.gateway.support.logins import Logins
from tests.servers.hub.asking import until
from tests.stand_in.running import free_port
from tests.support.node_programs import FOLDER, NodePrograms, install
from tests.support.real_identity_provider import log_in

__all__ = ["logins"]

ADDRESSES = ["/api/template/mcp", "/mcp"]
TOOL = "template_echo"
_ADDRESS = re.compile(r"https?://\S+[?&]code_challenge=\S+")


@pytest.fixture(scope="module")
def programs() -> NodePrograms:
    return install()


async def consent(address: str, user: str) -> dict[str, list[str]]:
    """Log a user in whom a client sent to the address, as a browser does; return what the client asked for."""
    asked = parse_qs(urlsplit(address).query)
    returned = await log_in(address, user, asked["redirect_uri"][0])
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as browser:
        assert (await browser.get(returned)).status_code == 200
    return asked


def users(logins: Logins) -> set[str]:
    """Return the clients in the access log whose requests succeeded."""
    return {entry["client"] for entry in logins.gateway.logs()[0] if entry["status"] == 200}


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("sdk", ["1", "2"])
async def test_a_client_of_the_typescript_sdk_logs_in_once(
    logins: Logins, programs: NodePrograms, sdk: str, path: str
) -> None:
    logins.called.clear()
    url, user = logins.base + path, f"typescript-{sdk}-{len(path)}"
    arguments = ("-", sdk, str(free_port()), url, TOOL, "{}")
    process = await asyncio.create_subprocess_exec(
        programs.node, "--input-type=module", *arguments, cwd=programs.folder, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write((FOLDER / "login.mjs").read_bytes())
        process.stdin.write_eof()
        address = (await process.stdout.readline()).decode().strip()
        assert address, (await process.stderr.read()).decode()
        asked = await consent(address, user)
        output, errors = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, errors.decode()
    got = json.loads(output)
    assert (got["answers"], got["logins"]) == (["text", "text"], 1)
    assert TOOL in got["tools"]
    assert (asked["resource"], asked["code_challenge_method"]) == ([url], ["S256"])
    assert logins.called == [TOOL, TOOL]
    assert f"login.{user}" in users(logins)


@asynccontextmanager
async def mcp_remote(programs: NodePrograms, url: str, folder: Path, log: Path) -> AsyncIterator[Client]:
    """Yield a client of `mcp-remote`, which keeps its logins in a folder and writes its messages to a file."""
    program = programs.folder / "node_modules" / "mcp-remote" / "dist" / "proxy.js"
    # Nothing here can open a browser, so it only prints the address.
    environment = {"MCP_REMOTE_CONFIG_DIR": str(folder), "HOME": str(folder), "PATH": ""}
    parameters = StdioServerParameters(
        command=str(programs.node), args=[str(program), url, str(free_port())], env=environment
    )
    with log.open("w") as messages:
        async with Client(stdio_client(parameters, errlog=messages), mode="legacy", read_timeout_seconds=60) as client:
            yield client


@pytest.mark.parametrize("path", ADDRESSES)
async def test_mcp_remote_logs_in_once(logins: Logins, programs: NodePrograms, tmp_path: Path, path: str) -> None:
    logins.called.clear()
    url, user = logins.base + path, f"mcp-remote-{len(path)}"
    first, second = tmp_path / "first.log", tmp_path / "second.log"

    async def consent_when_asked() -> dict[str, list[str]]:
        await until(lambda: first.exists() and _ADDRESS.search(first.read_text()), 60)
        match = _ADDRESS.search(first.read_text())
        assert match
        return await consent(match[0], user)

    consenting = asyncio.create_task(consent_when_asked())
    async with mcp_remote(programs, url, tmp_path / "logins", first) as client:
        asked = await consenting
        assert TOOL in {tool.name for tool in (await client.list_tools()).tools}
        await client.call_tool(TOOL, {"text": "first"})
    assert (asked["resource"], asked["code_challenge_method"]) == ([url], ["S256"])
    async with mcp_remote(programs, url, tmp_path / "logins", second) as client:
        await client.call_tool(TOOL, {"text": "second"})
    assert not _ADDRESS.search(second.read_text())
    assert logins.called == [TOOL, TOOL]
    assert f"login.{user}" in users(logins)
