"""Tests the limits of a caller, and that exceeding them does not affect others."""

from __future__ import annotations

import functools
import hashlib
import http.client
import itertools
import select
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infra.rendering.gateway.model import GatewayClient
from tests.gateway.conftest import started
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import (
    ABSENT,
    ALPHA,
    CLIENT,
    HUNG,
    OTHER_TOKEN,
    SETTINGS,
    TOKEN,
    Answer,
    changed,
)
from tests.gateway.support.gateway_under_test import GatewayUnderTest as Gateway

OTHER_HASH = (hashlib.sha256(OTHER_TOKEN.encode()).hexdigest(),)
WRONG_TOKEN = "wrong" * 8
BURST = 5


@dataclass
class Limited:
    """A gateway whose counts begin at zero in each test, with a new client and a new budget for guesses.

    The limits are a call per second with a burst of five, more for hung, and two streams.
    """

    gateway: Gateway
    number: int

    @property
    def budget(self) -> int:
        return 6 + self.number

    @property
    def client(self) -> str:
        return f"pet-{self.number}"

    def configure(self, *, requests_per_second: int = 1, **changes: int) -> None:
        limits = {"burst": BURST, "streams_per_client": 2, "refused_per_minute": self.budget}
        services = (
            replace(ALPHA, requests_per_second=requests_per_second),
            replace(HUNG, requests_per_second=9),
            ABSENT,
        )
        clients = (GatewayClient(self.client, CLIENT.token_sha256), GatewayClient(f"other-{self.number}", OTHER_HASH))
        settings = changed(SETTINGS, breaker={"failures": 1000}, limits={**limits, **changes})
        self.gateway.configure(settings, services, clients)

    def request(self, path: str, **options: Any) -> Answer:
        return self.gateway.request(path, **options)


@pytest.fixture(scope="module")
def with_backends(gateway_image: str) -> Iterator[Gateway]:
    with started(gateway_image) as running:
        running.backend("alpha")
        running.backend("hung")
        # The ports are read from the engine only once, because meanwhile a limit forgets a call per second.
        running.port = functools.cache(running.port)
        yield running


NUMBERS = itertools.count()


@pytest.fixture
def limited(with_backends: Gateway) -> Limited:
    fresh = Limited(with_backends, next(NUMBERS))
    fresh.configure()
    return fresh


def repeated(times: int, ask: Callable[[], Answer]) -> tuple[list[int], float]:
    """Make requests one after the other; returns their statuses and the seconds that they took."""
    begun = time.monotonic()
    return [ask().status for _ in range(times)], time.monotonic() - begun


def used_up(limited: Limited, path: str, **options: Any) -> bool:
    """Tell whether the limit refuses now. One or two calls may pass, as limits forget with time, but no burst."""
    return 429 in repeated(3, lambda: limited.request(path, **options))[0]


