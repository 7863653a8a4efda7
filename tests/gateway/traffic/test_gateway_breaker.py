"""Tests the breaker: it opens if a service does not answer, but not for any response of the service."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayService
from infra.settings.gateway import GatewaySettings
from tests.gateway.support.calls import wait_until_reached
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.gateway_under_test import (
    ALPHA,
    CLIENT,
    HUNG,
    SETTINGS,
    TOKEN,
    Answer,
    GatewayUnderTest,
    changed,
)

FAILURES = 3
QUICK = changed(SETTINGS, breaker={"failures": FAILURES, "seconds": 2})
#: Long enough for a breaker to stay open during a whole test.
LASTING = changed(QUICK, breaker={"seconds": 600})
BUSY = replace(ALPHA, requests_per_second=100_000)
#: Each test has its own service, because the breaker's state survives a configuration.
GONE = GatewayService("gone", 9003, "不在", 5)


def call(gateway: GatewayUnderTest, service: str, path: str = "/x") -> Answer:
    return gateway.request(f"/api/{service}{path}", method="POST", body=b"{}")


def state(gateway: GatewayUnderTest, service: str) -> str:
    return gateway.request("/api/status").json()["details"][service]["breaker"]


def gone(name: str) -> GatewayService:
    """Return a service of this name without a container."""
    return replace(GONE, name=name)


def opened(gateway: GatewayUnderTest, name: str, settings: GatewaySettings = LASTING) -> None:
    """Configure alpha and a service without containers, and call the latter until its breaker opens."""
    gateway.configure(settings, services=(BUSY, gone(name)))
    assert [call(gateway, name).status for _ in range(FAILURES)] == [502] * FAILURES
    wait_until(lambda: state(gateway, name) == "open", "the breaker is open", seconds=1.5)


def test_calls_in_a_row_without_an_answer_open_the_breaker(own_gateway: GatewayUnderTest) -> None:
    opened(own_gateway, "gone-a")
    answer = call(own_gateway, "gone-a")
    body = answer.json()
    assert (answer.status, body["code"], body["service"]) == (503, "circuit_open", "gone-a")
    assert 1 <= int(answer.headers["Retry-After"]) <= LASTING.breaker.seconds
    assert body["request_id"] == answer.headers["X-Request-Id"]


def test_a_refusal_does_not_wait_for_the_service(own_gateway: GatewayUnderTest) -> None:
    opened(own_gateway, "gone-b")
    request_id = "breaker-test-quick"
    own_gateway.request("/api/gone-b/x", headers={"X-Request-Id": request_id})
    entry = own_gateway.logged(request_id)
    assert (entry["status"], entry["error"], entry["breaker"]) == (503, "circuit_open", "open")
    assert entry["upstream"] == ""
    assert entry["seconds"] < 0.2


def test_the_other_services_are_not_affected(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    opened(own_gateway, "gone-c")
    wait_until_reached(own_gateway, 1)
    assert state(own_gateway, "alpha") == "closed"


def test_calls_without_a_good_token_do_not_see_the_breaker(own_gateway: GatewayUnderTest) -> None:
    opened(own_gateway, "gone-d")
    assert own_gateway.request("/api/gone-d/x", token="bb" * 32).status == 401


def test_refused_calls_do_not_keep_the_breaker_open(own_gateway: GatewayUnderTest) -> None:
    opened(own_gateway, "gone-e", QUICK)
    until = time.monotonic() + QUICK.breaker.seconds + 1
    seen = []
    while time.monotonic() < until:
        seen.append(call(own_gateway, "gone-e").status)
    assert 502 in seen[1:], "the trial never came"


def test_an_open_breaker_outlives_a_new_configuration(own_gateway: GatewayUnderTest) -> None:
    opened(own_gateway, "gone-f")
    own_gateway.configure(changed(LASTING, breaker={"failures": FAILURES + 1}), services=(BUSY, gone("gone-f"), HUNG))
    assert call(own_gateway, "gone-f").json()["code"] == "circuit_open"


def test_changed_settings_of_the_breaker_are_applied(own_gateway: GatewayUnderTest) -> None:
    opened(own_gateway, "gone-g")
    own_gateway.configure(changed(LASTING, breaker={"seconds": 1}), services=(BUSY, gone("gone-g")))
    wait_until(lambda: state(own_gateway, "gone-g") == "half-open", "half-open by the new settings")
    assert call(own_gateway, "gone-g").status == 502


@pytest.fixture
def recovering(own_gateway: GatewayUnderTest) -> str:
    """The container of alpha, which answers again while its breaker is half-open."""
    backend = own_gateway.backend("alpha")
    own_gateway.configure(QUICK, services=(BUSY,))
    wait_until_reached(own_gateway, 1)
    assert [call(own_gateway, "alpha", "/break").status for _ in range(FAILURES)] == [502] * FAILURES
    wait_until(lambda: state(own_gateway, "alpha") == "half-open", "half-open")
    return backend


def close(gateway: GatewayUnderTest) -> None:
    wait_until(lambda: call(gateway, "alpha").status == 200, "the breaker is closed")


def test_one_trial_reaches_the_service_and_closes_the_breaker(own_gateway: GatewayUnderTest, recovering: str) -> None:
    before = docker("logs", recovering).count("POST")
    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(lambda _: call(own_gateway, "alpha", "/slow?milliseconds=1500"), range(20)))
    statuses = Counter(answer.status for answer in answers)
    assert statuses == {200: 1, 503: 19}
    # The service's log may appear a moment after its response.
    wait_until(lambda: docker("logs", recovering).count("POST") == before + 1, "one trial is in the service's log")
    assert state(own_gateway, "alpha") == "closed"
    assert {call(own_gateway, "alpha").status for _ in range(20)} == {200}


def test_a_single_failed_trial_opens_the_breaker_again(own_gateway: GatewayUnderTest, recovering: str) -> None:
    before = docker("logs", recovering).count("POST")
    with ThreadPoolExecutor(20) as callers:
        statuses = Counter(callers.map(lambda _: call(own_gateway, "alpha", "/break").status, range(20)))
    assert statuses == {502: 1, 503: 19}
    assert docker("logs", recovering).count("POST") == before + 1
    close(own_gateway)


def test_a_failed_trial_opens_the_breaker_again(own_gateway: GatewayUnderTest, recovering: str) -> None:
    assert call(own_gateway, "alpha", "/break").status == 502
    wait_until(lambda: state(own_gateway, "alpha") == "open", "open again", seconds=1.5)
    assert call(own_gateway, "alpha").json()["code"] == "circuit_open"
    close(own_gateway)


def test_the_begin_of_a_stream_closes_the_breaker(own_gateway: GatewayUnderTest, recovering: str) -> None:
    connection = own_gateway.connect(80)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connection.request("GET", "/api/alpha/events?count=2&every=60000", headers=headers)
    assert connection.getresponse().status == 200
    wait_until(lambda: state(own_gateway, "alpha") == "closed", "closed while the stream is open")
    connection.close()


def test_after_a_trial_whose_caller_left_another_trial_is_allowed(
    own_gateway: GatewayUnderTest, recovering: str
) -> None:
    connection = own_gateway.connect(80)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connection.request("POST", "/api/alpha/slow?milliseconds=60000", headers=headers)
    time.sleep(0.5)
    connection.close()
    close(own_gateway)
    assert state(own_gateway, "alpha") == "closed"


@pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 503, 504])
def test_errors_that_the_service_itself_answers_never_open_the_breaker(gateway: GatewayUnderTest, status: int) -> None:
    wait_until(lambda: gateway.request("/api/alpha/ready").status == 200, "alpha is reached")
    count = SETTINGS.breaker.failures + 2
    answers = [call(gateway, "alpha", f"/answer?status={status}") for _ in range(count)]
    assert [answer.status for answer in answers] == [status] * count
    assert state(gateway, "alpha") == "closed"


def test_a_response_of_the_service_resets_the_count(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(LASTING, services=(BUSY,))
    wait_until_reached(own_gateway, 1)
    for _ in range(3):
        assert {call(own_gateway, "alpha", "/break").status for _ in range(FAILURES - 1)} == {502}
        assert call(own_gateway, "alpha").status == 200
    assert state(own_gateway, "alpha") == "closed"


def test_callers_that_disconnect_do_not_open_the_breaker(own_gateway: GatewayUnderTest) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(LASTING, services=(BUSY,))
    wait_until_reached(own_gateway, 1)
    for number in range(FAILURES + 2):
        connection = own_gateway.connect(80)
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Id": f"breaker-test-left-{number}"}
        connection.request("POST", "/api/alpha/slow?milliseconds=20000", headers=headers)
        time.sleep(0.2)
        connection.close()
        assert own_gateway.logged(f"breaker-test-left-{number}")["status"] == 499
    assert state(own_gateway, "alpha") == "closed"


def test_calls_that_take_too_long_open_the_breaker(own_gateway: GatewayUnderTest) -> None:
    stuck = replace(HUNG, name="stuck")
    own_gateway.backend("stuck")
    files = render(LASTING, [stuck], [CLIENT])
    limit = f"proxy_read_timeout {HUNG.read_timeout_seconds}s;"
    files["servers.conf"] = files["servers.conf"].replace(limit, "proxy_read_timeout 300ms;")
    assert own_gateway.load(files).exit_code == 0
    wait_until(lambda: own_gateway.request("/api/status").json()["details"]["stuck"]["code"] == 504, "it is there")
    assert [call(own_gateway, "stuck").status for _ in range(FAILURES)] == [504] * FAILURES
    assert call(own_gateway, "stuck").json()["code"] == "circuit_open"


#: The breaker's own count never opens it, so that only a hung service does.
PATIENT = changed(SETTINGS, breaker={"failures": 1000, "seconds": 600})


def impatient(gateway: GatewayUnderTest, service: GatewayService) -> str:
    """Configure a service whose calls time out after 11 seconds instead of a minute; return its container."""
    backend = gateway.backend(service.name)
    files = render(PATIENT, [service], [CLIENT])
    limit = f"proxy_read_timeout {service.read_timeout_seconds}s;"
    files["servers.conf"] = files["servers.conf"].replace(limit, "proxy_read_timeout 11s;")
    assert gateway.load(files).exit_code == 0
    wait_until(lambda: call(gateway, service.name).status == 200, "it is called")
    wait_until(lambda: gateway.request("/api/status").json()["details"][service.name]["code"] == 200, "it is ready")
    return backend


def calls_at_once(gateway: GatewayUnderTest, service: str, path: str) -> list[int]:
    with ThreadPoolExecutor(2) as callers:
        return [answer.status for answer in callers.map(lambda _: call(gateway, service, path), range(2))]


def test_two_calls_of_a_hung_service_open_the_breaker_until_it_runs_again(own_gateway: GatewayUnderTest) -> None:
    backend = impatient(own_gateway, replace(BUSY, name="paused"))
    docker("pause", backend)
    try:
        assert calls_at_once(own_gateway, "paused", "/x") == [504, 504]
        assert call(own_gateway, "paused").json()["code"] == "circuit_open"
    finally:
        docker("unpause", backend)
    wait_until(lambda: call(own_gateway, "paused").status == 200, "the service is called again")
    assert state(own_gateway, "paused") == "closed"


@pytest.mark.parametrize("check", ["ready", "not-ready"])
def test_slow_calls_do_not_open_the_breaker_of_a_service_that_answers_checks(
    own_gateway: GatewayUnderTest, check: str
) -> None:
    backend = impatient(own_gateway, replace(BUSY, name=f"slow-{check}"))
    if check == "not-ready":
        docker("exec", backend, "touch", "/tmp/not-ready")
    assert calls_at_once(own_gateway, f"slow-{check}", "/slow?milliseconds=15000") == [504, 504]
    assert state(own_gateway, f"slow-{check}") == "closed"
    assert call(own_gateway, f"slow-{check}").status == 200


def test_a_service_that_becomes_ready_again_is_tried_at_once(own_gateway: GatewayUnderTest) -> None:
    opened(own_gateway, "gone-back", LASTING)
    own_gateway.backend("gone-back")
    wait_until(lambda: call(own_gateway, "gone-back").status == 200, "the service is called again")
    assert state(own_gateway, "gone-back") == "closed"
