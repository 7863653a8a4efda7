"""The repository passes every tool of `./deploy.sh lint`, and each tool finds the faults that it is for."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.commands.machine import development
from cli.machine import linting, test_run
from cli.machine.linting import Complaint, Tool
from cli.system.checkout import ROOT
from toolchain.errors import SetupError

TOOLS = ["ruff", "format", "codespell", "shellcheck", "actionlint", "hadolint", "imports", "mypy"]

#: By tool, a file with a fault: its path, its text, and a part of the tool's message.
FAULTS = {
    "ruff": ("cli/faulty.py", '"""Is faulty."""\n\nimport os\n', "F401"),
    "format": ("cli/faulty.py", '"""Is faulty."""\n\nNAME  = 1\n', "NAME = 1"),
    "codespell": ("docs/faulty.en.md", "The gateway recieves calls.\n", "receives"),  # codespell:ignore recieves
    "shellcheck": ("nginx/bin/faulty", "#!/bin/bash\nrm -r $1/\n", "SC2086"),
    "actionlint": (".github/workflows/faulty.yml", "on: push\njobs:\n  a:\n    steps: []\n", "runs-on"),
    "hadolint": ("cache/front/Dockerfile", "FROM debian:trixie-slim\nRUN cd /tmp\n", "DL3003"),
    "imports": ("toolchain/faulty.py", '"""Is faulty."""\n\nimport cli.app\n', "toolchain.faulty -> cli.app"),
    "mypy": ("cli/faulty.py", '"""Is faulty."""\n\nNAME: int = "x"\n', "Incompatible types"),
}
CONFIGURATION = ("pyproject.toml", ".shellcheckrc", ".hadolint.yaml", ".github/actionlint.yaml", "tests/actionlint")


def tool(name: str, root: Path = ROOT) -> Tool:
    (matching,) = [each for each in linting.tools(root) if each.name == name]
    return matching


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small clone with the settings of the tools."""
    for name in CONFIGURATION:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rooms = {
        room.replace(".", "/")
        for contract in settings["tool"]["importlinter"]["contracts"]
        for entry in [*contract.get("layers", []), *contract.get("source_modules", [])]
        for room in entry.split(" | ")
    }
    for package in sorted(
        rooms
        | {
            "mcp-servers/kit/dyber_kit",
            "mcp-servers/a/a_server",
            "hub/dyber_hub",
            "console/dyber_console",
            "monitoring/dyber_alerts",
        }
    ):
        (tmp_path / package).mkdir(parents=True, exist_ok=True)
        (tmp_path / package / "__init__.py").write_text('"""Is empty."""\n', encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def test_exactly_these_tools_run() -> None:
    assert [each.name for each in linting.tools(ROOT)] == TOOLS


@pytest.mark.parametrize("name", TOOLS)
def test_the_repository_passes(name: str) -> None:
    linting.check(tool(name), ROOT)


@pytest.mark.parametrize("name", TOOLS)
def test_a_fault_is_found_and_shown(name: str, repository: Path) -> None:
    file, content, word = FAULTS[name]
    if name in ("ruff", "format", "codespell", "imports", "mypy"):
        linting.check(tool(name, repository), repository)
    (repository / file).parent.mkdir(parents=True, exist_ok=True)
    (repository / file).write_text(content, encoding="utf-8")
    with pytest.raises(Complaint, match=word) as complaint:
        linting.check(tool(name, repository), repository)
    assert Path(file).name in str(complaint.value) or name == "imports"


def test_ruff_corrects_what_it_can(repository: Path) -> None:
    file = repository / "cli" / "faulty.py"
    file.write_text('"""Is faulty."""\n\nimport os\n\nNAME  = 1\n', encoding="utf-8")
    for name in ("ruff", "format"):
        linting.check(tool(name, repository), repository, fix=True)
    assert file.read_text(encoding="utf-8") == '"""Is faulty."""\n\nNAME = 1\n'


def test_files_that_git_ignores_are_not_checked(repository: Path) -> None:
    (repository / ".gitignore").write_text("*.log\n", encoding="utf-8")
    (repository / "x.log").write_text(FAULTS["codespell"][1], encoding="utf-8")
    linting.check(tool("codespell", repository), repository)


def test_without_git_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="git clone"):
        linting.tools(tmp_path)


def test_the_command_names_each_tool_that_failed(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    (repository / "cli" / "faulty.py").write_text('"""Is faulty."""\n\nimport os\n\nNAME  = 1\n', encoding="utf-8")
    monkeypatch.setattr(development, "ROOT", repository)
    monkeypatch.setattr(test_run, "install_packages", lambda display: None)
    result = CliRunner().invoke(app, ["lint", "ruff", "format", "shellcheck"])
    assert result.exit_code == 1
    assert "ruff, format" in result.output
    assert "F401" in result.output


def test_a_tool_that_is_unknown_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_run, "install_packages", lambda display: None)
    result = CliRunner().invoke(app, ["lint", "pylint"])
    assert result.exit_code == 2
    assert "pylint" in result.output and "mypy" in result.output