def assert_limited(answer: Answer) -> None:
    body = answer.json()
    assert (answer.status, body["status"], body["code"]) == (429, "error", "rate_limited")
    assert answer.headers.get_all("Retry-After") == ["1"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-Id"] == body["request_id"]


def test_calls_beyond_the_rate_and_the_burst_get_429_json(limited: Limited) -> None:
    statuses, seconds = repeated(30, lambda: limited.request("/api/alpha/ready"))
    assert set(statuses) == {200, 429}
    assert BURST + 1 <= statuses.count(200) <= BURST + 2 + seconds


def test_a_refusal_says_when_to_try_again(limited: Limited) -> None:
    answers = [limited.request("/api/alpha/ready") for _ in range(BURST + 10)]
    refused_answer = next(answer for answer in answers if answer.status == 429)
    assert_limited(refused_answer)
    assert refused_answer.json()["service"] == "alpha"


def test_a_call_beyond_the_limit_does_not_reach_the_service(limited: Limited) -> None:
    numbers = range(BURST + 10)
    statuses = [limited.request("/api/alpha/x", headers={"X-Request-Id": f"limit-test-{n}"}).status for n in numbers]
    entry = limited.gateway.logged(f"limit-test-{statuses.index(429)}")
    assert (entry["error"], entry["client"], entry["service"]) == ("rate_limited", limited.client, "alpha")
    assert entry["upstream"] == ""


def test_a_limit_counts_calls_on_all_ports_together(limited: Limited) -> None:
    repeated(BURST + 4, lambda: limited.request("/api/alpha/ready"))
    for port, path in ((443, "/api/alpha/ready"), (8080, "/alpha/ready"), (9000, "/ready")):
        assert used_up(limited, path, port=port)


def test_a_used_up_limit_does_not_affect_other_clients_and_services(limited: Limited) -> None:
    repeated(BURST + 4, lambda: limited.request("/api/alpha/ready"))
    assert used_up(limited, "/api/alpha/ready")
    assert limited.request("/api/alpha/ready", token=OTHER_TOKEN).status == 200
    assert 429 not in repeated(BURST + 1, lambda: limited.request("/api/absent/x"))[0]
    assert limited.request("/health").status == 200


def test_a_call_that_the_gateway_sends_again_counts_once(limited: Limited) -> None:
    settings = changed(SETTINGS, limits={"burst": 2}, breaker={"failures": 1000})
    client = GatewayClient("again", CLIENT.token_sha256)
    limited.gateway.configure(settings, (replace(ABSENT, requests_per_second=1),), (client,))
    assert repeated(3, lambda: limited.request("/api/absent/x"))[0] == [502, 502, 502]


def test_guesses_of_a_token_get_429_once_the_budget_is_used_up(limited: Limited) -> None:
    statuses, seconds = repeated(limited.budget + 20, lambda: limited.request("/api/alpha/ready", token=WRONG_TOKEN))
    assert set(statuses) == {401, 429}
    assert statuses[: limited.budget] == [401] * limited.budget
    assert statuses.count(401) <= limited.budget * (1 + seconds / 60) + 1


def test_guesses_are_counted_together_over_all_services_ports_and_kinds(limited: Limited) -> None:
    for path, token in (
        ("/api/alpha/x", None),
        ("/api/hung/x", WRONG_TOKEN),
        ("/api/absent/x", "a" * 20),
    ) * limited.budget:
        limited.request(path, token=token, headers={"X-Forwarded-For": "8.8.8.8", "X-Real-IP": "8.8.8.8"})
    for port, path in ((80, "/api/alpha/x"), (443, "/api/hung/x"), (8080, "/absent/x"), (9000, "/x")):
        assert used_up(limited, path, port=port, token=WRONG_TOKEN)


def test_a_good_token_is_not_affected_by_guesses_from_its_address(limited: Limited) -> None:
    repeated(limited.budget + 5, lambda: limited.request("/api/alpha/ready", token=WRONG_TOKEN))
    assert used_up(limited, "/api/alpha/ready", token=WRONG_TOKEN)
    assert limited.request("/api/alpha/ready").status == 200


def test_calls_with_a_good_token_do_not_count_as_guesses(limited: Limited) -> None:
    repeated(limited.budget + 5, lambda: limited.request("/api/alpha/ready"))
    assert limited.request("/api/alpha/ready", token=WRONG_TOKEN).status == 401


STREAMS = [
    ("GET", "/api/hung/mcp/sse", {}),
    ("GET", "/api/hung/mcp", {"Mcp-Session-Id": "1"}),
    ("POST", "/api/hung/mcp", {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"}),
]


def opened(limited: Limited, method: str, path: str, headers: dict[str, str]) -> http.client.HTTPConnection:
    """Open a stream on which the service sends nothing, if the gateway allows it."""
    connection = limited.gateway.connect(80)
    connection.request(method, path, headers={"Authorization": f"Bearer {TOKEN}", **headers})
    return connection


def answered(connections: list[http.client.HTTPConnection]) -> list[http.client.HTTPConnection]:
    """Return the connections that got a response, which only the gateway sends."""
    readable, _, _ = select.select([connection.sock for connection in connections], [], [], 0)
    return [connection for connection in connections if connection.sock in readable]


@contextmanager
def several(limited: Limited, streams: list, let_through: int) -> Iterator[tuple[list, list]]:
    """Open streams at once, wait for the expected number of refusals, and return the open and the refused ones."""
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(opened(limited, *stream))) for stream in streams]
        wait_until(lambda: len(answered(connections)) >= len(streams) - let_through, "the others are refused", 10)
        time.sleep(0.3)
        refused = answered(connections)
        assert len(refused) == len(streams) - let_through
        yield [connection for connection in connections if connection not in refused], refused


@pytest.mark.parametrize(("method", "path", "headers"), STREAMS)
def test_one_stream_too_many_gets_429_json(limited: Limited, method: str, path: str, headers: dict) -> None:
    with several(limited, [(method, path, headers)] * 3, let_through=2) as (_, refused):
        answer = refused[0].getresponse()
        assert_limited(Answer(answer.status, answer.headers, answer.read()))
        assert limited.request("/api/alpha/mcp/sse", token=OTHER_TOKEN).status == 200
        assert limited.request("/api/alpha/ready").status == 200
        assert limited.request("/api/alpha/mcp", method="POST", body=b"{}").status == 200


def test_streams_of_all_kinds_count_together(limited: Limited) -> None:
    with several(limited, STREAMS * 2, let_through=2) as (_, refused):
        assert {connection.getresponse().status for connection in refused} == {429}


def test_a_closed_stream_frees_its_place(limited: Limited) -> None:
    with several(limited, [STREAMS[0]] * 3, let_through=2) as (streams, _):
        assert limited.request("/api/alpha/mcp/sse").status == 429
        streams[0].close()
        # A stream that the service ends at once also takes a place.
        wait_until(lambda: limited.request("/api/alpha/mcp/sse").status == 200, "there is room again", 10)


def test_a_reload_applies_changed_limits(limited: Limited) -> None:
    limited.configure(requests_per_second=500, burst=50, streams_per_client=1, refused_per_minute=100)
    assert repeated(40, lambda: limited.request("/api/alpha/ready"))[0] == [200] * 40
    assert repeated(40, lambda: limited.request("/api/alpha/ready", token=WRONG_TOKEN))[0] == [401] * 40
    with several(limited, [STREAMS[0]] * 3, let_through=1):
        pass
    # A new number begins a new count, so no other test uses this number.
    limited.configure(burst=1, refused_per_minute=1)
    assert 429 in repeated(10, lambda: limited.request("/api/alpha/ready"))[0]
    assert 429 in repeated(10, lambda: limited.request("/api/alpha/ready", token=WRONG_TOKEN))[0]


def test_the_counts_of_limits_survive_a_reload(limited: Limited) -> None:
    repeated(limited.budget + 5, lambda: limited.request("/api/alpha/ready", token=WRONG_TOKEN))
    limited.configure(streams_per_client=3)
    assert used_up(limited, "/api/alpha/ready", token=WRONG_TOKEN)


def test_a_refusal_by_a_limit_is_not_in_the_error_log(limited: Limited) -> None:
    repeated(limited.budget + 5, lambda: limited.request("/api/alpha/ready?key=limit-test-secret", token=WRONG_TOKEN))
    assert "limit-test-secret" not in limited.gateway.logs()[1]
