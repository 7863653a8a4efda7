"""Tests a state or a key that cannot be reached: a clear message with the next step, the exit code, no password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pulumi import automation as auto
from typer.testing import CliRunner

from cli.app import app
from cli.commands.reading import stack_outputs
from cli.deployment.deployment import Deployment
from cli.entry import _guarded
from tests.toolchain.state_projects import environment_for, use_as_repository

CLOSED = "127.0.0.1:1"


@pytest.fixture
def file(home, tmp_path, monkeypatch) -> Path:
    """The stack file of a stack that does not exist; its state would be in a folder."""
    (tmp_path / "state").mkdir()
    return use_as_repository(tmp_path / "dyber", environment_for(home, f"file://{tmp_path / 'state'}"), monkeypatch)


@pytest.fixture
def error_message(file: Path, monkeypatch, capsys):
    """A function that reads a stack's outputs, or creates the stack, and returns the error message."""

    def read_or_create(code: int, meaning: str, *, create: bool = False, **environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert _guarded(lambda: Deployment.open("dev") if create else stack_outputs("dev"), None) == code
        printed = capsys.readouterr()
        assert meaning in printed.err and "→ " in printed.err
        assert not printed.out
        return printed.err

    return read_or_create


def test_the_database_does_not_answer(error_message) -> None:
    url = f"postgres://dyber:very%2Fsecret@{CLOSED}/postgres"
    message = error_message(1, "连不上状态数据库", PULUMI_BACKEND_URL=url)
    assert f"postgres://dyber:****@{CLOSED}/postgres" in message
    assert "very" not in message


@pytest.mark.parametrize(
    ("query", "password", "meaning"),
    [("?sslmode=disable", "wrong", "不接受这个用户或口令"), ("?sslmode=disable", "", "不接受这个用户或口令"), ("", "", "没有启用 TLS")],
    ids=["wrong password", "no password", "no TLS"],
)  # fmt: skip
def test_the_database_refuses_the_connection(error_message, database, query: str, password: str, meaning: str) -> None:
    error_message(1, meaning, PULUMI_BACKEND_URL=database.url(query=query), PGPASSWORD=password)


def test_the_database_does_not_exist(error_message, database) -> None:
    error_message(1, "没有这个状态数据库", PULUMI_BACKEND_URL=database.url(database="nothing"))


def test_the_bucket_does_not_exist(error_message, aws) -> None:
    error_message(1, "没有这个状态桶", PULUMI_BACKEND_URL=aws.bucket("nothing"))


def test_there_are_no_credentials(error_message, aws) -> None:
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    error_message(1, "没有云的访问凭据", PULUMI_BACKEND_URL=aws.state, **nothing)


def test_the_credentials_are_wrong(error_message, aws) -> None:
    with aws.requiring_credentials():
        error_message(1, "不接受这些凭据", PULUMI_BACKEND_URL=aws.state)


def test_the_passphrase_is_wrong_for_a_stack_made_elsewhere(error_message, database, monkeypatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", database.url(query="?sslmode=disable&table=shared"))
    Deployment.open("dev").stack.set_config("other:token", auto.ConfigValue("hunter2", secret=True))
    error_message(1, "口令不对", PULUMI_CONFIG_PASSPHRASE="another")


@pytest.mark.parametrize(
    ("provider", "code", "meaning"),
    [
        ("hashivault://key", 1, "没有云的访问凭据"),
        ("awskmss://alias/dyber", 2, "DYBER_SECRETS_PROVIDER: 不认识的机密提供者"),
    ],
    ids=["no address", "no such service"],
)
def test_a_new_stack_cannot_use_its_key(error_message, file: Path, provider: str, code: int, meaning: str) -> None:
    before = file.read_bytes()
    error_message(code, meaning, create=True, DYBER_SECRETS_PROVIDER=provider)
    assert file.read_bytes() == before


def test_the_key_does_not_exist(error_message, aws) -> None:
    error_message(1, "没有这把密钥", create=True, DYBER_SECRETS_PROVIDER=aws.key("alias/nothing"))


def test_a_stack_whose_key_cannot_be_reached_is_not_changed(error_message, file: Path, aws, monkeypatch) -> None:
    monkeypatch.setenv("DYBER_SECRETS_PROVIDER", aws.key())
    Deployment.open("dev").stack.set_config("other:token", auto.ConfigValue("hunter2", secret=True))
    file.write_text(file.read_text(encoding="utf-8").replace(aws.endpoint, f"http://{CLOSED}"), encoding="utf-8")
    before = file.read_bytes()
    error_message(1, "连不上密钥服务")
    assert file.read_bytes() == before


def test_doctor_shows_backend_and_secrets_provider_without_the_password(file: Path, database, monkeypatch) -> None:
    monkeypatch.setattr("cli.commands.machine.machine.ROOT", file.parent)
    url = f"postgres://dyber:not-the-password@127.0.0.1:{database.port}/postgres?sslmode=disable"
    monkeypatch.setenv("PULUMI_BACKEND_URL", url)
    monkeypatch.setenv("DYBER_SECRETS_PROVIDER", "awskms://alias/dyber")
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 1
    assert "not-the-password" not in done.output
    findings = {item["key"]: item for item in json.loads(done.stdout)}
    assert findings["secrets"]["version"] == "dev：awskms://alias/dyber"
    assert findings["backend"]["version"] == url.replace("not-the-password", "****")
    assert not findings["backend"]["ok"] and "不接受这个用户或口令" in findings["backend"]["advice"]
    monkeypatch.setenv("PULUMI_BACKEND_URL", database.url())
    findings = {item["key"]: item for item in json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)}
    assert findings["backend"]["ok"]
