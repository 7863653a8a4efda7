"""Tests of the HTTP routes of every service, and of the REST bodies of the first release."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx2
import pytest

from tests.stand_in.running import SERVERS, free_port


@pytest.fixture
async def http():
    async with httpx2.AsyncClient() as client:
        yield client


async def test_the_root_describes_the_service(template, http):
    about = (await http.get(f"{template}/")).json()
    assert about["service"] == "template-mcp"
    assert about["status"] == "running"
    assert about["version"] == "1.0.0"
    assert {"/test", "/async-test", "/mcp", "/mcp/sse", "/health"} <= set(about["endpoints"])


async def test_health_keeps_the_original_body(template, http):
    health = (await http.get(f"{template}/health")).json()
    assert set(health) == {"status", "service", "timestamp"}
    assert (health["status"], health["service"]) == ("healthy", "template-mcp")
    assert isinstance(health["timestamp"], float)


async def test_ready_answers_200_when_calls_can_be_served(template, http):
    answer = await http.get(f"{template}/ready")
    expected = {"status": "ready", "service": "template-mcp", "version": "1.0.0", "tools": 4}
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_test_keeps_the_original_envelope(template, http):
    answer = await http.post(f"{template}/test", json={"message": "hi"})
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"status", "service", "action", "data"}
    assert (body["status"], body["service"], body["action"]) == ("success", "template", "test_function")
    assert body["data"]["message"] == "Template response: hi"
    assert isinstance(body["data"]["timestamp"], float)


async def test_async_test_uses_its_default_for_an_empty_object(template, http):
    body = (await http.post(f"{template}/async-test", json={})).json()
    assert body["action"] == "async_test_function"
    assert body["data"] == {"data": "Template async response: Test", "processed": True}


@pytest.mark.parametrize("path", ["/test", "/async-test"])
async def test_a_body_that_is_not_an_object_gets_422(template, http, path):
    assert (await http.post(f"{template}{path}", json=["x"])).status_code == 422


async def test_metrics_count_calls_by_tool_and_outcome(template, http):
    await http.post(f"{template}/test", json={})
    text = (await http.get(f"{template}/metrics")).text
    assert 'mcp_tool_calls_total{outcome="ok",service="template",tool="rest:test_function"}' in text
    assert 'mcp_tool_seconds_count{service="template",tool="rest:test_function"}' in text
    assert "process_resident_memory_bytes" in text


async def test_a_valid_request_id_is_kept(template, http):
    answer = await http.get(f"{template}/health", headers={"X-Request-Id": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"


async def test_a_malformed_request_id_is_replaced(template, http):
    answer = await http.get(f"{template}/health", headers={"X-Request-Id": 'x" injected'})
    assert len(answer.headers["x-request-id"]) == 32


async def test_an_unknown_path_gets_404(template, http):
    assert (await http.get(f"{template}/nothing")).status_code == 404


def run_healthcheck(port: int) -> subprocess.CompletedProcess[str]:
    """Run the container's health check as the engine does, but with this Python."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(SERVERS / "healthcheck")],
        env={**os.environ, "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_healthcheck_passes_on_a_ready_server(template):
    result = run_healthcheck(int(template.rsplit(":", 1)[1]))
    assert result.returncode == 0, result.stderr


def test_the_healthcheck_fails_without_a_server():
    assert run_healthcheck(free_port()).returncode == 1


@pytest.mark.parametrize("service", [spec.parent.name for spec in SERVERS.glob("*/service.yaml")])
def test_every_service_pins_its_packages(service):
    for line in (SERVERS / service / "requirements.txt").read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            assert "==" in line, line


def test_a_service_and_the_kit_pin_the_same_versions_of_shared_packages():
    def pins(folder: str) -> dict[str, str]:
        lines = (SERVERS / folder / "requirements.txt").read_text().splitlines()
        pairs = [line.split(";")[0].strip(" \\").split("==") for line in lines if "==" in line and line[0] not in " #"]
        return dict(pairs)

    kit, service = pins("kit"), pins("xiaohongshu")
    assert {name: service[name] for name in kit.keys() & service} == {name: kit[name] for name in kit.keys() & service}
    assert json.dumps(sorted(service)).count("playwright") == 1
