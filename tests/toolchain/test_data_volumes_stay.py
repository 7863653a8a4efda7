"""Tests on the real engine that `pulumi` never deletes a data volume, whatever state it starts from."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import prerequisites
from toolchain.home import DyberHome

REPOSITORY = Path(__file__).resolve().parents[2]
STACK = "data-stays"
PULUMI_YAML = f"""\
name: dyber
runtime:
  name: python
  options: {{toolchain: pip, virtualenv: {sys.prefix}}}
"""
#: USED: the services that have data. BEFORE: declare their volumes as older versions did, which could delete them.
PROGRAM = """\
import os

import pulumi
import pulumi_docker as docker
from infra.engine.volumes import list_volumes
from infra.parts import data_volumes
from infra.components.docker import defaults
from infra.components.docker.data import DataVolumes, DataVolumesArgs

used = os.environ["USED"].split()
stack = pulumi.get_stack()
identity = defaults.StackIdentity(stack, "none")
opts = pulumi.ResourceOptions(providers=[docker.Provider("engine")])


class McpService(pulumi.ComponentResource):
    def __init__(self, service):
        super().__init__("dyber:service:McpService", service, None, opts)
        docker.Volume(
            f"{service}-data",
            name=f"dyber-{stack}-{service}-data",
            labels=defaults.volume_labels(identity, service),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=False, delete_before_replace=True),
        )


if os.environ.get("BEFORE"):
    for service in used:
        McpService(service)
else:
    present = data_volumes.present_for(stack, list_volumes())
    DataVolumes("data", DataVolumesArgs(identity, data_volumes.declared(stack, used, present)), opts)
"""


class Project:
    """A folder with the program and a separate state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = DyberHome.from_environment()
        self.environment = {
            **os.environ,
            **prerequisites.environment(home),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "only for this test",
            "PYTHONPATH": str(REPOSITORY),
        }

    def pulumi(self, *arguments: str, used: str, **environment: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=self.folder, env={**self.environment, "USED": used, **environment}, text=True, capture_output=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self, *options: str, used: str, **environment: str) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", *options, used=used, **environment)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def write(volume: str) -> None:
    docker("run", "--rm", "--volume", f"{volume}:/data", "dyber-base:trixie", "sh", "-c", "echo mine > /data/kept.txt")


def content(volume: str) -> str:
    assert docker("volume", "ls", "--quiet", "--filter", f"name=^{volume}$") == volume
    return docker("run", "--rm", "--volume", f"{volume}:/data:ro", "dyber-base:trixie", "cat", "/data/kept.txt")


@pytest.fixture
def project(home: DyberHome, tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text(PULUMI_YAML, encoding="utf-8")
    (tmp_path / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    project = Project(tmp_path)
    project.pulumi("stack", "init", STACK, used="")
    try:
        yield project
    finally:
        volumes = docker("volume", "ls", "--quiet", "--filter", f"label=dyber.stack={STACK}").split()
        for volume in [*volumes, *docker("volume", "ls", "--quiet", "--filter", f"name=^dyber-{STACK}").split()]:
            subprocess.run(["docker", "volume", "rm", volume], capture_output=True, check=False)


def test_a_service_that_is_removed_by_the_first_update_from_an_old_state_keeps_its_data(project: Project) -> None:
    removed, kept = f"dyber-{STACK}-removed-data", f"dyber-{STACK}-kept-data"
    project.up(used="removed kept", BEFORE="1")
    write(removed)
    write(kept)
    project.up(used="kept")
    assert (content(removed), content(kept)) == ("mine", "mine")
    project.up("--expect-no-changes", "--refresh", used="kept")
    project.up("--expect-no-changes", used="removed kept")
    project.pulumi("destroy", "--yes", "--skip-preview", used="")
    assert (content(removed), content(kept)) == ("mine", "mine")
    project.up(used="removed")
    assert (content(removed), content(kept)) == ("mine", "mine")


def test_a_volume_made_by_hand_stays_when_its_service_is_removed_by_the_first_update_from_an_old_state(
    project: Project,
) -> None:
    volume = f"dyber-{STACK.replace('-', '--')}-removed-data"
    docker("volume", "create", volume)
    write(volume)
    project.up(used="removed", BEFORE="1")
    project.up(used="")
    assert content(volume) == "mine"


def test_a_volume_that_was_made_and_filled_by_hand_is_taken_over(project: Project) -> None:
    volume = f"dyber-{STACK.replace('-', '--')}-first-data"
    docker("volume", "create", volume)
    write(volume)
    project.up(used="first")
    assert content(volume) == "mine"
    project.up("--expect-no-changes", "--refresh", used="first")
