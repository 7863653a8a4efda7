"""What a new client may call and use, as `token create` reads it."""

from __future__ import annotations

import pytest
import typer

from cli.commands.settings.tokens import parse_accounts, parse_scopes
from cli.configuration.selection import SelectionError
from cli.system.checkout import ROOT
from infra.services.catalog import load_catalog

CATALOG = load_catalog(ROOT / "mcp-servers")


def test_scopes_are_read_by_service() -> None:
    assert parse_scopes("xiaohongshu=read,template=a+b github", CATALOG) == {
        "xiaohongshu": "read",
        "template": ["a", "b"],
        "github": "all",
    }


def test_accounts_are_read_by_service_in_their_order() -> None:
    assert parse_accounts("xiaohongshu=second+main template=x", CATALOG) == {
        "xiaohongshu": ["second", "main"],
        "template": ["x"],
    }


@pytest.mark.parametrize("text", ["", ",", "xiaohongshu", "xiaohongshu=", "xiaohongshu=+", "template=a,xiaohongshu="])
def test_a_service_without_an_account_never_means_every_account(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="xiaohongshu=main"):
        parse_accounts(text, CATALOG)


def test_accounts_of_an_unknown_service_are_refused() -> None:
    with pytest.raises(SelectionError, match="weibo2"):
        parse_accounts("weibo2=main", CATALOG)
