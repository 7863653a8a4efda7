"""Prometheus on damaged samples: it comes back by itself with what can be read, and says what it set aside."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from gateway.docker_cli import CONFINED, LABEL, READ_ONLY, docker, unique, wait_until
from stack.components.monitoring import MONITORING_UID

FOLDER = Path(__file__).resolve().parents[2] / "monitoring"
BASE_IMAGE = "dyber-base:trixie"
IMAGE = "dyber-monitoring-test:latest"
#: Run on the volume: makes two blocks, of samples from long before now.
MAKE_BLOCKS = """
now=$(($(date +%s) / 7200 * 7200))
printf '# TYPE old gauge\\nold 1 %d\\nold 1 %d\\n# EOF\\n' $((now - 13 * 3600)) $((now - 9 * 3600)) >/tmp/samples
promtool tsdb create-blocks-from openmetrics /tmp/samples /data
"""


@dataclass
class MonitoringUnderTest:
    volume: str = field(default_factory=lambda: unique("volume"))
    name: str = field(default_factory=lambda: unique("monitoring"))

    def start(self) -> None:
        docker("volume", "create", "--label", LABEL, self.volume)
        self.on_volume(MAKE_BLOCKS, user=str(MONITORING_UID))
        docker(
            "run", "--detach", "--name", self.name, "--label", LABEL, "--network=none",
            f"--user={MONITORING_UID}:{MONITORING_UID}", *CONFINED, *READ_ONLY, f"--volume={self.volume}:/data",
            "--restart=unless-stopped", IMAGE, "prometheus", "--config.file=/etc/dyber/current/prometheus.yml",
            "--storage.tsdb.path=/data", "--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=100MB",
        )  # fmt: skip
        wait_until(self.healthy, "Prometheus answers", 60)

    def healthy(self) -> bool:
        check = ["docker", "exec", self.name, "/usr/local/bin/monitoring-healthcheck"]
        return subprocess.run(check, capture_output=True, timeout=30, check=False).returncode == 0

    def restart(self) -> None:
        docker("start", self.name)
        wait_until(self.healthy, "Prometheus answers", 60)

    def on_volume(self, script: str, user: str = "0") -> str:
        return docker(
            "run", "--rm", "--label", LABEL, f"--user={user}", "--network=none", f"--volume={self.volume}:/data",
            "--workdir=/data", IMAGE, "bash", "-euc", script,
        )  # fmt: skip

    def blocks(self) -> list[str]:
        return [name for name in self.on_volume("ls").split() if len(name) == 26]

    def told(self) -> list[str]:
        """The errors in its log, of monitoring itself."""
        result = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True, timeout=30)
        lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        return [line["message"] for line in lines if line.get("level") == "ERROR"]


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    docker("build", "--label", LABEL, "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", "--tag", IMAGE, str(FOLDER))


@pytest.fixture
def monitoring() -> Iterator[MonitoringUnderTest]:
    """With two blocks of samples, and stopped."""
    running = MonitoringUnderTest()
    try:
        running.start()
        assert len(running.blocks()) == 2
        docker("stop", running.name)
        yield running
    finally:
        docker("rm", "--force", running.name)
        docker("volume", "rm", "--force", running.volume)


@pytest.mark.parametrize("damage", ["echo odd >$block/meta.json", "truncate --size=10 $block/index", "rm $block/index"])
def test_a_damaged_block_keeps_nobody_from_reading_the_others(monitoring: MonitoringUnderTest, damage: str) -> None:
    damaged, good = monitoring.blocks()
    monitoring.on_volume(f"block={damaged}; {damage}")
    monitoring.restart()
    assert good in monitoring.blocks()
    assert docker("inspect", "--format", "{{.RestartCount}}", monitoring.name) == "0"


@pytest.mark.parametrize(
    "damage",
    [
        "printf odd | dd of=$(ls -d wal/0* | tail -n 1) bs=1 seek=0 conv=notrunc status=none",
        "touch lock; chown root:root lock; chmod 0400 lock",
    ],
    ids=["write-ahead log", "lock of another owner"],
)
def test_damage_outside_of_the_blocks_costs_no_block(monitoring: MonitoringUnderTest, damage: str) -> None:
    before = monitoring.blocks()
    monitoring.on_volume(damage)
    monitoring.restart()
    assert monitoring.blocks() == before


def test_a_volume_that_cannot_be_written_leaves_it_its_memory(monitoring: MonitoringUnderTest) -> None:
    monitoring.on_volume("chown root:root .; chmod 0500 .")
    monitoring.restart()
    assert "只在内存" in monitoring.told()[-1]
