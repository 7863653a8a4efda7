"""Tests Prometheus with damaged files: it starts with the readable part and reports what was set aside."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from infra.parts.monitoring import MONITORING_UID
from tests.gateway.support.docker_cli import CONFINED, LABEL, READ_ONLY, docker, unique, wait_until
from tests.gateway.support.monitoring_image import IMAGE, build

BLOCKS = 6
#: A script for the volume that makes blocks of old samples.
MAKE_BLOCKS = f"""
now=$(($(date +%s) / 7200 * 7200))
{{
    echo '# TYPE old gauge'
    for ((hours = {4 * BLOCKS}; hours > 0; hours -= 4)); do echo "old 1 $((now - (hours + 1) * 3600))"; done
    echo '# EOF'
}} >/tmp/samples
promtool tsdb create-blocks-from openmetrics /tmp/samples /data
"""


@dataclass
class MonitoringUnderTest:
    """A Prometheus in a container. `samples` and `configuration` are its volumes."""

    samples: str = field(default_factory=lambda: unique("samples"))
    configuration: str = field(default_factory=lambda: unique("configuration"))
    name: str = field(default_factory=lambda: unique("monitoring"))

    def create(self) -> None:
        for volume in (self.samples, self.configuration):
            docker("volume", "create", "--label", LABEL, volume)

    def start(self) -> None:
        docker(
            "run", "--detach", "--name", self.name, "--label", LABEL, "--network=none",
            f"--user={MONITORING_UID}:{MONITORING_UID}", *CONFINED, *READ_ONLY, f"--volume={self.samples}:/data",
            f"--volume={self.configuration}:/etc/dyber:ro", "--restart=unless-stopped", IMAGE,
            "prometheus", "--config.file=/etc/dyber/current/prometheus.yml", "--storage.tsdb.path=/data",
            "--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=100MB",
        )  # fmt: skip

    def start_and_wait(self) -> None:
        self.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        try:
            wait_until(self.ready, "Prometheus is ready", 60)
        except AssertionError as error:
            raise AssertionError(docker("logs", self.name)) from error

    def ready(self) -> bool:
        check = ["docker", "exec", self.name, "/usr/local/bin/monitoring-healthcheck", "/-/ready"]
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0

    def on_volumes(self, script: str, *options: str, user: str = "0") -> str:
        return docker(
            "run", "--rm", "--label", LABEL, f"--user={user}", "--network=none", f"--volume={self.samples}:/data",
            f"--volume={self.configuration}:/etc/dyber", *options, "--workdir=/data", "--entrypoint=bash", IMAGE,
            "-euc", f"shopt -s nullglob; {script}",
        )  # fmt: skip

    def deliver(self, configuration: str) -> str:
        """Run the loader with a configuration as in production, in the namespaces of Prometheus; returns its output."""
        return docker(
            "run", "--rm", "--interactive", "--label", LABEL, f"--network=container:{self.name}",
            f"--pid=container:{self.name}", f"--volume={self.configuration}:/etc/dyber", *CONFINED,
            "--env=READY_SECONDS=1", "--entrypoint=bash", IMAGE, "-euc",
            "mkdir /tmp/staging; cat >/tmp/staging/prometheus.yml; apply-monitoring /tmp/staging 2>&1",
            stdin=configuration.encode(),
        )  # fmt: skip

    def entries(self) -> list[str]:
        """Return the names on the volume of samples, including those in damaged/."""
        return self.on_volumes("ls -d * damaged/*").split()

    def reported_errors(self) -> list[str]:
        """Return the errors in the log that monitoring's own script reported."""
        result = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True, timeout=30)
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        return [line["message"] for line in lines if line.get("level") == "ERROR"]

    def restarts(self) -> int:
        """Return how often the engine has restarted the container."""
        return int(docker("inspect", "--format", "{{.RestartCount}}", self.name))

    def remove(self) -> None:
        docker("rm", "--force", self.name)
        docker("volume", "rm", "--force", self.samples, self.configuration)


@pytest.fixture(scope="module")
def filled() -> Iterator[str]:
    """A volume with blocks and the other files of a Prometheus that has run."""
    build()
    running = MonitoringUnderTest()
    try:
        running.create()
        running.on_volumes(MAKE_BLOCKS, user=str(MONITORING_UID))
        running.start_and_wait()
        docker("stop", running.name)
        yield running.samples
    finally:
        running.remove()


@pytest.fixture
def monitoring(filled: str) -> Iterator[MonitoringUnderTest]:
    """A Prometheus with blocks of samples, which is not started."""
    running = MonitoringUnderTest()
    try:
        running.create()
        running.on_volumes("cp -a /filled/. /data", f"--volume={filled}:/filled:ro")
        yield running
    finally:
        running.remove()


def blocks(names: list[str]) -> list[str]:
    return [name for name in names if len(name) == 26]


