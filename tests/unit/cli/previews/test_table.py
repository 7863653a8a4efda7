"""The table of a preview on the terminal, from recorded steps of real runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from cli.previews.table import table

PREVIEWS = Path(__file__).parent / "data"


def shown(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    rows = table(json.loads((PREVIEWS / f"{name}.json").read_text(encoding="utf-8"))["steps"])
    Console(width=400).print(rows)
    return capsys.readouterr().out


def test_changes_are_shown_in_the_users_language(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYBER_LANG", "zh")
    text = shown("image", capsys)
    assert "替换" in text and "容器" in text and "template-server" in text
    assert "✅ 不丢调用" in text
    assert "`" not in text and "<br>" not in text
    monkeypatch.setenv("DYBER_LANG", "en")
    assert "no call is lost" in shown("image", capsys)


def test_long_values_are_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    long = {
        "op": "update",
        "urn": "urn:pulumi:dev::dyber::docker:index/container:Container::server",
        "oldState": {"inputs": {"securityOpts": []}},
        "newState": {"inputs": {"securityOpts": ["seccomp=" + "x" * 5000]}},
        "diffReasons": ["securityOpts"],
    }
    Console(width=400).print(table([long]))
    text = capsys.readouterr().out
    assert "5008" in text and "xxx" not in text


def test_without_a_change_there_is_no_table() -> None:
    assert table([{"op": "same", "urn": "urn:pulumi:dev::dyber::docker:index/network:Network::x"}]) is None


@pytest.mark.parametrize(("retain", "fate"), [(False, "数据会被删除"), (True, "数据保留")])
def test_the_fate_of_data_is_named(
    retain: bool, fate: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYBER_LANG", "zh")
    urn = "urn:pulumi:dev::dyber::dyber:service:McpService$docker:index/volume:Volume::xiaohongshu-data"
    step = {"op": "delete", "urn": urn, "oldState": {"inputs": {"name": "x"}, "retainOnDelete": retain}}
    Console(width=400).print(table([step]))
    row, noticed = capsys.readouterr().out.splitlines()
    assert fate in row and fate in noticed and "**" not in noticed
