"""Calls of the hub's addresses at a real gateway, with services and a hub that report what reaches them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from infra.rendering.gateway.model import GatewayClient, GatewayGroup, GatewayHub, GatewayService, Scope
from tests.gateway.support.gateway_under_test import SETTINGS, TOKEN, Answer, GatewayUnderTest, changed

MODERN = "2026-07-28"
HUB_TOKEN = "4b" * 32
RELAY_PORT = 10070
#: So many failures open no breaker.
PATIENT = changed(SETTINGS, breaker={"failures": 1000})
PORTS = (80, 443, 8080, 9000, 9001, 9002, RELAY_PORT)
READ_TOOLS = ("alpha_search", "alpha_get.note")
WRITE_TOOLS = ("alpha_publish", "alpha_break", "alpha_events", "alpha_slow")
#: The backend answers for alpha; it accepts connections for hung, but never answers; absent has no container.
ALPHA = GatewayService(
    "alpha", 9000, "甲", 5, read_tools=READ_TOOLS, write_tools=WRITE_TOOLS, requests_per_second=9999,
    enforces_scopes=True,
)  # fmt: skip
HUNG = GatewayService("hung", 9001, "挂起", 5, read_tools=("hung_read",), requests_per_second=9999)
ABSENT = GatewayService("absent", 9002, "缺席", 5, read_tools=("absent_read",), requests_per_second=9999)
SERVICES = (ALPHA, HUNG, ABSENT)
PET = GatewayGroup("pet", {"find": ("alpha", "alpha_search"), "absent_read": ("absent", "absent_read")}, ("alpha",))
#: Of hung, clients may only read pages, whose scheme other services have too.
PAGES = GatewayGroup("pages", {}, ("hung",))
WRITERS = GatewayGroup("writers", {"alpha_publish": ("alpha", "alpha_publish")})
HUB = GatewayHub(
    hashlib.sha256(HUB_TOKEN.encode()).hexdigest(),
    tools={service.name: (*service.read_tools, *service.write_tools) for service in SERVICES},
    prompts={"alpha": ("alpha_greet",), "absent": ("absent_greet",)},
    resource_schemes={"alpha": ("alpha",), "absent": ("absent",)},
    readable=frozenset({"alpha", "absent", "hung"}),
    groups=(PET, PAGES, WRITERS),
    search=True,
    requests_per_second=9999,
)
SCOPES: dict[str, Mapping[str, Scope] | None] = {
    "desktop-pet": None,
    "reader": {"alpha": "read"},
    "publisher": {"alpha": ("alpha_publish",), "absent": "all"},
    "nobody": {},
}
TOKENS = {name: TOKEN if scopes is None else f"{name:x<40}" for name, scopes in SCOPES.items()}
CLIENTS = tuple(
    GatewayClient(name, (hashlib.sha256(TOKENS[name].encode()).hexdigest(),), scopes) for name, scopes in SCOPES.items()
)


def message(name: str, method: str = "tools/call", **parameters: Any) -> bytes:
    """Return a request that names a tool, a prompt or a resource."""
    key = "uri" if method == "resources/read" else "name"
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {key: name, **parameters}}).encode()


def modern(
    gateway: GatewayUnderTest,
    name: str | None,
    path: str = "/mcp",
    *,
    client: str = "desktop-pet",
    method: str | None = "tools/call",
    body: bytes | None = None,
    port: int = 80,
    **headers: str,
) -> Answer:
    """Send a request of the revision that names the method and the tool in headers; None leaves a header out."""
    named = {"Mcp-Method": method, "Mcp-Name": name}
    sent = {
        "Content-Type": "application/json",
        "MCP-Protocol-Version": MODERN,
        **{key: value for key, value in named.items() if value is not None},
        **{key.replace("_", "-"): value for key, value in headers.items()},
    }
    content = message(name or "", method or "") if body is None else body
    return gateway.request(path, port=port, method="POST", token=TOKENS[client], headers=sent, body=content)


def old(
    gateway: GatewayUnderTest,
    name: str,
    path: str = "/mcp",
    *,
    client: str = "desktop-pet",
    body: bytes | None = None,
    port: int = 80,
    **headers: str,
) -> Answer:
    """Call a tool as older revisions do, with the name in the body only."""
    sent = {
        "Content-Type": "application/json",
        **{key.replace("_", "-"): value for key, value in headers.items()},
    }
    content = message(name) if body is None else body
    return gateway.request(path, port=port, method="POST", token=TOKENS[client], headers=sent, body=content)


#: Both ways of calling a tool by its name.
CALLS = {"modern": modern, "old": old}


def reached(answer: Answer) -> str:
    """Return what answered: `hub`, or the service's name."""
    assert answer.status == 200, answer.body
    seen = answer.json()
    prefix = seen["headers"].get("X-Forwarded-Prefix", "")
    return prefix.removeprefix("/api/") if prefix else "hub"


def seen_headers(answer: Answer) -> dict[str, str]:
    """Return the headers that reached the service or the hub, with names in lower case."""
    assert answer.status == 200, answer.body
    return {name.lower(): value for name, value in answer.json()["headers"].items()}


def failure(answer: Answer) -> dict[str, Any]:
    """Return what the response, a result that is an error, tells programs about the failure."""
    assert answer.status == 200, answer.body
    result = answer.json()["result"]
    assert result["isError"] is True
    assert "structuredContent" not in result
    details: dict[str, Any] = result["_meta"]["dyber/error"]
    assert result["_meta"]["cn.dyberpet/error"] == details
    return details