def test_damaged_blocks_are_set_aside_and_the_others_are_used(monitoring: MonitoringUnderTest) -> None:
    before = blocks(monitoring.entries())
    assert len(before) == BLOCKS
    *damaged, good = before
    short, cut, gone, odd, no_chunks = damaged
    monitoring.on_volumes(
        f"truncate --size=0 {short}/index; truncate --size=10 {cut}/index; rm {gone}/index; "
        f"echo odd >{odd}/tombstones; rm -r {no_chunks}/chunks"
    )
    monitoring.start_and_wait()
    entries = monitoring.entries()
    assert blocks(entries) == [good]
    assert {f"damaged/{name}" for name in damaged} <= set(entries)
    (message,) = monitoring.reported_errors()
    assert all(name in message for name in damaged) and good not in message
    assert "已移到卷里的 damaged" in message and "were moved to damaged" in message
    assert monitoring.restarts() == 0


def test_a_block_that_prometheus_ignores_by_itself_is_not_moved(monitoring: MonitoringUnderTest) -> None:
    monitoring.on_volumes("block=$(ls -d 01* | head -n 1); echo odd >$block/meta.json")
    monitoring.start_and_wait()
    assert len(blocks(monitoring.entries())) == BLOCKS
    assert monitoring.reported_errors() == []


@pytest.mark.parametrize(
    ("damage", "aside"),
    [
        (
            "rm -r wal; touch wal wbl; rm queries.active; mkdir queries.active; chown --reference=. queries.active",
            {"wal", "wbl", "queries.active"},
        ),
        ("rm -r chunks_head; touch chunks_head", {"chunks_head"}),
        ("echo odd-bytes >chunks_head/000001", {"chunks_head"}),
        ("cp $(ls wal/0* | tail -n 1) wal/00000099", {"wal", "chunks_head"}),
        ("touch wal/checkpoint.00000000", {"wal", "chunks_head"}),
    ],
    ids=["no folders", "no folder of chunks", "chunks", "a gap in the log", "no folder of a checkpoint"],
)
def test_unreadable_newest_samples_are_set_aside_without_any_block(
    monitoring: MonitoringUnderTest, damage: str, aside: set[str]
) -> None:
    monitoring.on_volumes(damage)
    monitoring.start_and_wait()
    entries = monitoring.entries()
    assert len(blocks(entries)) == BLOCKS
    assert {name for name in entries if name.startswith("damaged/")} == {f"damaged/{name}" for name in aside}
    (message,) = monitoring.reported_errors()
    assert all(name in message for name in aside)
    assert monitoring.restarts() == 0


def test_damage_that_prometheus_repairs_and_a_lock_of_another_owner_lose_no_block(
    monitoring: MonitoringUnderTest,
) -> None:
    monitoring.on_volumes(
        "printf odd | dd of=$(ls wal/0* | tail -n 1) bs=1 seek=0 conv=notrunc status=none; "
        "touch lock; chown root:root lock; chmod 0400 lock"
    )
    monitoring.start_and_wait()
    assert len(blocks(monitoring.entries())) == BLOCKS


def test_only_the_newest_damage_is_kept(monitoring: MonitoringUnderTest) -> None:
    monitoring.on_volumes(
        "mkdir damaged; touch damaged/earlier; chown --reference=. damaged; echo odd >chunks_head/000001"
    )
    monitoring.start_and_wait()
    assert [name for name in monitoring.entries() if "damaged/" in name] == ["damaged/chunks_head"]


@pytest.mark.parametrize(
    "damage",
    ["chown root:root .; chmod 0500 .", "rm queries.active; mkdir queries.active"],
    ids=["the volume", "a folder on it"],
)
def test_on_a_volume_that_it_cannot_write_prometheus_uses_memory_only(
    monitoring: MonitoringUnderTest, damage: str
) -> None:
    monitoring.on_volumes(damage)
    monitoring.start_and_wait()
    assert "只在内存" in monitoring.reported_errors()[-1]
    assert len(blocks(monitoring.entries())) == BLOCKS


def test_a_prometheus_that_does_not_start_is_tried_again_and_fails_no_delivery(
    monitoring: MonitoringUnderTest,
) -> None:
    monitoring.on_volumes("echo 'no: configuration' >/etc/dyber/current/prometheus.yml")
    before = monitoring.entries()
    monitoring.start()
    wait_until(monitoring.reported_errors, "the error is reported")
    assert "秒后再试" in monitoring.reported_errors()[0] and "tried again" in monitoring.reported_errors()[0]
    output = monitoring.deliver("scrape_configs: []\n").splitlines()
    assert "Prometheus is not running yet" in output[0]
    assert len(output[-1]) == 16
    monitoring.wait_until_ready()
    assert monitoring.restarts() == 0
    assert not [name for name in monitoring.entries() if name.startswith("damaged")]
    assert set(before) <= set(monitoring.entries())
