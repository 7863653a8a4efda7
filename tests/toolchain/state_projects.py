"""Makes a project with two secrets, or a copy of the repository, with the state on a backend of the test's choice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.toolchain.state_services import CREDENTIALS, PASSWORD
from toolchain import prerequisites
from toolchain.home import DyberHome

REPOSITORY = Path(__file__).resolve().parents[2]

PULUMI_YAML = f"""\
name: state-test
runtime:
  name: python
  options: {{toolchain: pip, virtualenv: {sys.prefix}}}
"""
PROGRAM = """\
import os
import time
from pathlib import Path

import pulumi
import pulumi_random as random

if marker := os.environ.get("WAIT_AFTER"):
    Path(marker).touch()
    time.sleep(600)
pulumi.export("password", random.RandomPassword("password", length=24).result)
pulumi.export("token", pulumi.Config().require_secret("token"))
"""


@dataclass
class StateProject:
    """A project folder with one stack, `dev`; its environment names the backend."""

    folder: Path
    environment: dict[str, str]

    def pulumi(self, *arguments: str, stdin: str = "", **environment: str) -> str:
        """Run `pulumi` and return its stdout. Raises AssertionError with both outputs if it fails."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=self.folder, env={**self.environment, **environment}, input=stdin, text=True, capture_output=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"pulumi {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def up(self, *options: str, **environment: str) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", *options, **environment)

    def output(self, name: str, **environment: str) -> str:
        """Return an output in clear."""
        return self.pulumi("stack", "output", name, "--show-secrets", "-s", "dev", **environment)


def environment_for(home: DyberHome, backend: str, passphrase: str = "of this test") -> dict[str, str]:
    """Return the environment for pulumi and the dyber command, without such settings of whoever runs the tests."""
    inherited = {
        key: value for key, value in os.environ.items()
        if not key.startswith(("PULUMI_", "DYBER_", "AWS_", "PG", "VAULT_", "AZURE_", "GOOGLE_"))
    }  # fmt: skip
    return {
        **inherited,
        **prerequisites.environment(home, inherited),
        **CREDENTIALS,
        "PULUMI_BACKEND_URL": backend,
        "PULUMI_CONFIG_PASSPHRASE": passphrase,
        "PULUMI_CONFIG_PASSPHRASE_FILE": "",
        "PGPASSWORD": PASSWORD,
        "DYBER_LANG": "zh",
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
    }


def make_project(folder: Path, environment: dict[str, str]) -> StateProject:
    folder.mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(PULUMI_YAML, encoding="utf-8")
    (folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    return StateProject(folder, environment)


def use_as_repository(folder: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `folder` the repository, and `environment` the environment, of the dyber command in this process.

    The folder gets Pulumi.yaml and a new Pulumi.dev.yaml. Returns the stack file.
    """
    folder.mkdir()
    shutil.copy(REPOSITORY / "Pulumi.yaml", folder)
    (folder / "Pulumi.dev.yaml").write_text("config:\n  dyber:logLevel: debug\n", encoding="utf-8")
    for module in ("cli.deployment.deployment", "cli.deployment.reading", "cli.commands.data.backup"):
        monkeypatch.setattr(f"{module}.ROOT", folder)
    use_environment(environment, monkeypatch)
    return folder / "Pulumi.dev.yaml"


def use_environment(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the environment of this process."""
    for name in os.environ.keys() - environment.keys() - {"PYTEST_CURRENT_TEST"}:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
