"""A real front with a gateway behind it, as in a deployment: the front has the ports, the gateway speaks PROXY."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from infra.rendering.gateway.model import GatewayClient, GatewayNetworks, GatewayService
from infra.settings.gateway import GatewaySettings
from tests.gateway.support.docker_cli import BASE_IMAGE, CONFINED, LABEL, READ_ONLY, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import CLIENT, SETTINGS, GatewayUnderTest

#: How long the front may remember an address (nginx/front/nginx.conf), and a little more.
DNS_SECONDS = 1.2
FRONT_FOLDER = Path(__file__).resolve().parents[3] / "nginx" / "front"


def build_front() -> str:
    """Builds the front's image and returns its tag; layers that are there are used again."""
    tag = "dyber-front-test:latest"
    docker(
        "build", "--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", tag, str(FRONT_FOLDER)
    )  # fmt: skip
    return tag


@dataclass
class FrontUnderTest:
    """`gateway` is the one that serves now; `replace_gateway` puts another in its place, new-first. `options` are the
    engine's for the front."""

    front_image: str
    gateway: GatewayUnderTest
    ports: tuple[int, ...] = (80,)
    options: tuple[str, ...] = ()
    name: str = field(default_factory=lambda: unique("front"))

    def start(self) -> None:
        self.gateway.ports = ()
        self.gateway.start()
        self._alias(self.gateway.name)
        docker(
            "run", "--detach", "--name", self.name, "--label", LABEL, "--network", self.gateway.network,
            *(f"--publish=127.0.0.1::{port}" for port in self.ports), *CONFINED, "--ulimit=nofile=16384:16384",
            *READ_ONLY, *self.options, self.front_image,
        )  # fmt: skip
        wait_until(self._takes_connections, "the front takes connections")

    def stop(self) -> None:
        docker("rm", "--force", "--volumes", self.name)
        self.gateway.stop()

    def configure(
        self,
        settings: GatewaySettings = SETTINGS,
        services: Iterable[GatewayService] = (),
        clients: Iterable[GatewayClient] = (CLIENT,),
    ) -> str:
        """Delivers a configuration that trusts the front, and returns its version."""
        trusted = GatewayNetworks(trusted_proxies=(self.subnet,))
        return self.gateway.configure(settings, tuple(services), tuple(clients), trusted)

    def replace_gateway(self, grace_seconds: int = 30) -> None:
        """A new gateway on the same volume; when it is healthy the old one drains and goes."""
        old = self.gateway.name
        new = unique("gateway")
        docker(
            "run", "--detach", "--name", new, "--label", LABEL, "--network", self.gateway.network,
            "--network-alias", "gateway", "--volume", f"{self.gateway.volume}:/etc/dyber:ro", *CONFINED, *READ_ONLY,
            self.gateway.image,
        )  # fmt: skip
        self.gateway.name = new
        wait_until(self.gateway.healthy, "the new gateway is healthy")
        # In a deployment the engine's own health check takes longer than this; the front then knows the newcomer.
        time.sleep(DNS_SECONDS)
        docker("stop", "--time", str(grace_seconds), old)
        docker("rm", old)

    @property
    def subnet(self) -> str:
        """The address range of the network that front and gateway share."""
        return docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", self.gateway.network)

    @property
    def address(self) -> str:
        """The front's own address there."""
        return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)

    def port(self, inside: int) -> int:
        """The port on this machine behind which `inside` is."""
        return int(docker("port", self.name, f"{inside}/tcp").rsplit(":", 1)[1])

    def _alias(self, container: str) -> None:
        docker("network", "disconnect", self.gateway.network, container)
        docker("network", "connect", "--alias", "gateway", self.gateway.network, container)

    def _takes_connections(self) -> bool:
        check = ["docker", "exec", self.name, "/usr/local/bin/front-healthcheck"]
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0
