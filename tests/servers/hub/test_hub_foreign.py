"""Calls through the hub of a server that somebody else wrote, which knows the older revisions only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.hub.asking import WAYS, asking, until
from tests.servers.hub.conftest import Hub, serving_hub
from tests.stand_in.bridges import bridge, lock_of, settings_of
from tests.stand_in.hub import services as hub_services
from tests.stand_in.hub.gateway import HubGateway
from tests.stand_in.running import running

#: What the hub knows of the service before it has asked it.
ENTRY: dict[str, Any] = {
    "name": "foreign",
    "title": "Foreign",
    "description": "",
    "instructions": None,
    "max_call_seconds": 20,
    "tools": None,
    "prompts": [],
    "resources": [],
    "resource_templates": [],
    "completions": [],
}


@pytest.fixture(scope="module")
async def foreign_hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    folder: Path = tmp_path_factory.mktemp("foreign")
    with bridge(settings_of(), lock_of(settings_of(), folder), require_scope=True) as service:
        gateway = HubGateway({"foreign": service.base})
        catalogue = hub_services.catalogue(ENTRY, groups=())
        with running(gateway.server()) as url, serving_hub(gateway, url, catalogue) as hub:
            await until(lambda: hub.app.live.state("foreign") == "ok")
            yield hub


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_case_33_what_a_foreign_server_asks_for_is_refused_and_its_call_ends(
    foreign_hub: Hub, era: str, accept: str
) -> None:
    async with asking(foreign_hub.base, era, accept) as ask:
        result = (await ask("tools/call", 5, name="ask", arguments={}))["result"]
    assert not result.get("isError")
    codes = json.loads(result["content"][0]["text"])
    assert codes == {"sampling/createMessage": -32601, "elicitation/create": -32601, "roots/list": -32601, "ping": None}
