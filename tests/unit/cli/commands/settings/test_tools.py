"""`dyber tools` shows changed contracts, and packs the sources for a container that computes a contract."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
import typer

from cli.commands.settings import tools
from cli.release import contracts
from cli.system.errors import StackError
from infra.services.catalog import load_spec
from infra.services.contract import LOCK_FILE, Contract, load_lock

TEMPLATE = contracts.SERVERS / "template"


@pytest.fixture
def lock() -> Contract:
    contract = load_lock(TEMPLATE)
    assert contract is not None
    return contract


def test_a_changed_contract_is_shown_with_what_breaks_callers_first(
    lock: Contract, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    echo = {**lock.tools["template_echo"], "description": "Send [bold]it[/bold] back."}
    two = Contract({name: lock.tools[name] for name in ("template_echo", "template_countdown")})
    assert tools.show("template", two, Contract({"template_echo": echo}))
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "template: break callers: 1, change what agents read: 1"
    assert shown[1] == "  ✗ template_countdown: tool removed"
    # A description is never taken for markup.
    assert shown[-1] == "      + Send [bold]it[/bold] back."


def test_an_unchanged_contract_is_no_difference(lock: Contract) -> None:
    assert not tools.show("template", lock, lock)


def test_the_packed_sources_are_just_the_kit_and_the_service() -> None:
    spec = load_spec(TEMPLATE / "service.yaml")
    with tarfile.open(fileobj=io.BytesIO(contracts._packed(spec))) as archive:
        members = archive.getmembers()
    assert {member.name.split("/")[0] for member in members} == {"dyber_kit", "template_server"}
    assert "template_server/service.py" in {member.name for member in members}
    assert not any("__pycache__" in member.name for member in members)
    assert all(member.mode & 0o444 == 0o444 for member in members)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: Contract) -> Path:
    folder = tmp_path / "mcp-servers" / "template"
    folder.mkdir(parents=True)
    (folder / LOCK_FILE).write_bytes((TEMPLATE / LOCK_FILE).read_bytes())
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(contracts, "ROOT", tmp_path)
    return tmp_path


def test_the_contract_of_an_earlier_revision_is_read_from_git(repository: Path, lock: Contract) -> None:
    (repository / "mcp-servers" / "template" / LOCK_FILE).unlink()
    assert contracts.lock_at("HEAD", "template") == lock
    assert contracts.lock_at("HEAD", "weibo") is None


def test_a_revision_that_does_not_exist_is_named(repository: Path) -> None:
    with pytest.raises(StackError, match="nowhere"):
        contracts.lock_at("nowhere", "template")


@pytest.mark.parametrize("output", ["", "Traceback (most recent call last)\nModuleNotFoundError: x", "{\n}"])
def test_a_container_that_prints_no_contract_is_quoted(output: str) -> None:
    with pytest.raises(StackError) as refused:
        contracts._parsed(output, "template")
    assert output.strip().splitlines()[-1:] == refused.value.message.splitlines()[1:][-1:]


def test_an_unknown_service_is_named_with_the_known_ones() -> None:
    with pytest.raises(typer.BadParameter, match="'no-such'.*template"):
        tools._specs("no-such")
