"""A stack's file that is not valid YAML is named with the line, and its text is not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cli import entry
from cli.stack_files import not_yaml
from cli.system import checkout

BROKEN = 'config:\n  dyber:clients: ["a"\n  dyber:tokens: "hush\n'


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYBER_LANG", "en")
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: dyber\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(BROKEN)
    return tmp_path


def test_the_command_names_file_and_line_and_what_to_do(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def read() -> None:
        yaml.safe_load(BROKEN)

    assert entry._guarded(read, None) == entry.USAGE
    told = capsys.readouterr().err
    assert "Pulumi.dev.yaml:3" in told and "not valid YAML" in told and "correct it and run again" in told
    assert "hush" not in told and "unexpected error" not in told


def test_files_that_are_valid_are_not_blamed(broken: Path) -> None:
    (broken / "Pulumi.dev.yaml").write_text("config: {}\n")
    assert not_yaml.error_in(broken) is None


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: \x01"])
def test_a_file_that_is_no_text_is_named_too(broken: Path, content: bytes) -> None:
    (broken / "Pulumi.dev.yaml").write_bytes(content)
    assert "Pulumi.dev.yaml" in str(not_yaml.error_in(broken))
