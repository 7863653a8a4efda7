"""Tests the choice of the backend, the check of its address, and that no password is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.terminal.console import Activities
from toolchain import prerequisites
from toolchain.errors import SetupError
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress
from toolchain.pulumi import backend
from toolchain.pulumi.backend import Backend, configured, masked

HOME = DyberHome(Path("/home/someone/dyber"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pulumi.yaml that names a backend."""
    file = tmp_path / "Pulumi.yaml"
    file.write_text("name: dyber\nbackend:\n  url: s3://states?region=eu-central-1\n", encoding="utf-8")
    monkeypatch.setattr(backend, "PROJECT_FILE", file)
    return file


def test_the_variable_overrides_the_project_file_and_that_overrides_the_default(project: Path) -> None:
    chosen = configured(HOME, {"PULUMI_BACKEND_URL": "postgres://host/db"})
    assert chosen == Backend("postgres://host/db", "PULUMI_BACKEND_URL")
    assert configured(HOME, {}) == Backend("s3://states?region=eu-central-1", "Pulumi.yaml: backend.url")
    project.write_text("name: dyber\n", encoding="utf-8")
    assert configured(HOME, {}) == Backend(f"file://{HOME.state.as_posix()}", "")
    assert configured(HOME, {}).is_local and not chosen.is_local


def test_pulumi_gets_the_backend_of_the_project_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(configured, "__defaults__", (None))
    variables = prerequisites.environment(DyberHome(tmp_path), {"PATH": "/usr/bin"})
    assert variables["PULUMI_BACKEND_URL"] == "s3://states?region=eu-central-1"


@pytest.mark.parametrize(
    "url",
    [
        "file:///srv/state",
        "file://~/state",
        "s3://bucket?endpoint=http://127.0.0.1:9000&s3ForcePathStyle=true&region=us-east-1",
        "gs://bucket",
        "azblob://container?storage_account=x",
        "postgres://",
        "postgres://user@host/db?sslmode=disable",
        "postgres://user:a%2Fb%40c@host:5432/db",
        "postgres://user@[::1]:5432/db",
        "https://api.pulumi.com",
    ],
)
def test_an_address_that_pulumi_can_open_is_accepted(url: str) -> None:
    Backend(url, "PULUMI_BACKEND_URL").check()


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("postgresql://me:secret@localhost/state", "postgres://me:****@localhost/state"),
        ("/srv/state", "file:///srv/state"),
        ("~/state", "file://~/state"),
        ("bucket://states", "s3://bucket"),
        ("s3:states", "s3://bucket"),
        ("postgres://me:secret/x@localhost/state", "%2F"),
        ("postgres://me:1/secret@localhost/state", "%2F"),
    ],
)
def test_an_address_that_pulumi_would_misunderstand_is_refused(url: str, advice: str) -> None:
    with pytest.raises(SetupError, match="PULUMI_BACKEND_URL") as refused:
        Backend(url, "PULUMI_BACKEND_URL").check()
    assert advice in refused.value.next_step
    assert "secret" not in str(refused.value)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://me:hunter2@host/db", "postgres://me:****@host/db"),
        ("postgres://me:p@ss@host/db", "postgres://me:****@host/db"),
        ("postgres:///db?host=h&password=hunter2&sslmode=disable", "postgres:///db?host=h&password=****&sslmode=disable"),
        ('open "postgres://:x@h/d": no; https://a:b@c', 'open "postgres://:****@h/d": no; https://a:****@c'),
        ("postgres://me@host:5432/db", "postgres://me@host:5432/db"),
        ("http://127.0.0.1:5000/dyber/template@sha256:40a7", "http://127.0.0.1:5000/dyber/template@sha256:40a7"),
        ("s3://states?endpoint=http://127.0.0.1:9000&region=x", "s3://states?endpoint=http://127.0.0.1:9000&region=x"),
    ],
)  # fmt: skip
def test_only_passwords_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/\"'"), min_size=1))
def test_no_part_of_a_password_stays_in_an_address(password: str) -> None:
    assert masked(f"postgres://me:{password}@host/db") == "postgres://me:****@host/db"


def test_the_log_has_no_passwords(tmp_path: Path) -> None:
    Activities(tmp_path / "log").line("at postgres://me:hunter2@host/db")
    assert (tmp_path / "log").read_text() == "at postgres://me:****@host/db\n"


def test_set_up_refuses_an_unknown_kind_of_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "sqlite:///state.db")
    with pytest.raises(SetupError, match="sqlite:///state.db"):
        prerequisites.set_up(DyberHome(tmp_path), PlainProgress())


def test_a_missing_passphrase_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(tmp_path / "nothing"))
    with pytest.raises(SetupError, match="nothing") as refused:
        prerequisites.set_up(DyberHome(tmp_path / "home"), PlainProgress())
    assert refused.value.exit_code == 2
    (finding,) = [item for item in prerequisites.inspect_all(DyberHome(tmp_path / "home")) if item.key == "backend"]
    assert not finding.ok and finding.origin == str(tmp_path / "nothing") and finding.advice == refused.value.next_step
