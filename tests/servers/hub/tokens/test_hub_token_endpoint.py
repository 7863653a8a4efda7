"""The hub with logins: it answers the gateway's questions about tokens, and leaves nothing open when it stops."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import httpx2
import pytest
from dyber_hub.tokens.endpoint import FILE_SETTING, PATH, TokenEndpoint

from tests.servers.hub.conftest import ONCE, serving_hub
from tests.stand_in.hub.gateway import TOKEN, HubGateway
from tests.stand_in.identity_provider import IdentityProvider


async def test_connections_to_identity_providers_end_with_the_hub(
    gateway: HubGateway, gateway_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "oauth.json"
    monkeypatch.setenv(FILE_SETTING, str(file))
    key = hashlib.sha256(TOKEN.encode()).hexdigest()
    with IdentityProvider() as provider:
        issuer = {"url": provider.url, "alias": "login", "other_users": "pet", "private_addresses": True}
        file.write_text(json.dumps({"scopes": ["mcp"], "issuers": [issuer]}))
        with serving_hub(gateway, gateway_url, timings=ONCE) as hub:
            async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}) as http:
                answer = (await http.post(hub.base + PATH, json={"token": provider.token()})).json()
            assert (answer["status"], answer["client"], answer["scopes"]) == ("accepted", "login.alice", ["mcp"])
            assert isinstance(hub.app.asgi, TokenEndpoint)
            (documents,) = [each.documents for each in hub.app.asgi._verifier._providers]
            (client,) = documents._clients.values()
            assert not client.is_closed
        assert client.is_closed
