"""The example on the page about logins is made of settings that a stack accepts as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.services.catalog import load_catalog
from infra.settings.stack import StackSettings, parse_settings

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = ["oauth.md", "oauth.en.md"]


def example(page: str) -> StackSettings:
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    config: dict[str, Any] = yaml.safe_load(block)["config"]
    return parse_settings("dev", {key: json.dumps(value) for key, value in config.items()}, {})


@pytest.mark.parametrize("page", PAGES)
def test_the_example_has_no_problems_with_the_real_services(page: str) -> None:
    selected = example(page).select(load_catalog(REPOSITORY / "mcp-servers"))
    assert "xiaohongshu" in [service.name for service in selected]


@pytest.mark.parametrize("page", PAGES)
def test_the_clients_of_the_example_are_those_that_its_users_get(page: str) -> None:
    settings = example(page)
    assert settings.gateway.oauth is not None
    issuer = settings.gateway.oauth.first
    assert {*(user.client for user in issuer.users), issuer.other_users} == settings.clients.keys()
    reader = settings.clients["reader"].services
    assert reader is not None and dict(reader) == {"xiaohongshu": "read"}
