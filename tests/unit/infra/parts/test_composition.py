"""What is refused before anything is created, when clients have no tokens yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.parts.composition import checked_services
from infra.rendering.gateway import configuration
from infra.rendering.gateway import hub as hubs
from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog
from infra.settings.stack import parse_settings

CATALOG = Path(__file__).parents[4] / "mcp-servers"


@pytest.mark.parametrize(
    ("module", "limit", "message"),
    [(configuration, "LONGEST_SCOPE", "scope_too_long"), (hubs, "LONGEST_HUB_SCOPE", "hub_scope_too_long")],
)
def test_a_client_whose_scope_no_header_can_hold_is_named(
    module: Any, limit: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, limit, 20)
    clients = {"desktop-pet": {}, "phone": {"services": {"xiaohongshu": ["xhs_login_status"]}}}
    settings = parse_settings("dev", {"dyber:clients": json.dumps(clients)}, {})
    with pytest.raises(ConfigurationError) as refused:
        checked_services(settings, load_catalog(CATALOG))
    [problem] = refused.value.problems
    assert (problem.message, problem.path, problem.parameters["client"]) == (message, ("clients", "phone"), "phone")
