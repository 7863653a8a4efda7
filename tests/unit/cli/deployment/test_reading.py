"""Reading a stack runs pulumi once for each document, and does not import the Automation API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.deployment import deployment, reading
from cli.deployment.deployment import Deployment
from cli.deployment.events import DeployError
from cli.deployment.state.without_secrets import IS_SECRET, SIGNATURE
from cli.system.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[4]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for pulumi is a shell script")


def secret(value: Any) -> dict[str, str]:
    return {SIGNATURE: IS_SECRET, "plaintext": json.dumps(value)}


STATE = {
    "deployment": {
        "resources": [
            {"type": "pulumi:pulumi:Stack", "urn": "u::s", "outputs": {
                "gateway": {"url": "http://127.0.0.1"}, "tokens": secret({"desktop-pet": "t0ken"}),
                "list": [secret("a"), "b"],
            }},
            {"type": "random:index/randomId:RandomId", "urn": "u::deployment", "outputs": {"hex": "abc"}},
        ]
    }
}  # fmt: skip


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pulumi command that records its arguments and prints what the script named by its first argument prints."""
    monkeypatch.setenv("DYBER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(deployment, "ROOT", tmp_path)
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\n. {tmp_path}/$1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    answer(tmp_path, "stack", STATE)
    answer(tmp_path, "config", {"dyber:logLevel": {"value": "debug", "secret": False}})
    return tmp_path


def answer(folder: Path, word: str, content: Any) -> None:
    (folder / word).write_text(f"cat <<'END'\n{json.dumps(content)}\nEND\n")


def calls(folder: Path) -> list[str]:
    return sorted(line.partition(" --")[0] for line in (folder / "calls").read_text().splitlines())


def test_outputs_identity_and_resources_come_from_one_call_of_pulumi(pulumi: Path) -> None:
    deployment_read = Deployment.read("dev")
    expected = {"gateway": {"url": "http://127.0.0.1"}, "tokens": {"desktop-pet": "t0ken"}, "list": ["a", "b"]}
    assert deployment_read.outputs() == expected
    assert (deployment_read.name, deployment_read.require_id(), len(deployment_read.resources())) == ("dev", "abc", 2)
    assert calls(pulumi) == ["stack export"]


def test_settings_are_read_where_a_command_needs_them(pulumi: Path) -> None:
    assert Deployment.read("dev", with_settings=True).settings.log_level == "debug"
    assert calls(pulumi) == ["config", "stack export"]


def test_a_stack_that_the_state_does_not_know_or_that_has_no_gateway_is_not_deployed(pulumi: Path) -> None:
    answer(pulumi, "stack", {"deployment": None})
    with pytest.raises(StackError, match="dev"):
        Deployment.read("dev").outputs()
    (pulumi / "stack").write_text("echo \"error: no stack named 'dev' found\" >&2; exit 255\n")
    with pytest.raises(StackError, match="dev"):
        Deployment.read("dev")


def test_another_failure_of_pulumi_is_explained(pulumi: Path) -> None:
    (pulumi / "stack").write_text("echo 'error: incorrect passphrase' >&2; exit 255\n")
    with pytest.raises(DeployError) as failed:
        reading.state("dev")
    assert failed.value.next_step


@pytest.mark.parametrize(
    ("module", "left_out"),
    [
        ("settings.tokens", ["pulumi", "grpc", "docker", "requests", "jinja2", "ruamel.yaml"]),
        ("settings.clients", ["pulumi", "grpc", "docker", "requests"]),
        ("operation.status", ["pulumi", "grpc", "docker"]),
    ],
)
def test_a_command_that_must_answer_at_once_imports_little(module: str, left_out: list[str]) -> None:
    code = (
        f"import sys, cli.entry, cli.commands.{module}; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *left_out], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


def test_a_stack_that_can_have_no_file_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    with pytest.raises(StackError) as refused:
        deployment.settings_file("tryA")
    assert "tryA" in refused.value.message
    assert "lower-case letters" in refused.value.next_step and "^" not in refused.value.next_step
    with pytest.raises(StackError) as missing:
        deployment.settings_file("no-such-stack")
    assert "Pulumi.no-such-stack.yaml" in missing.value.message
