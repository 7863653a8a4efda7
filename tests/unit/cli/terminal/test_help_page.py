"""Help pages and errors of the command line are in the user's language, also where Typer writes the words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[4]
#: English words that a Chinese page may have: names that users type, and kinds of values.
ENGLISH = re.compile(r"\b(Usage|Options|Arguments|Commands|OPTIONS|COMMAND|ARGS|default|required|env var|Show|exit)\b")


def run(language: str, *arguments: str, columns: int = 200) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DYBER_LANG": language, "PYTHONIOENCODING": "utf-8", "COLUMNS": str(columns)}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("help", "logs"),
        ("backup", "--help"),
        ("token",),
        ("config", "set", "--help"),
    ],
    ids=" ".join,
)
def test_a_chinese_help_page_has_no_words_of_typer(arguments: tuple[str, ...]) -> None:
    page = run("zh", *arguments).stdout
    assert "用法：deploy.sh" in page
    assert ENGLISH.findall(page) == []


def test_a_chinese_help_page_translates_defaults_variables_and_required_arguments() -> None:
    assert "[默认：100]" in run("zh", "logs", "--help").stdout
    page = run("zh", "backup", "--help").stdout
    assert "[环境变量：DYBER_STACK]" in page
    assert "[必需]" in page


def test_an_english_help_page_keeps_the_words_of_typer() -> None:
    page = run("en", "backup", "--help").stdout
    words = ("Usage: deploy.sh backup [OPTIONS]", "Arguments", "[required]", "[default: dev]")
    assert [word for word in words if word not in page] == []
    assert "Show this message and exit." in page


@pytest.mark.parametrize(
    ("arguments", "language", "expected"),
    [
        (("logs", "--tail", "many"), "zh", "--tail 的值不能用：应为整数"),
        (("logs", "--tail", "many"), "en", "--tail: must be a whole number"),
        (("logs", "--tail", "-1"), "en", "--tail: must be at least 0"),
        (("restore", "no-such-file"), "zh", "no-such-file 不存在"),
        (("restore", "no-such-file"), "en", "no-such-file does not exist"),
        (("restore", "docs"), "zh", "docs 是目录，不是文件"),
        (("status", "--wrong"), "zh", "没有选项 --wrong"),
    ],
)
def test_an_error_says_in_the_user_s_language_why_a_value_cannot_be_used(
    arguments: tuple[str, ...], language: str, expected: str
) -> None:
    refused = run(language, *arguments)
    assert refused.returncode == 2
    assert expected in refused.stderr.splitlines()[0]


#: Prints the help page of every command and of the commands that it has.
PRINT_ALL = """
from cli.app import LISTED, load
def show(command, name):
    print(command.make_context(name, [], resilient_parsing=True).get_help())
    for inner, part in getattr(command, "commands", {}).items():
        show(part, f"{name} {inner}")
for name in LISTED:
    show(load(name), name)
"""


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_help_page_cuts_a_sentence(language: str) -> None:
    environment = {**os.environ, "DYBER_LANG": language, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    command = [sys.executable, "-c", PRINT_ALL]
    pages = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert "--search" in pages
    assert [line for line in pages.splitlines() if "…" in line] == []


def test_nothing_is_cut_off_on_a_narrow_terminal() -> None:
    page = run("zh", "add-service", "--help", columns=80).stdout
    assert "…" not in page
    words = re.sub(r"[\s│]+", "", page)
    assert "npm:名称" in words and "或一整行命令" in words
