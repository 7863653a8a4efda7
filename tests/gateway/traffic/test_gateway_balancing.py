"""Tests several containers of a service: calls spread over those that answer, sessions stay, reads are sent again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from infra.rendering.gateway.model import GatewayService
from tests.gateway.support.calls import CALLERS, READ_HEADERS, arrived, calling, lost, wait_until_reached
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import SETTINGS, TOKEN, GatewayUnderTest, changed

REPLICAS = 3
ALPHA = GatewayService(
    "alpha", 9000, "甲", 5, replicas=REPLICAS, read_tools=("alpha_search", "alpha.read", "alpha_qrcode"),
    write_tools=("alpha_post",), once_tools=("alpha_qrcode",), requests_per_second=100_000,
)  # fmt: skip
#: Seconds in which the gateway notices a container that hangs.
FOUND_OUT = 4
HANGS = 6


@pytest.fixture
def replicas(own_gateway: GatewayUnderTest) -> list[str]:
    """Names of the running containers of alpha, in the order of their numbers."""
    names = [own_gateway.backend("alpha", number) for number in range(1, REPLICAS + 1)]
    own_gateway.configure(services=(ALPHA,))
    wait_until_reached(own_gateway, REPLICAS)
    wait_until(lambda: replicas_ready(own_gateway) == REPLICAS, "every replica is ready")
    return names


def replicas_ready(gateway: GatewayUnderTest) -> int:
    return gateway.request("/api/status").json()["details"]["alpha"]["replicas"]["ready"]


def test_calls_spread_over_all_replicas(own_gateway: GatewayUnderTest, replicas: list[str]) -> None:
    counts = Counter(own_gateway.seen("/api/alpha/")["container"] for _ in range(60))
    assert len(counts) == len(replicas)
    assert min(counts.values()) >= 10


def test_a_streamable_session_stays_with_its_container(own_gateway: GatewayUnderTest, replicas: list[str]) -> None:
    sessions = []
    for _ in range(2 * len(replicas)):
        answer = own_gateway.request("/api/alpha/session", method="POST", body=b"{}")
        sessions.append((answer.headers["Mcp-Session-Id"], answer.json()["container"]))
    assert len({container for _, container in sessions}) == len(replicas)
    for session, container in sessions * 3:
        headers = {"Mcp-Session-Id": session}
        assert own_gateway.seen("/api/alpha/mcp", method="POST", headers=headers)["container"] == container


def test_an_event_stream_session_stays_with_its_container(own_gateway: GatewayUnderTest, replicas: list[str]) -> None:
    for _ in range(len(replicas)):
        connection = own_gateway.connect(80)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connection.request("GET", "/api/alpha/session?count=2&every=60000", headers=headers)
        session = connection.getresponse().headers["X-Dyber-Session"]
        path = f"/api/alpha/mcp/messages/?session_id={session}"
        containers = {own_gateway.seen(path, method="POST")["container"] for _ in range(6)}
        assert containers == {session.split("-")[0]}
        connection.close()


def test_a_session_outlives_a_new_configuration(own_gateway: GatewayUnderTest, replicas: list[str]) -> None:
    answer = own_gateway.request("/api/alpha/session", method="POST", body=b"{}")
    own_gateway.configure(services=(ALPHA, GatewayService("beta", 9001, "乙", 5)))
    headers = {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
    containers = {own_gateway.seen("/api/alpha/mcp", headers=headers)["container"] for _ in range(6)}
    assert containers == {answer.json()["container"]}


def test_an_unknown_session_is_served_by_any_container(own_gateway: GatewayUnderTest, replicas: list[str]) -> None:
    headers = {"Mcp-Session-Id": "never-heard-of-it"}
    assert len({own_gateway.seen("/api/alpha/", headers=headers)["container"] for _ in range(12)}) == len(replicas)


def test_the_session_of_a_lost_container_goes_to_another(own_gateway: GatewayUnderTest, replicas: list[str]) -> None:
    answer = own_gateway.request("/api/alpha/session", method="POST", body=b"{}")
    lost_one = next(
        name
        for name in replicas
        if docker("inspect", "--format", "{{.Config.Hostname}}", name) == answer.json()["container"]
    )
    own_gateway.remove_backend(lost_one, grace_seconds=0)
    headers = {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
    # A real server answers 404, and the client then begins a new session.
    assert own_gateway.seen("/api/alpha/mcp", headers=headers)["container"] != answer.json()["container"]


def test_a_hung_container_gets_no_new_calls_and_no_call_is_lost(
    own_gateway: GatewayUnderTest, replicas: list[str]
) -> None:
    with calling(own_gateway) as calls:
        time.sleep(0.5)
        hung_at = time.monotonic()
        docker("pause", replicas[0])
        time.sleep(HANGS)
        before_it_goes_on = time.monotonic()
        ready = replicas_ready(own_gateway)
        docker("unpause", replicas[0])
        wait_until(lambda: replicas_ready(own_gateway) == REPLICAS, "all are ready again")
    assert ready == REPLICAS - 1
    assert lost(calls) == []
    assert arrived(*replicas) == Counter(call.name for call in calls)
    later = [call for call in calls if hung_at + FOUND_OUT < call.begun < before_it_goes_on - 1]
    # If all callers were waiting for it already, there are no new calls here; the next test covers that.
    assert [call for call in later if call.ended > before_it_goes_on] == []


def test_calls_avoid_a_hung_container(own_gateway: GatewayUnderTest, replicas: list[str]) -> None:
    docker("pause", replicas[0])
    try:
        time.sleep(FOUND_OUT)
        counts = Counter(own_gateway.seen("/api/alpha/")["container"] for _ in range(60))
    finally:
        docker("unpause", replicas[0])
    assert len(counts) == REPLICAS - 1
    assert min(counts.values()) >= 10


def test_calls_are_still_passed_on_when_no_container_is_ready(
    own_gateway: GatewayUnderTest, replicas: list[str]
) -> None:
    for name in replicas:
        docker("exec", name, "touch", "/tmp/not-ready")
    wait_until(lambda: own_gateway.request("/api/status").json()["services"]["alpha"] == "unhealthy", "none is ready")
    assert {own_gateway.seen("/api/alpha/")["container"] for _ in range(30)} == {
        docker("inspect", "--format", "{{.Config.Hostname}}", name) for name in replicas
    }


def test_killing_a_container_loses_no_read_and_repeats_no_write(
    own_gateway: GatewayUnderTest, replicas: list[str]
) -> None:
    slow = "/api/alpha/slow"
    with calling(own_gateway, READ_HEADERS, slow, "read") as reads, calling(own_gateway, {}, slow, "write") as writes:
        for name in replicas[:2]:
            time.sleep(1)
            docker("kill", name)
        time.sleep(1)
    came = arrived(*replicas)
    assert lost(reads) == []
    assert [call for call in writes if came[call.name] > 1] == []
    # Only calls in flight at a container when it was killed may be lost.
    assert len(lost(writes)) <= 2 * CALLERS


@pytest.fixture(scope="module")
def one_container(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """A gateway with one container of alpha and a breaker that does not open."""
    running = GatewayUnderTest(gateway_image)
    try:
        running.start()
        running.backend("alpha")
        running.configure(changed(SETTINGS, breaker={"failures": 1000}), services=(replace(ALPHA, replicas=1),))
        wait_until_reached(running, 1)
        yield running
    finally:
        running.stop()


def modern(method: str, name: str = "") -> dict[str, str]:
    return {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, **({"Mcp-Name": name} if name else {})}


@pytest.mark.parametrize(
    ("headers", "attempts"),
    [
        (modern("server/discover"), 2),
        (modern("tools/list"), 2),
        (modern("resources/templates/list"), 2),
        (modern("prompts/get", "anything"), 2),
        (modern("resources/read", "notes://1"), 2),
        (modern("tools/call", "alpha_search"), 2),
        (modern("tools/call", "alpha.read"), 2),
        # It only reads, but is declared as not repeatable.
        (modern("tools/call", "alpha_qrcode"), 1),
        (modern("tools/call", "alpha_post"), 1),
        (modern("tools/call", "alphaXread"), 1),
        (modern("tools/call", "ALPHA_SEARCH"), 1),
        (modern("tools/call"), 1),
        (modern("subscriptions/listen"), 1),
        (modern("tools/listed"), 1),
        ({**modern("tools/list"), "MCP-Protocol-Version": "2025-11-25"}, 1),
        ({"Mcp-Method": "tools/list"}, 1),
        ({}, 1),
    ],
    ids=lambda value: "-".join(value.values()) or "nothing" if isinstance(value, dict) else str(value),
)
def test_only_a_call_that_reads_and_may_be_repeated_is_sent_again_when_its_connection_breaks(
    one_container: GatewayUnderTest, headers: dict[str, str], attempts: int
) -> None:
    marker = f"broken-{time.monotonic_ns()}"
    answer = one_container.request(f"/api/alpha/break?{marker}", method="POST", body=b"{}", headers=headers)
    assert answer.status == 502
    # The engine writes the log of a container with some delay.
    wait_until(lambda: docker("logs", one_container.others[0]).count(marker) >= attempts, "the calls are in the log")
    assert docker("logs", one_container.others[0]).count(marker) == attempts
