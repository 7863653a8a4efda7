"""Tests the choice of the language and how errors and progress are shown."""

from __future__ import annotations

import io

import pytest

from messages import chosen_language, either
from toolchain.errors import SetupError
from toolchain.progress import PlainProgress


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "你好"),
        ({"DYBER_LANG": "en"}, "hello"),
        ({"DYBER_LANG": "zh", "LANG": "en_US.UTF-8"}, "你好"),
        ({"LANG": "en_US.UTF-8"}, "hello"),
        ({"LANG": "zh_CN.UTF-8"}, "你好"),
        ({"LANG": "C.UTF-8"}, "你好"),
        ({"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "你好"),
    ],
)
def test_the_language_is_chinese_unless_the_environment_says_english(monkeypatch, variables, expected):
    for name in ("DYBER_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert either("你好", "hello") == expected


@pytest.mark.parametrize(
    ("variable", "expected"), [("en", "en"), ("EN_us", "en"), ("zh", "zh"), (" ", None), (None, None)]
)
def test_only_the_users_own_variable_is_a_choice(monkeypatch, variable, expected):
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.delenv("DYBER_LANG", raising=False)
    if variable is not None:
        monkeypatch.setenv("DYBER_LANG", variable)
    assert chosen_language() == expected


def test_an_error_shows_its_next_step():
    assert str(SetupError("没有引擎", "安装它")) == "没有引擎\n安装它"
    assert str(SetupError("没有引擎")) == "没有引擎"


def test_a_failed_phase_is_marked_and_tool_output_goes_to_the_log(tmp_path):
    out, log = io.StringIO(), tmp_path / "logs" / "setup.log"
    progress = PlainProgress(out, log)
    with pytest.raises(RuntimeError), progress.phase("building"):
        progress.line("raw words of a tool")
        raise RuntimeError
    assert "✗ building" in out.getvalue()
    assert "✓" not in out.getvalue()
    assert "raw words of a tool" not in out.getvalue()
    assert "raw words of a tool" in log.read_text(encoding="utf-8")
