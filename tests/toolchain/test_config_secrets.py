"""Tests secrets and the schema line with `config` and `pulumi config set`, before the stack is first deployed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from toolchain.home import DyberHome

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-password-of-tests"
SCHEMA_LINE = "# yaml-language-server: $schema=docs/stack.schema.json"


class Checkout:
    """A copy of the repository with a separate backend."""

    def __init__(self, root: Path, home: DyberHome) -> None:
        self.root = root
        parts = ("cli", "infra", "messages", "nginx", "toolchain", "mcp-servers", "policy")
        for name in parts:
            shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        shutil.copy(REPOSITORY / "Pulumi.yaml", root)
        self.file = root / "Pulumi.dev.yaml"
        self.file.write_text(f"{SCHEMA_LINE}\n# a note\nconfig:\n  dyber:profiles: [dev]\n", encoding="utf-8")
        (root / "state").mkdir()
        self.environment = {
            **os.environ,
            "DYBER_LANG": "en",
            "DYBER_HOME": str(home.root),
            "PATH": os.pathsep.join([str(home.bin), os.environ["PATH"]]),
            "PULUMI_HOME": str(home.pulumi_home),
            "PULUMI_BACKEND_URL": f"file://{(root / 'state').as_posix()}",
            "PULUMI_CONFIG_PASSPHRASE": "right",
        }
        self.environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def run(self, *command: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, input=stdin, capture_output=True, text=True, check=False, encoding="utf-8",
            env={**self.environment, **environment},
        )  # fmt: skip

    def config(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "cli", "config", *arguments, stdin=stdin, **environment)


@pytest.fixture(scope="module")
def checkout(home: DyberHome, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose stack file has the password of Redis, which was read from standard input."""
    checkout = Checkout(tmp_path_factory.mktemp("checkout"), home)
    done = checkout.config("set", "cache.password", "--secret", stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return checkout


def test_a_secret_is_encrypted_in_the_file_and_the_rest_is_unchanged(checkout: Checkout) -> None:
    text = checkout.file.read_text(encoding="utf-8")
    assert text.startswith(f"{SCHEMA_LINE}\n# a note\nconfig:\n  dyber:profiles: [dev]\n")
    assert list(yaml.safe_load(text)["config"]["dyber:cache"]["password"]) == ["secure"]
    assert PASSWORD not in text


def test_pulumi_gives_the_program_the_secret(checkout: Checkout) -> None:
    done = checkout.run("pulumi", "config", "--show-secrets", "--json", "--stack", "dev", "--non-interactive")
    assert json.loads(done.stdout)["dyber:cache"]["objectValue"] == {"password": PASSWORD}


def test_pulumi_config_set_keeps_the_schema_line(checkout: Checkout) -> None:
    before = checkout.file.read_text(encoding="utf-8")
    command = ["pulumi", "config", "set", "--path", "dyber:gateway.portOffset", "100", "--stack", "dev"]
    done = checkout.run(*command, "--non-interactive")
    assert done.returncode == 0, done.stderr
    after = checkout.file.read_text(encoding="utf-8")
    checkout.file.write_text(before, encoding="utf-8")
    assert after.splitlines()[:2] == [SCHEMA_LINE, "# a note"]
    assert yaml.safe_load(after)["config"]["dyber:gateway"] == {"portOffset": 100}


def test_setting_another_value_checks_the_secret_too_and_keeps_it(checkout: Checkout) -> None:
    before = yaml.safe_load(checkout.file.read_text(encoding="utf-8"))["config"]["dyber:cache"]
    done = checkout.config("set", "cache.memoryMib", "256")
    assert done.returncode == 0, done.stderr
    text = checkout.file.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["config"]["dyber:cache"] == {**before, "memoryMib": 256}
    assert text.splitlines()[0] == SCHEMA_LINE


def test_the_wrong_passphrase_is_named_and_the_rest_is_shown(checkout: Checkout) -> None:
    done = checkout.config("show", "--json", PULUMI_CONFIG_PASSPHRASE="wrong")
    assert done.returncode == 0
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert rows["profiles"]["value"] == ["dev"]
    assert rows["cache.password"]["source"] == "Pulumi.dev.yaml"
    assert "wrong passphrase" in done.stderr
    assert "PULUMI_CONFIG_PASSPHRASE" in done.stderr
    refused = checkout.config("set", "logLevel", "debug", PULUMI_CONFIG_PASSPHRASE="wrong")
    assert refused.returncode == 1
    assert "wrong passphrase" in refused.stderr


def test_with_an_unknown_stack_the_message_names_the_next_step(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.config("show", "cache", PULUMI_BACKEND_URL=f"file://{tmp_path.as_posix()}")
    assert done.returncode == 0
    assert "cache.password" in done.stdout
    assert "this stack is not known here" in done.stderr
    assert "./deploy.sh" in done.stderr


def test_a_secret_of_a_service_keeps_the_text_that_was_entered(checkout: Checkout) -> None:
    before = checkout.file.read_text(encoding="utf-8")
    spec = checkout.root / "mcp-servers" / "template" / "service.yaml"
    with spec.open("a", encoding="utf-8") as file:
        file.write("secrets: {MY_PIN: optional}\n")
    done = checkout.config("set", "services.template.secrets.MY_PIN", "--secret", stdin="0123\n")
    assert done.returncode == 0, done.stderr
    shown = checkout.run("pulumi", "config", "--show-secrets", "--json", "--stack", "dev", "--non-interactive")
    checkout.file.write_text(before, encoding="utf-8")
    assert json.loads(shown.stdout)["dyber:services"]["objectValue"] == {"template": {"secrets": {"MY_PIN": "0123"}}}
