"""Runs a real gateway in a container, with its volume, its loader and backends."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayClient, GatewayConsole, GatewayHub, GatewayNetworks, GatewayService
from infra.settings.gateway import GatewaySettings, LimitSettings
from tests.gateway.support.docker_cli import CONFINED, LABEL, READ_ONLY, archive, docker, unique, wait_until

BACKEND = Path(__file__).parent / "backend"
TOKEN = "0f" * 32
OTHER_TOKEN = "Aa" * 32
#: Backends listen on 9000. `hung` accepts connections but never answers; `absent` has no container.
ALPHA = GatewayService("alpha", 9000, "甲", 5)
HUNG = GatewayService("hung", 9001, "挂起", 5)
ABSENT = GatewayService("absent", 9002, "缺席", 5)
SETTINGS = GatewaySettings(
    server_names=("pet.example",),
    allowed_origins=("https://pet.example",),
    max_body_mib=1,
    # Many tests without a good token come from the same address.
    limits=LimitSettings(refused_per_minute=6000),
)
CLIENT = GatewayClient("desktop-pet", (hashlib.sha256(TOKEN.encode()).hexdigest(),))


def changed(settings: GatewaySettings, **changes: Any) -> GatewaySettings:
    """Return settings with other values. For a group, such as `limits`, pass a dictionary of the keys to change.

    The values are not checked, so a test can use ones that a stack file must not have.
    """
    groups = {
        key: getattr(settings, key).model_copy(update=value)
        for key, value in changes.items()
        if isinstance(value, dict)
    }
    return settings.model_copy(update={**changes, **groups})


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)


@dataclass
class Loaded:
    """The result of a run of the loader."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass
