"""The example on the page about the hub is a group that the services of the repository have tools for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.rendering.hub import groups
from infra.services.catalog import load_catalog
from infra.services.offers import Offers, offers_of
from infra.settings.hub import GroupSettings, HubSettings
from infra.settings.services import ServiceSettings

REPOSITORY = Path(__file__).resolve().parents[3]
CATALOG = load_catalog(REPOSITORY / "mcp-servers")
OFFERS: dict[str, Offers] = {name: offers_of(spec) for name, spec in CATALOG.items()}
PAGES = ["hub.md", "hub.en.md"]


def written(page: str, key: str) -> dict[str, Any]:
    """Return what the only example with a key has below it."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block)["config"] for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    (below,) = [block[key] for block in blocks if key in block]
    return dict(below)


def example(page: str) -> dict[str, GroupSettings]:
    groups = written(page, "dyber:groups")
    return {name: GroupSettings.model_validate(group) for name, group in groups.items()}


@pytest.mark.parametrize("page", PAGES)
def test_the_example_of_other_names_can_be_written(page: str) -> None:
    (clock,) = written(page, "dyber:services").values()
    names = ServiceSettings.model_validate(clock).names_at_the_hub()
    assert names == {"get_current_time": "clock_get_current_time"}


@pytest.mark.parametrize("page", PAGES)
def test_the_example_has_no_problems_with_the_real_services(page: str) -> None:
    for name, group in example(page).items():
        assert list(groups.problems("Pulumi.dev.yaml", name, group, OFFERS, CATALOG)) == []


@pytest.mark.parametrize("page", PAGES)
def test_the_example_offers_what_its_comments_say(page: str) -> None:
    group = groups.resolve("pet", example(page)["pet"], OFFERS)
    exposed = [tool.exposed for tool in group.tools]
    assert "search_notes" in exposed
    assert "xhs_search_notes" not in exposed
    assert "xhs_login_qrcode" not in exposed
    assert [tool.tool for tool in group.tools if tool.service == "template"] == ["template_echo"]
    assert {tool.tool for tool in group.tools if tool.service == "xiaohongshu"} < OFFERS["xiaohongshu"].reading


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_of_the_hub_is_described_with_its_default(page: str) -> None:
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .+ \| `?(\w+)`? \|$", text.split("dyber:hub")[1], re.MULTILINE)
    described = {key: value.lower() for key, value in rows}
    defaults = {field.alias: str(field.default).lower() for field in HubSettings.model_fields.values()}
    assert described == defaults
