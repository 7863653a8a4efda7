"""Runs a real ACME server, Pebble, built from its Go module, in a container on the gateway's network."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from tests.gateway.support.certificates import Authority
from tests.gateway.support.docker_cli import CONFINED, LABEL, archive, docker, unique, wait_until
from toolchain.from_source.go_build import build_environment, find_go
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.progress import PlainProgress
from toolchain.versions import load

MODULE = "github.com/letsencrypt/pebble/v2"
VERSION = "v2.10.1"
#: Any image works, because the program is static.
IMAGE = os.environ.get("DYBER_SERVERS_BASE_IMAGE", "dyber-base:trixie")


def build_pebble() -> Path:
    """Build the program once per version in DYBER_HOME and return its path. Fails the test with the output of Go."""
    home = DyberHome.from_environment()
    folder = home.build / "tests" / f"pebble-{VERSION}"
    program = folder / "pebble"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if program.exists():
            return program
        mirrors = Mirrors.from_environment()
        go = find_go(home, load(), mirrors, PlainProgress())
        with tempfile.TemporaryDirectory(dir=folder) as work:
            environment = build_environment(home, mirrors)
            environment.update(GOMODCACHE=f"{work}/modules", GOCACHE=f"{work}/cache", GOBIN=work)
            # Otherwise the folders of the modules are read-only and cannot be removed.
            environment["GOFLAGS"] += " -modcacherw"
            result = subprocess.run(
                [go, "install", "-ldflags", "-s -w", f"{MODULE}/cmd/pebble@{VERSION}"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert result.returncode == 0, result.stderr
            (Path(work) / "pebble").rename(program)
    return program


@dataclass
class Pebble:
    """An ACME server for containers of `network`; `directory` is its URL. Its certificates last `lifetime_seconds`."""

    network: str
    authority: Authority
    lifetime_seconds: int = 90 * 24 * 3600
    name: str = field(default_factory=lambda: unique("acme-server"))

    @property
    def directory(self) -> str:
        return f"https://{self.name}:14000/dir"

    @property
    def trusted(self) -> str:
        """The authority of the server's own TLS certificate, which a restart does not change."""
        return self.authority.root

    def start(self) -> None:
        program = build_pebble()
        pair = self.authority.issue(self.name)
        settings = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/pebble/chain.pem",
            "privateKey": "/pebble/key.pem",
            "httpPort": 80,
            "tlsPort": 443,
            "keyAlgorithm": "ecdsa",
            "retryAfter": {"authz": 1, "order": 1},
            "profiles": {"default": {"description": "of tests", "validityPeriod": self.lifetime_seconds}},
        }
        docker(
            "create", "--name", self.name, "--label", LABEL, "--network", self.network, *CONFINED,
            "--env", "PEBBLE_VA_NOSLEEP=1", "--env", "PEBBLE_AUTHZREUSE=0", "--env", "PEBBLE_CHAIN_LENGTH=2",
            "--publish=127.0.0.1::15000", "--user=65534", IMAGE,
            "/pebble/pebble", "-config", "/pebble/config.json", "-strict",
        )  # fmt: skip
        files = {"chain.pem": pair.chain, "key.pem": pair.key, "config.json": json.dumps({"pebble": settings})}
        docker("cp", "-", f"{self.name}:/", stdin=archive({f"pebble/{path}": text for path, text in files.items()}))
        docker("cp", str(program), f"{self.name}:/pebble/pebble")
        self.resume()

    def resume(self) -> None:
        """Start it, for the first time or again. It has new authorities and no accounts then."""
        docker("start", self.name)
        wait_until(
            lambda: "ACME directory available" in docker("logs", "--tail=20", self.name), "the ACME server is up"
        )

    def halt(self) -> None:
        docker("stop", "--time", "0", self.name)

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name)

    def root(self) -> str:
        """Return the root certificate of the certificates that the server issues since its last start."""
        port = docker("port", self.name, "15000/tcp").rsplit(":", 1)[1]
        context = ssl.create_default_context(cadata=self.trusted)
        context.check_hostname = False
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/roots/0", context=context, timeout=20) as answer:
            return answer.read().decode()
