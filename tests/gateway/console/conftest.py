"""Fixtures of gateways with a stand-in for the console, which takes their log on a Unix socket as the console does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infra.rendering.gateway.model import GatewayConsole, GatewayNetworks
from tests.gateway.support.docker_cli import CONFINED, LABEL, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import ALPHA, SETTINGS, GatewayUnderTest, changed

SPANS, INTERNAL = 10318, 10071
#: Tests make many calls at once.
FAST = replace(ALPHA, requests_per_second=5000)
#: Prints each datagram that comes in on the socket.
LISTEN = r"""
use Socket; $| = 1; my $path = "/run/dyber-console/gateway.sock"; unlink $path;
socket(my $in, AF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($in, sockaddr_un($path)) or die $!; chmod 0666, $path;
print "listening\n";
while (defined recv($in, my $line, 65536, 0)) { print "$line\n"; }
"""


@dataclass
class GatewayWithConsole:
    """A gateway, and the stand-in: `pages` answers for pages and spans, `listener` takes the log."""

    gateway: GatewayUnderTest
    pages: str = ""
    listener: str = ""

    def start_console(self) -> None:
        """Start the stand-in, and wait until the gateway knows it."""
        self.listener = unique("listener")
        docker(
            "run", "--detach", "--name", self.listener, "--label", LABEL, "--network", "none",
            "--volume", f"{self.gateway.log_volume}:/run/dyber-console", *CONFINED, self.gateway.image,
            "perl", "-e", LISTEN,
        )  # fmt: skip
        wait_until(lambda: "listening" in docker("logs", self.listener), "the listener is ready")
        self.pages = self.gateway.backend("console")
        wait_until(lambda: self.page().status == 200, "the gateway passes pages on")

    def kill_console(self) -> None:
        """Remove the stand-in at once; its socket stays in the volume, without a listener."""
        self.gateway.remove_backend(self.pages, grace_seconds=0)
        docker("rm", "--force", self.listener)
        self.pages = self.listener = ""

    def page(self, path: str = "/console/", **options: Any) -> Any:
        """Ask for a page without a token."""
        return self.gateway.request(path, token=None, **options)

    def told(self) -> list[dict[str, Any]]:
        """Return the entries of the log that the console was told."""
        lines = docker("logs", self.listener).splitlines()
        return [json.loads(line[line.index("{") :]) for line in lines if "{" in line]

    def range(self) -> str:
        """Return the address range of the network."""
        return docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", self.gateway.network)

    def configure(self, **options: Any) -> None:
        """Configure the gateway with one service and the console."""
        given = {
            "settings": changed(SETTINGS, breaker={"failures": 1000}),
            "services": (FAST,),
            "networks": GatewayNetworks(console=(self.range(),)),
            "console": GatewayConsole(),
            **options,
        }
        self.gateway.configure(**given)


@contextmanager
def with_console(image: str) -> Iterator[GatewayWithConsole]:
    """Start a gateway with a service and the stand-in of the console; all are removed afterwards."""
    volume = unique("log")
    docker(
        "volume", "create", "--label", LABEL, "--driver", "local",
        "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=mode=1777", volume,
    )  # fmt: skip
    running = GatewayUnderTest(image, ports=(80, 443, 8080, 9000, SPANS, INTERNAL), log_volume=volume)
    both = GatewayWithConsole(running)
    try:
        running.start()
        running.backend("alpha")
        both.configure()
        both.start_console()
        yield both
    finally:
        if both.listener:
            docker("rm", "--force", both.listener)
        running.stop()
        docker("volume", "rm", volume)


@pytest.fixture(scope="module")
def shared(gateway_image: str) -> Iterator[GatewayWithConsole]:
    """A gateway with a console, which tests must not change."""
    with with_console(gateway_image) as both:
        yield both


@pytest.fixture
def failing(gateway_image: str) -> Iterator[GatewayWithConsole]:
    """A gateway whose console a test may stop."""
    with with_console(gateway_image) as both:
        yield both
