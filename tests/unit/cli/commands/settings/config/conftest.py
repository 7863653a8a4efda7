"""Gives each test its own repository and a command line on it, without Pulumi or an engine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import app
from cli.configuration import effective
from cli.deployment import deployment as stack
from cli.system.errors import StackError
from tests.unit.cli.commands.settings.config.stacks import DEV, TEST, Dyber

REPOSITORY = Path(__file__).resolve().parents[6]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the stacks dev and test, and two services."""
    for name in ("template", "xiaohongshu"):
        skipped = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(REPOSITORY / "mcp-servers" / name, tmp_path / "mcp-servers" / name, ignore=skipped)
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV, encoding="utf-8")
    (tmp_path / "Pulumi.test.yaml").write_text(TEST, encoding="utf-8")
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    for variable in ("DYBER_PIP_INDEX_URL", "DYBER_NPM_REGISTRY", "DYBER_GOPROXY", "DYBER_CA_BUNDLE", "DYBER_STACK"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DYBER_LANG", "en")
    return tmp_path


@pytest.fixture
def dyber(root: Path) -> Dyber:
    """Run a command line and return its exit code; errors are raised."""

    def run(*arguments: str) -> int:
        return int(typer.main.get_command(app)(["config", *arguments], standalone_mode=False) or 0)

    return run


@pytest.fixture
def undecryptable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(stack: str, root: Path) -> dict[str, Any]:
        raise StackError("wrong passphrase", "use the right one")

    monkeypatch.setattr(effective, "decrypted", refuse)
