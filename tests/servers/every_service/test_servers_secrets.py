"""Tests that no answer and no log line of any service contains a secret.

The log level is `debug`, and everything that the service depends on is unreachable.
"""

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
class Output:
    """Holds the answers and log lines of a server."""

    answers: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def rpc(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@pytest.fixture(scope="module", params=sorted(SPECS))
def output(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Output]:
    """Send every kind of request to each service, without its platform, and return the output of the service."""
    output = Output()
    data = tmp_path_factory.mktemp("data")
    (data / "storage_state.json").write_text(
        json.dumps({"cookies": [{"name": "session", "value": SECRET, "domain": "127.0.0.1", "path": "/"}]})
    )
    prefix = request.param.upper().replace("-", "_")
    # Every variable of the kit that holds a secret must be here, with the variables that make the kit use it.
    environment = {
        **dict.fromkeys(SPECS[request.param].get("secrets", {}), SECRET),
        "LOG_LEVEL": "debug",
        "DYBER_DATA": str(data),
        "DYBER_REDIS_HOST": "127.0.0.1",
        "DYBER_REDIS_PORT": str(free_port()),
        "DYBER_REDIS_PASSWORD": SECRET,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRET}",
        # These variables are of template, of the services that add-service makes, and of those with a platform's API.
        f"{prefix}_UPSTREAM_URL": f"http://127.0.0.1:{free_port()}/feed.json",
        f"{prefix}_BASE_URL": f"http://127.0.0.1:{free_port()}",
        f"{prefix}_API_URL": f"http://127.0.0.1:{free_port()}",
        f"{prefix}_INTERVAL_SECONDS": "0",
        f"{prefix}_JITTER_SECONDS": "0",
        "XHS_BASE_URL": f"http://127.0.0.1:{free_port()}",
        "XHS_INTERVAL_SECONDS": "0",
        "XHS_JITTER_SECONDS": "0",
        "MAX_CALL_SECONDS": "15",
        "CHROMIUM_PATH": chromium,
    }
    with process(SPECS[request.param]["package"], **environment) as (child, base):
        reader = threading.Thread(target=lambda: output.lines.extend(child.stdout))
        reader.start()
        with httpx2.Client(base_url=base, headers=SENT, timeout=60) as http:
            for path in ("/", "/health", "/ready", "/metrics", "/docs", "/openapi.json", "/nothing"):
                output.answers[path] = http.get(path).text
            for method in ("tools/list", "resources/list", "prompts/list"):
                output.answers[method] = http.post("/mcp", json=rpc(method)).text
            answer = output.answers["tools/list"]
            for tool in json.loads(answer.partition("data: ")[2] or answer)["result"]["tools"]:
                valid = minimal_arguments(tool["inputSchema"])
                invalid = {name: {"wrong": SECRET} for name in tool["inputSchema"]["properties"]}
                rejected = {**invalid, "undeclaredArgument": SECRET} if invalid else [SECRET]
                for kind, arguments in (("called", valid), ("refused", rejected)):
                    call = rpc("tools/call", name=tool["name"], arguments=arguments)
                    output.answers[f"{tool['name']} {kind}"] = http.post("/mcp", json=call).text
        child.terminate()
        reader.join(60)
    yield output


def test_no_answer_has_a_secret(output):
    assert [request_name for request_name, text in output.answers.items() if SECRET in text] == []


def test_no_log_line_has_a_secret(output):
    assert [line for line in output.lines if SECRET in line] == []


def test_the_tools_were_called_and_the_debug_log_was_written(output):
    refused = [text for request_name, text in output.answers.items() if request_name.endswith(" refused")]
    assert refused
    assert all("INVALID_ARGUMENT" in text for text in refused)
    assert any(json.loads(line)["level"] == "DEBUG" for line in output.lines)
