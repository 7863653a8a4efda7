"""`dyber add-service --list` shows the reviewed servers with what each needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands.settings import reviewed_servers, services
from infra.services.foreign_catalog import load


def listing(monkeypatch: pytest.MonkeyPatch, language: str, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("DYBER_LANG", language)
    result = CliRunner().invoke(services.commands, ["add-service", "--list"])
    assert result.exit_code == 0, result.output
    return result.output + capsys.readouterr().out


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_server_is_listed_with_its_needs_in_the_users_language(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    shown = listing(monkeypatch, language, capsys)
    for name, entry in load(reviewed_servers.SERVERS).items():
        assert name in shown
        assert entry.description.of(language) in shown
        assert entry.needs is None or entry.needs.of(language) in shown
        assert entry.caution is None or entry.caution.of(language) in shown


def test_a_server_that_was_added_is_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "catalog").symlink_to(reviewed_servers.SERVERS / "catalog")
    (tmp_path / "amap").mkdir()
    (tmp_path / "amap" / "service.yaml").touch()
    monkeypatch.setattr(reviewed_servers, "SERVERS", tmp_path)
    shown = listing(monkeypatch, "en", capsys)
    assert "amap (added)" in shown
    assert "baidu-map (added)" not in shown