class GatewayUnderTest:
    image: str
    ports: tuple[int, ...] = (80, 443, 8080, 9000, 9001, 9002)
    network: str = field(default_factory=lambda: unique("network"))
    volume: str = field(default_factory=lambda: unique("volume"))
    name: str = field(default_factory=lambda: unique("gateway"))
    others: list[str] = field(default_factory=list)
    #: A volume that is mounted read-only in the folder of the console's socket; "" for none.
    log_volume: str = ""
    #: By container and port inside: the port on this machine, which the engine keeps until the container restarts.
    _published: dict[tuple[str, int], int] = field(default_factory=dict)

    def start(self) -> None:
        docker("network", "create", "--label", LABEL, self.network)
        docker("volume", "create", "--label", LABEL, self.volume)
        log = [f"--volume={self.log_volume}:/run/dyber-console:ro"] if self.log_volume else []
        published = [f"--publish=127.0.0.1::{port}" for port in self.ports]
        docker(
            "run", "--detach", "--name", self.name, "--label", LABEL, "--network", self.network,
            "--volume", f"{self.volume}:/etc/dyber:ro", *log, *published, *CONFINED, *READ_ONLY, self.image,
        )  # fmt: skip
        wait_until(self.healthy, "the gateway is healthy")

    def healthy(self) -> bool:
        check = ["docker", "exec", self.name, "/usr/local/bin/gateway-healthcheck"]
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0

    def restart(self) -> None:
        """Restart as after a power cut: only the volume is kept."""
        self._published.clear()
        docker("restart", "--time", "0", self.name)
        wait_until(self.healthy, "the gateway is healthy again")

    def stop(self) -> None:
        for name in (*self.others, self.name):
            docker("rm", "--force", "--volumes", name)
        docker("volume", "rm", self.volume)
        docker("network", "rm", self.network)

    def backend(self, service: str, replica: int = 1) -> str:
        """Start another container of a service, with this replica number, and return its name once it listens.

        The services `hub` and `console` are stand-ins for the hub and the console, which answer as the others do.
        """
        name = unique(service)
        alias = service if service in ("hub", "console") else f"{service}-mcp"
        docker(
            "create", "--name", name, "--label", LABEL, "--network", self.network,
            "--network-alias", alias, "--network-alias", f"{alias}-{replica}", *CONFINED, self.image,
            "nginx", "-e", "stderr", "-c", "/backend/nginx.conf", "-g", "daemon off;",
        )  # fmt: skip
        self.others.append(name)
        files = {f"backend/{path.name}": path.read_text() for path in BACKEND.iterdir()}
        docker("cp", "-", f"{name}:/", stdin=archive(files))
        docker("start", name)
        ask = ["docker", "exec", name, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000"]
        wait_until(lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0, f"{name} listens")
        return name

    def remove_backend(self, name: str, grace_seconds: int = 10) -> None:
        docker("stop", "--time", str(grace_seconds), name)
        docker("rm", name)
        self.others.remove(name)

    def load(
        self,
        files: Mapping[str, str],
        command: str = "/usr/local/bin/apply-config /staging",
        memory_mib: int | None = None,
    ) -> Loaded:
        """Run the loader with these files, and with a limit of its memory."""
        limit = [f"--memory={memory_mib}m", f"--memory-swap={memory_mib}m"] if memory_mib else []
        name = unique("loader")
        docker(
            "create", "--name", name, "--label", LABEL, "--network", "none", "--pid", f"container:{self.name}",
            "--volume", f"{self.volume}:/etc/dyber", *CONFINED, *limit, self.image, "bash", "-c", command,
        )  # fmt: skip
        try:
            docker("cp", "-", f"{name}:/", stdin=archive({f"staging/{path}": text for path, text in files.items()}))
            result = subprocess.run(
                ["docker", "start", "--attach", name], capture_output=True, text=True, timeout=120, check=False
            )
            return Loaded(result.returncode, result.stdout, result.stderr)
        finally:
            docker("rm", "--force", name)

    def configure(
        self,
        settings: GatewaySettings = SETTINGS,
        services: tuple[GatewayService, ...] = (ALPHA, HUNG, ABSENT),
        clients: tuple[GatewayClient, ...] = (CLIENT,),
        networks: GatewayNetworks = GatewayNetworks(),
        hub: GatewayHub | None = None,
        console: GatewayConsole | None = None,
    ) -> str:
        """Deliver a configuration and return its version."""
        loaded = self.load(render(settings, services, clients, networks, hub=hub, console=console))
        assert loaded.exit_code == 0, loaded.stderr
        return loaded.stdout.strip()

    def port(self, inside: int) -> int:
        """Return the port on this machine that leads to the gateway's port `inside`."""
        key = (self.name, inside)
        if key not in self._published:
            self._published[key] = int(docker("port", self.name, f"{inside}/tcp").rsplit(":", 1)[1])
        return self._published[key]

    def connect(self, port: int, timeout: float = 20) -> http.client.HTTPConnection:
        if port == 443:
            context = ssl._create_unverified_context()
            return http.client.HTTPSConnection("127.0.0.1", self.port(port), timeout=timeout, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port(port), timeout=timeout)

    def request(
        self,
        path: str,
        *,
        port: int = 80,
        method: str = "GET",
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        connection = self.connect(port)
        try:
            connection.request(method, path, body=body, headers={**authorization, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def seen(self, path: str, **options: object) -> dict:
        """Send a request and return what the backend saw of it, with header names in lower case."""
        answer = self.request(path, **options)
        assert answer.status == 200, answer.body
        seen = answer.json()
        seen["headers"] = {name.lower(): value for name, value in seen["headers"].items()}
        return seen

    def logs(self) -> tuple[list[dict], str]:
        """Return the entries of the access log, and the output on stderr."""
        result = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, timeout=30, check=True)
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    def logged(self, request_id: str) -> dict:
        """Return the access log entry of a request, which is written shortly after the response."""
        entries: list[dict] = []

        def present() -> bool:
            entries[:] = [entry for entry in self.logs()[0] if entry["request_id"] == request_id]
            return bool(entries)

        wait_until(present, f"log entry of {request_id}")
        return entries[0]
