"""Runs the cache's real image as in a deployment, on a volume that tests may damage."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.components.docker import defaults
from infra.parts.cache import (
    CACHE_UID,
    DATA_USER,
    METRICS_USER,
    PASSWORD_FOLDER,
    redis_command,
    service_rules,
    service_user,
)
from tests.gateway.support.docker_cli import CONFINED, LABEL, docker, unique, wait_until

FOLDER = Path(__file__).resolve().parents[3] / "cache"
BASE_IMAGE = "dyber-base:trixie"
IMAGE = "dyber-cache-test:latest"
#: The same mounts as in a deployment.
TMPFS = [f"--tmpfs={path}:{options}" for path, options in defaults.SMALL_TMP.items()]


def build_cache() -> str:
    """Build the cache's image, using the build cache, and return its tag."""
    arguments = ("--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", IMAGE)
    docker("build", *arguments, str(FOLDER))
    return IMAGE


def password_of(user: str) -> str:
    return f"password-of-{user}"


@dataclass
class CacheUnderTest:
    """A cache in a container.

    `folder`: the folder on this machine with the password of `metrics`. `helper`: a container that has the volume too.
    """

    folder: Path
    services: tuple[str, ...] = ()
    volume: str = field(default_factory=lambda: unique("volume"))
    helper: str = ""
    name: str = field(default_factory=lambda: unique("cache"))
    started: bool = False

    def start(self) -> None:
        self.started = True
        password = self.folder / "metrics"
        password.write_text(password_of("metrics"))
        password.chmod(0o444)
        users = [("default", DATA_USER), ("metrics", METRICS_USER)]
        users += [(service_user(service), service_rules(service)) for service in self.services]
        hashed = [(user, hashlib.sha256(password_of(user).encode()).hexdigest(), rules) for user, rules in users]
        docker(
            "run", "--detach", "--name", self.name, "--label", LABEL, "--publish=127.0.0.1::6379",
            f"--user={CACHE_UID}:{CACHE_UID}", "--read-only", *CONFINED, *TMPFS,
            f"--volume={self.volume}:/data",
            f"--volume={password}:{PASSWORD_FOLDER}/metrics:ro", f"--env=CACHE_PASSWORD_FILE={PASSWORD_FOLDER}/metrics",
            "--restart=unless-stopped", IMAGE, *redis_command(32, hashed),
        )  # fmt: skip

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name)
        docker("volume", "rm", "--force", self.volume)

    def healthy(self) -> bool:
        check = ["docker", "exec", self.name, "/usr/local/bin/cache-healthcheck"]
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0

    def wait_until_healthy(self) -> None:
        wait_until(self.healthy, "Redis answers", 30)

    def connect(self, user: str = "default") -> Redis:
        port = int(docker("port", self.name, "6379/tcp").rsplit(":", 1)[1])
        return Redis(
            port=port,
            username=user,
            password=password_of(user),
            decode_responses=True,
            socket_timeout=10,
            retry=Retry(NoBackoff(), 0),
        )

    def stop(self) -> None:
        docker("stop", "--time", "10", self.name)

    def kill(self) -> None:
        """Kill the container, as a power cut does."""
        docker("kill", self.name)

    def restart(self) -> None:
        """Start it, for the first time or again, and wait until it answers."""
        if self.started:
            docker("start", self.name)
        else:
            self.start()
        self.wait_until_healthy()

    def restarts(self) -> int:
        """Return how often the engine has restarted the container."""
        return int(docker("inspect", "--format", "{{.RestartCount}}", self.name))

    def on_volume(self, script: str) -> str:
        """Run a shell script as root in /data, on the volume, and return its output."""
        if self.helper:
            return docker("exec", "--user=0", "--workdir=/data", self.helper, "bash", "-euc", script)
        return docker(
            "run", "--rm", "--label", LABEL, "--user=0", "--network=none", f"--volume={self.volume}:/data",
            "--workdir=/data", IMAGE, "bash", "-euc", script,
        )  # fmt: skip

    def reported_errors(self) -> list[str]:
        """Return the errors in the log that the cache's own script reported."""
        result = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True, timeout=30)
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        return [line["message"] for line in lines if line["level"] == "ERROR"]


@contextmanager
def running_cache(folder: Path, services: Iterable[str] = ()) -> Iterator[CacheUnderTest]:
    """Run a cache that answers; it is removed with its volume afterwards."""
    cache = CacheUnderTest(folder, tuple(services))
    try:
        cache.start()
        cache.wait_until_healthy()
        yield cache
    finally:
        cache.remove()


@contextmanager
def small_volume(mib: int) -> Iterator[tuple[str, str]]:
    """Make a volume of this size in memory; yields its name and a container that has it at /data and keeps it alive."""
    volume = unique("volume")
    options = ("type=tmpfs", "device=tmpfs", f"o=size={mib}m,uid={CACHE_UID},mode=0700")
    docker("volume", "create", "--label", LABEL, *(f"--opt={option}" for option in options), volume)
    try:
        with helper({volume: "/data"}) as name:
            yield volume, name
    finally:
        docker("volume", "rm", "--force", volume)


@contextmanager
def helper(volumes: Mapping[str, str]) -> Iterator[str]:
    """Run an idle container with these volumes mounted at these paths; yields its name."""
    name = unique("helper")
    mounts = [f"--volume={volume}:{path}" for volume, path in volumes.items()]
    try:
        docker(
            "run", "--detach", "--name", name, "--label", LABEL, "--network=none", *mounts, IMAGE, "sleep", "infinity"
        )  # fmt: skip
        yield name
    finally:
        docker("rm", "--force", name)
