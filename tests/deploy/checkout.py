"""Helps tests to use a real deployment: its commands, its containers, its clients."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.support.leftovers import labelled, remove_labelled

#: Tests that run at once in several processes deploy a stack each.
PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
STACK = f"e2e{PROCESS or ''}"
#: The stack that the tests of promotion promote to.
NEXT, LAST = f"{STACK}-next", f"{STACK}-last"
#: What these tests start beside the stack.
TEST_LABEL = f"dyber.test=deploy-{STACK}"
#: The services of the repository; what a user adds beside them is not deployed here.
SERVICES = ("xiaohongshu", "template")
#: Beside the committed stacks, and below the ports that systems hand out by themselves.
OFFSET = 22000 + 20 * PROCESS
BASE = f"http://127.0.0.1:{80 + OFFSET}"
STAND_IN = f"dyber-{STACK}-stand-in"


def docker(*arguments: str, check: bool = True) -> str:
    """Run `docker …` and return its standard output."""
    result = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check and result.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {result.stderr}")
    return result.stdout


def ours(kind: str) -> list[str]:
    """Return the names of the containers, networks or volumes that carry the stack's label."""
    return labelled(kind, f"dyber.stack={STACK}")


def remove_leftovers() -> None:
    """Remove what a killed test run left on the engine."""
    remove_labelled(*(f"dyber.stack={stack}" for stack in (STACK, NEXT, LAST)), TEST_LABEL)


def inspect(service: str) -> dict[str, Any]:
    """Return what `docker inspect` says of the running container of a service."""
    (identity,) = docker(
        "ps", "--quiet", "--filter", f"label=dyber.stack={STACK}", "--filter", f"label=dyber.service={service}"
    ).split()
    return dict(json.loads(docker("inspect", identity))[0])


@dataclass
class Checkout:
    """A clone of the repository and the stack deployed from it."""

    root: Path
    state: Path
    environment: dict[str, str]
    bystanders: dict[str, str]
    first: subprocess.CompletedProcess[str] | None = None
    #: Whether the stack still has what its file said during an earlier test.
    behind: bool = False
    _token: str = field(default="", repr=False)

    def deploy_sh(
        self, *arguments: str, check: bool = True, timeout: float = 600, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `./deploy.sh …` in the clone."""
        result = subprocess.run(
            ["./deploy.sh", *arguments], cwd=self.root, env={**self.environment, **environment},
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        if not arguments and result.returncode == 0:
            self.behind = False
        if check and result.returncode:
            raise AssertionError(
                f"./deploy.sh {' '.join(arguments)}: {result.returncode}\n{result.stdout}\n{result.stderr}"
            )
        return result

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `./deploy.sh …` in the background, in its own process group as a terminal does."""
        return subprocess.Popen(
            ["./deploy.sh", *arguments], cwd=self.root, env=self.environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def shell(self, script: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in a shell of the clone after `eval "$(./deploy.sh env)"`."""
        result = subprocess.run(
            ["bash", "-c", 'eval "$(./deploy.sh env)"\n' + script], cwd=self.root, env=self.environment,
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        if check and result.returncode:
            raise AssertionError(f"{script}: {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result

    def planned_changes(self) -> dict[str, str]:
        """Return what `pulumi preview` would change: the operation by the resource's logical name."""
        steps = json.loads(self.shell(f"pulumi preview -s {STACK} --json --non-interactive").stdout)["steps"]
        return {step["urn"].rsplit("::", 1)[-1]: step["op"] for step in steps if step["op"] not in ("same", "refresh")}

    @property
    def stack_file(self) -> Path:
        return self.root / f"Pulumi.{STACK}.yaml"

    def configure(self, key: str, value: Any) -> None:
        """Set a key under `dyber:` in the stack's file, or remove it when the value is None."""
        content = yaml.safe_load(self.stack_file.read_text())
        if value is None:
            content["config"].pop(f"dyber:{key}", None)
        else:
            content["config"][f"dyber:{key}"] = value
        self.stack_file.write_text(yaml.safe_dump(content, allow_unicode=True))

    def configured(self, key: str) -> Any:
        """Return the value of a key under `dyber:` in the stack's file."""
        return yaml.safe_load(self.stack_file.read_text())["config"].get(f"dyber:{key}")

    @property
    def token(self) -> str:
        if not self._token:
            self._token = self.deploy_sh("token", "show").stdout.strip()
        return self._token

    def start_stand_in(self) -> None:
        """Start the stand-in site in xiaohongshu's network, under the name in the stack's file."""
        (network,) = docker(
            "network", "ls", "--filter", f"label=dyber.stack={STACK}", "--filter", "label=dyber.service=xiaohongshu",
            "--format", "{{.Name}}",
        ).split()  # fmt: skip
        docker(
            "run", "--detach", "--no-healthcheck", "--name", STAND_IN, "--network", network, "--network-alias", "xhs-stand-in",
            "--label", TEST_LABEL, "--volume", f"{self.root / 'tests'}:/srv/tests:ro", "--env", "PYTHONPATH=/srv",
            "--env", "HOST=0.0.0.0", "--entrypoint", "/opt/venv/bin/python", inspect("xiaohongshu")["Image"],
            "-m", "tests.stand_in.platforms.xiaohongshu.site", "--port", "8100",
        )  # fmt: skip
        probe = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8100/explore')"
        for _ in range(50):
            if (
                subprocess.run(
                    ["docker", "exec", STAND_IN, "/opt/venv/bin/python", "-c", probe], capture_output=True
                ).returncode
                == 0
            ):
                return
            time.sleep(0.2)
        raise AssertionError(docker("logs", STAND_IN, check=False))

    def remove_stand_in(self) -> None:
        docker("rm", "--force", STAND_IN, check=False)


@asynccontextmanager
async def mcp_client(service: str, transport: str, token: str | None) -> AsyncIterator[Client]:
    """Open the official SDK's client of a service behind the gateway, over `http` or `sse`."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    if transport == "sse":
        async with Client(sse_client(f"{BASE}/api/{service}/mcp/sse", headers=headers), mode="legacy") as client:
            yield client
        return
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with Client(streamable_http_client(f"{BASE}/api/{service}/mcp", http_client=http)) as client:
            yield client


@asynccontextmanager
async def hub_client(token: str, path: str = "/mcp", mode: Any = "auto") -> AsyncIterator[Client]:
    """Open the official SDK's client of the hub; `mode` is auto, or legacy for the revisions with a handshake."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        async with Client(streamable_http_client(f"{BASE}{path}", http_client=http), mode=mode) as client:
            yield client


def interrupt_group(process: subprocess.Popen[str], signal_number: int) -> None:
    """Send a signal to everything that the command started, as a terminal does on Ctrl-C."""
    os.killpg(process.pid, signal_number)
