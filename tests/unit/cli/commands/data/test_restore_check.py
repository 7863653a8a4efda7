"""The check of a backup as a whole: ports, settings of its .env, and the stack that it replaces."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from pulumi import automation as auto

from cli.commands.data import restore
from cli.commands.data.restore import Restorable
from cli.deployment import deployment
from cli.deployment.deployment import Deployment
from cli.deployment.state.importing import TrialImport
from cli.recovery import way_back
from cli.recovery.backup_file import Manifest
from infra.schema.problems import ConfigurationError
from tests.support.fake_engine import FakeEngine

REPOSITORY = Path(__file__).resolve().parents[5]
STACK_YAML = "config:\n  # why\n  dyber:logLevel: warning\n  dyber:gateway: {portOffset: 20000}\n"


class Present:
    """The present stack; `identity` is its deployment id."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def deployment_id(self) -> str:
        return self.identity

    def require_idle(self) -> None:
        pass


@pytest.fixture
def check(root: Path, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Restorable]:
    """Checks a backup of the stack prod with these files, without Pulumi and without an engine."""
    shutil.copytree(REPOSITORY / "mcp-servers", root / "mcp-servers")
    monkeypatch.setattr(restore.stored_data, "labelled", list)
    monkeypatch.setattr(restore.stored_data, "find", lambda *_: [])
    monkeypatch.setattr(restore.stored_data, "users", dict)
    monkeypatch.setattr(restore, "file_for_here", lambda content, _: content)

    def trial_import(name: str, content: bytes, state: object) -> TrialImport:
        values = yaml.safe_load(content)["config"]
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
        return TrialImport(content, texts)

    monkeypatch.setattr(restore, "trial_import", trial_import)
    monkeypatch.setattr(restore.Deployment, "known_to_the_state", lambda name: Present("mine"))

    def run(stack_yaml: str, **files: bytes) -> Restorable:
        content = {"stack.yaml": stack_yaml.encode(), "state.json": b"{}", **files}
        return restore.checked(Manifest("prod", "2026-01-02 03:04 UTC", {}), content)

    return run


def test_every_port_that_the_backup_publishes_is_checked_for_the_present_deployment(
    check: Callable[..., Restorable], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked_ports: list[Any] = []
    monkeypatch.setattr(restore, "refuse_taken_ports", lambda *arguments: checked_ports.append(arguments))
    restorable = check(STACK_YAML)
    ((name, ports, deployments),) = checked_ports
    assert (name, deployments) == ("prod", {"mine"})
    assert {("127.0.0.1", 28080), ("::1", 28080)} <= set(ports)
    assert all(isinstance(address, str) and isinstance(port, int) for address, port in ports)
    assert restorable.present and not restorable.local_env


def test_a_backup_of_an_earlier_version_is_given_the_key_that_lets_its_env_override_the_stack_file(
    check: Callable[..., Restorable], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "refuse_taken_ports", lambda *_: None)
    restorable = check(STACK_YAML, env=b"LOG_LEVEL=debug\n")
    assert restorable.settings.log_level == "debug" and restorable.local_env
    assert restorable.stack_yaml.decode().startswith(STACK_YAML) and b"dyber:localEnv: true" in restorable.stack_yaml
    restore._announce(restorable)
    assert "dyber:localEnv: true" in capsys.readouterr().err
    for unchanged in (b"# nothing\n", b"MCP_AUTH_TOKEN=" + b"x" * 40):
        assert not check(STACK_YAML, env=unchanged).local_env
    with pytest.raises(ConfigurationError, match="LOG_LEVEL"):
        check(STACK_YAML + "  dyber:localEnv: false\n", env=b"LOG_LEVEL=debug\n")


@pytest.mark.parametrize("content", [None, "config: [", "config:\n  dyber:logLevel: nonsense\n"])
def test_an_unusable_present_stack_file_does_not_prevent_a_restore(
    root: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content is not None:
        (root / "Pulumi.prod.yaml").write_text(content)
    resources = [{"urn": "u::deployment", "type": "random:index/randomId:RandomId", "outputs": {"hex": "abc"}}]
    exported = SimpleNamespace(deployment={"resources": resources})
    monkeypatch.setattr(deployment.moments, "put_back_forgotten", lambda: None)
    monkeypatch.setattr(
        auto, "select_stack", lambda stack_name, work_dir: SimpleNamespace(export_stack=lambda: exported)
    )
    restorable = Deployment.known_to_the_state("prod")
    assert restorable and restorable.deployment_id() == "abc"

    def unknown(stack_name: str, work_dir: str) -> None:
        raise auto.errors.StackNotFoundError(SimpleNamespace(stdout="", stderr="", code=1))  # type: ignore[arg-type]

    monkeypatch.setattr(auto, "select_stack", unknown)
    assert Deployment.known_to_the_state("prod") is None


def test_a_stack_that_was_deployed_before_the_question_was_answered_is_the_one_that_is_replaced(
    root: Path, check: Callable[..., Restorable], fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovered: list[str] = []
    monkeypatch.setattr(Present, "recover", lambda self, display: recovered.append(self.identity), raising=False)
    monkeypatch.setattr(restore, "refuse_taken_ports", lambda *_: None)
    restorable = check(STACK_YAML)
    monkeypatch.setattr(restore.DyberHome, "from_environment", lambda: SimpleNamespace(logs=root))
    monkeypatch.setattr(restore, "known_password", lambda _: "password")
    monkeypatch.setattr(restore, "opened", lambda *_: (restorable.manifest, {}))
    monkeypatch.setattr(restore, "_install_passphrase", lambda *_: None)
    monkeypatch.setattr(restore, "set_up", lambda *_: None)
    monkeypatch.setattr(restore, "checked", lambda *_: restorable)

    def confirm(*_: object, **__: object) -> bool:
        monkeypatch.setattr(restore.Deployment, "known_to_the_state", lambda name: Present("made meanwhile"))
        return True

    monkeypatch.setattr(restore.typer, "confirm", confirm)
    monkeypatch.setattr(restore, "deployment_id", lambda _: "of then")
    prepared: list[str] = []

    def prepare(name: str, present: Present, *_: object) -> SimpleNamespace:
        prepared.append(present.identity)
        return SimpleNamespace(succeed=lambda: None)

    monkeypatch.setattr(way_back, "prepare", prepare)
    monkeypatch.setattr(restore, "_replace", lambda *_: None)
    restore.restore(root / "file", None, False, False)
    assert (recovered, prepared) == (["made meanwhile"], ["made meanwhile"])
