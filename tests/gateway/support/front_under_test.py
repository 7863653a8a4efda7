"""Runs a real front with a gateway behind it, as in a deployment: the front has the ports."""

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

#: Longer than the front remembers an address (nginx/front/nginx.conf).
DNS_SECONDS = 1.2
FRONT_FOLDER = Path(__file__).resolve().parents[3] / "nginx" / "front"


def build_front() -> str:
    """Build the front's image, using the build cache, and return its tag."""
    tag = "dyber-front-test:latest"
    docker(
        "build", "--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", tag, str(FRONT_FOLDER)
    )  # fmt: skip
    return tag


@dataclass
class FrontUnderTest:
    """A front and the gateway behind it.

    `gateway`: the gateway that serves now. `options`: options of `docker run` for the front.
    """

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
        """Deliver a configuration that trusts the front, and return its version."""
        trusted = GatewayNetworks(trusted_proxies=(self.subnet,))
        return self.gateway.configure(settings, tuple(services), tuple(clients), trusted)

    def replace_gateway(self, grace_seconds: int = 30) -> None:
        """Start a new gateway on the same volume; once it is healthy, the old one is drained and removed."""
        old = self.gateway.name
        new = unique("gateway")
        docker(
            "run", "--detach", "--name", new, "--label", LABEL, "--network", self.gateway.network,
            "--network-alias", "gateway", "--volume", f"{self.gateway.volume}:/etc/dyber:ro", *CONFINED, *READ_ONLY,
            self.gateway.image,
        )  # fmt: skip
        self.gateway.name = new
        wait_until(self.gateway.healthy, "the new gateway is healthy")
        # In a deployment the engine's health check takes longer than this, so the front knows the new gateway by then.
        time.sleep(DNS_SECONDS)
        docker("stop", "--time", str(grace_seconds), old)
        docker("rm", old)

    @property
    def subnet(self) -> str:
        """The address range of the network of front and gateway."""
        return docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", self.gateway.network)

    @property
    def address(self) -> str:
        """The address of the front in that network."""
        return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)

    def port(self, inside: int) -> int:
        """Return the port on this machine that leads to the front's port `inside`."""
        return int(docker("port", self.name, f"{inside}/tcp").rsplit(":", 1)[1])

    def _alias(self, container: str) -> None:
        docker("network", "disconnect", self.gateway.network, container)
        docker("network", "connect", "--alias", "gateway", self.gateway.network, container)

    def _takes_connections(self) -> bool:
        check = ["docker", "exec", self.name, "/usr/local/bin/front-healthcheck"]
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0
