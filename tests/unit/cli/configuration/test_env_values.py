"""After a deployment `.env` has new keys, and the lines of the user are unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.configuration import env_values
from cli.configuration.env_values import completed, without_value
from infra.schema.problems import ConfigurationError

HEADER = "# header\n"
WANTED = ["MCP_AUTH_TOKEN", "LOG_LEVEL"]
TOKEN = "a1" * 32


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mcp-servers").mkdir()
    monkeypatch.setattr(env_values, "ROOT", tmp_path)
    return tmp_path


def test_a_new_file_has_a_header_and_every_key() -> None:
    assert completed("", HEADER, WANTED, {"MCP_AUTH_TOKEN": TOKEN}) == f"# header\nMCP_AUTH_TOKEN={TOKEN}\nLOG_LEVEL=\n"


def test_the_users_lines_comments_and_order_stay() -> None:
    text = "# mine\nexport LOG_LEVEL='debug' # loud\n\nFOO=bar"
    assert completed(text, HEADER, WANTED, {"MCP_AUTH_TOKEN": TOKEN}) == f"{text}\nMCP_AUTH_TOKEN={TOKEN}\n"


def test_a_value_that_is_there_is_never_changed_and_an_empty_one_is_filled() -> None:
    text = "MCP_AUTH_TOKEN=mine\nLOG_LEVEL=\n"
    assert completed(text, HEADER, WANTED, {"MCP_AUTH_TOKEN": TOKEN}) == text
    empty = "\nMCP_AUTH_TOKEN= # the token\nLOG_LEVEL=\n"
    assert completed(empty, HEADER, WANTED, {"MCP_AUTH_TOKEN": TOKEN}) == (
        f"\nMCP_AUTH_TOKEN={TOKEN} # the token\nLOG_LEVEL=\n"
    )


def test_a_second_time_nothing_changes() -> None:
    once = completed("", HEADER, WANTED, {"MCP_AUTH_TOKEN": TOKEN})
    assert completed(once, HEADER, WANTED, {"MCP_AUTH_TOKEN": TOKEN}) == once


def test_only_the_line_with_the_replaced_token_is_emptied() -> None:
    text = f"A=1\nMCP_AUTH_TOKEN={TOKEN} # token\nB=2\n"
    assert without_value(text, "MCP_AUTH_TOKEN", TOKEN) == "A=1\nMCP_AUTH_TOKEN= # token\nB=2\n"
    assert without_value(text, "MCP_AUTH_TOKEN", "another") == text


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_the_file_of_dev_is_made_for_its_owner_only(root: Path) -> None:
    env_values.complete("dev", {"desktop-pet": TOKEN})
    assert f"MCP_AUTH_TOKEN={TOKEN}\n" in (root / ".env").read_text(encoding="utf-8")
    assert (root / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_a_file_that_others_could_read_becomes_private(root: Path) -> None:
    env_values.complete("dev", {"desktop-pet": TOKEN})
    (root / ".env").chmod(0o644)
    env_values.complete("dev", {"desktop-pet": TOKEN})
    assert (root / ".env").stat().st_mode & 0o777 == 0o600


def test_other_stacks_get_no_file_unless_they_have_one(root: Path) -> None:
    env_values.complete("prod", {"desktop-pet": TOKEN})
    assert not (root / ".env.prod").exists()
    (root / ".env.prod").touch()
    env_values.complete("prod", {"desktop-pet": TOKEN})
    assert TOKEN in (root / ".env.prod").read_text(encoding="utf-8")


def test_each_secret_that_a_service_declares_has_a_line_to_fill_in(root: Path) -> None:
    folder = root / "mcp-servers" / "weibo"
    folder.mkdir()
    (folder / "service.yaml").write_text("secrets: {WEIBO_COOKIE: required}\n")
    env_values.complete("dev", {})
    assert "WEIBO_MCP_TOKEN=\nWEIBO_COOKIE=\n" in (root / ".env").read_text(encoding="utf-8")


def test_a_damaged_file_is_refused_by_its_line_and_stays(root: Path) -> None:
    (root / ".env").write_bytes(b"LOG_LEVEL=debug\nFOO=\xff\n")
    with pytest.raises(ConfigurationError, match=r"\.env:2: "):
        env_values.complete("dev", {})
    assert (root / ".env").read_bytes() == b"LOG_LEVEL=debug\nFOO=\xff\n"
