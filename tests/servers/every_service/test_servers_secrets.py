"""What a server knows or is sent in confidence is in no answer and no log line of any service, at the most talkative
level, while everything it depends on is down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.stand_in.running import free_port, process
from tests.stand_in.services import SPECS, minimal_arguments

SECRET = "s3cret-5f2c9a71"
SENT = {
    "Authorization": f"Bearer {SECRET}",
    "Cookie": f"session={SECRET}",
    "X-Api-Key": SECRET,
    "Accept": "application/json, text/event-stream",
}


@dataclass
class Heard:
    """All that a server said."""

    answers: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def rpc(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@pytest.fixture(scope="module", params=sorted(SPECS))
def heard(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Heard]:
    """Each service, asked everything that can be asked of it without its platform."""
    heard = Heard()
    data = tmp_path_factory.mktemp("data")
    (data / "storage_state.json").write_text(
        json.dumps({"cookies": [{"name": "session", "value": SECRET, "domain": "127.0.0.1", "path": "/"}]})
    )
    # Every variable of the kit that holds a secret belongs here, with what makes it matter.
    environment = {
        **dict.fromkeys(SPECS[request.param].get("secrets", {}), SECRET),
        "LOG_LEVEL": "debug",
        "DYBER_DATA": str(data),
        "DYBER_REDIS_HOST": "127.0.0.1",
        "DYBER_REDIS_PORT": str(free_port()),
        "DYBER_REDIS_PASSWORD": SECRET,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRET}",
        # Of template, and of the services made from it.
        f"{request.param.upper().replace('-', '_')}_UPSTREAM_URL": f"http://127.0.0.1:{free_port()}/feed.json",
        "XHS_BASE_URL": f"http://127.0.0.1:{free_port()}",
        "XHS_INTERVAL_SECONDS": "0",
        "XHS_JITTER_SECONDS": "0",
        "MAX_CALL_SECONDS": "15",
        "CHROMIUM_PATH": chromium,
    }
    with process(SPECS[request.param]["package"], **environment) as (child, base):
        reader = threading.Thread(target=lambda: heard.lines.extend(child.stdout))
        reader.start()
        with httpx2.Client(base_url=base, headers=SENT, timeout=60) as http:
            for path in ("/", "/health", "/ready", "/metrics", "/docs", "/openapi.json", "/nothing"):
                heard.answers[path] = http.get(path).text
            for method in ("tools/list", "resources/list", "prompts/list"):
                heard.answers[method] = http.post("/mcp", json=rpc(method)).text
            answer = heard.answers["tools/list"]
            for tool in json.loads(answer.partition("data: ")[2] or answer)["result"]["tools"]:
                smallest = minimal_arguments(tool["inputSchema"])
                wrong = {name: {"wrong": SECRET} for name in tool["inputSchema"]["properties"]}
                odd = {**wrong, "argumentNobodyDeclared": SECRET} if wrong else [SECRET]
                for what, arguments in (("called", smallest), ("refused", odd)):
                    call = rpc("tools/call", name=tool["name"], arguments=arguments)
                    heard.answers[f"{tool['name']} {what}"] = http.post("/mcp", json=call).text
        child.terminate()
        reader.join(60)
    yield heard


def test_no_answer_has_a_secret(heard):
    assert [what for what, text in heard.answers.items() if SECRET in text] == []


def test_no_log_line_has_a_secret(heard):
    assert [line for line in heard.lines if SECRET in line] == []


def test_the_tools_were_called_and_the_debug_log_was_written(heard):
    assert all("INVALID_ARGUMENT" in text for what, text in heard.answers.items() if what.endswith(" refused"))
    assert len([what for what in heard.answers if what.endswith(" refused")]) >= 4
    assert any(json.loads(line)["level"] == "DEBUG" for line in heard.lines)
