"""Fixtures of a small stack on the real engine, deployed by the installed pulumi and its plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.leftovers import remove_labelled
from tests.support.source_fixtures import go_proxy, npm_registry, service_folder  # noqa: F401 - fixtures
from tests.toolchain.state_services import LABEL as LABEL_OF_STATE
from tests.toolchain.state_services import Cloud, Postgres, cloud, postgres
from toolchain import prerequisites
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress

LABEL = "dyber.test=toolchain"

PULUMI_YAML = f"""\
name: toolchain-test
main: program
runtime:
  name: python
  options: {{toolchain: pip, virtualenv: {sys.prefix}}}
"""

PROGRAM = """\
import os

import pulumi
import pulumi_docker as docker
import pulumi_random as random

config = pulumi.Config()
password = random.RandomPassword("password", length=20, special=False)
network = docker.Network("network", labels=[docker.NetworkLabelArgs(label="dyber.test", value="toolchain")])
container = docker.Container(
    "worker",
    image="dyber-base:trixie",
    command=["sleep", "600"],
    envs=[pulumi.Output.concat("PASSWORD=", password.result), f"MODE={os.environ.get('MODE', 'one')}"],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=["worker"])],
    labels=[docker.ContainerLabelArgs(label="dyber.test", value="toolchain")],
    memory=32,
    memory_swap=32,
    init=True,
    destroy_grace_seconds=1,
    opts=pulumi.ResourceOptions(delete_before_replace=False if os.environ.get("CREATE_FIRST") else None),
)


def fail(value):
    raise ValueError("a mistake in an apply")


if os.environ.get("FAIL") == "apply":
    network.name.apply(fail)
if os.environ.get("FAIL") == "import":
    import a_module_that_is_not_there
if os.environ.get("FAIL") == "exit":
    raise SystemExit("enough is enough")

pulumi.export("password", password.result)
pulumi.export("token", config.require_secret("token"))
pulumi.export("container", container.name)
"""


@dataclass
class Project:
    """A project with one stack and a separate backend."""

    folder: Path
    environment: dict[str, str]

    def pulumi(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `pulumi`; `stdout` of the result has both outputs in order. environment: controls PROGRAM."""
        return subprocess.run(
            ["pulumi", "--non-interactive", "--color=never", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )

    def ok(self, *arguments: str, **environment: str) -> str:
        done = self.pulumi(*arguments, **environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def output(self, name: str) -> str:
        return self.ok("stack", "output", name, "--show-secrets").strip()

    def planned(self, **environment: str) -> list[tuple[str, str]]:
        """Return (operation, resource name) of each change that a preview shows, in order."""
        done = subprocess.run(
            ["pulumi", "--non-interactive", "preview", "--json", "--show-replacement-steps"],
            cwd=self.folder,
            env={**self.environment, **environment},
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        steps = json.loads(done.stdout)["steps"]
        return [(step["op"], step["urn"].rsplit("::", 1)[1]) for step in steps if step["op"] != "same"]


@pytest.fixture(scope="session")
def home() -> DyberHome:
    """Set up the user's DYBER_HOME. The first run on a machine may build for minutes."""
    home = DyberHome.from_environment()
    prerequisites.set_up(home, PlainProgress(log=home.logs / "setup.log"))
    return home


@pytest.fixture(scope="session")
def project(home: DyberHome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A stack that is deployed once."""
    # Paths of our users may contain spaces and Chinese.
    folder = tmp_path_factory.mktemp("stack 测试")
    (folder / "program").mkdir()
    (folder / "state").mkdir()
    (folder / "Pulumi.yaml").write_text(PULUMI_YAML, encoding="utf-8")
    (folder / "program" / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    variables = {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "only for this test",
        "CI": "1",
    }
    remove_labelled(LABEL)
    project = Project(folder, {**os.environ, **prerequisites.environment(home), **variables})
    project.ok("stack", "init", "dev")
    project.ok("config", "set", "--secret", "token", "hunter2-in-config")
    try:
        project.ok("up", "--yes", "--skip-preview")
        yield project
    finally:
        project.pulumi("destroy", "--yes", "--skip-preview")
        remove_labelled(LABEL)


@pytest.fixture(scope="session")
def database(home: DyberHome) -> Iterator[Postgres]:
    remove_labelled(LABEL_OF_STATE)
    with postgres() as running:
        yield running


@pytest.fixture(scope="session")
def aws() -> Iterator[Cloud]:
    with cloud() as running:
        yield running
