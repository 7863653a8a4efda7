"""Tests that services and the log are told the gateway's span of a request when something makes spans of the log."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from infra.rendering.gateway.model import GatewayConsole
from tests.gateway.conftest import started
from tests.gateway.support.gateway_under_test import ALPHA, GatewayUnderTest

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def spanning(gateway_image: str) -> Iterator[GatewayUnderTest]:
    """A gateway with a console, which tests must not change."""
    with started(gateway_image) as running:
        running.backend("alpha")
        running.configure(services=(ALPHA,), console=GatewayConsole())
        yield running


def told(gateway: GatewayUnderTest, request_id: str, **headers: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers that reached the service, and the line of the log."""
    sent = {"X-Request-Id": request_id, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return gateway.seen("/api/alpha/", headers=sent)["headers"], gateway.logged(request_id)


@pytest.mark.parametrize("flags", ["00", "01"])
def test_the_parent_of_the_services_spans_is_the_gateways_span(spanning: GatewayUnderTest, flags: str) -> None:
    seen, entry = told(spanning, f"spans-caller-{flags}", traceparent=f"00-{TRACE}-{CALLER}-{flags}")
    assert seen["traceparent"] == entry["traceparent"]
    version, trace, span, passed_flags = seen["traceparent"].split("-")
    assert (version, trace, passed_flags) == ("00", TRACE, flags)
    assert span != CALLER
    assert entry["parent_span"] == CALLER
    assert seen["x-dyber-span"] == span


def test_a_request_without_a_trace_begins_one(spanning: GatewayUnderTest) -> None:
    for number, headers in enumerate(({}, {"traceparent": f"00-{'0' * 32}-{CALLER}-01"}, {"traceparent": "nonsense"})):
        seen, entry = told(spanning, f"spans-new-{number}", **headers)
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", seen["traceparent"])
        assert seen["traceparent"] == entry["traceparent"]
        assert entry["parent_span"] == ""


def test_every_request_has_a_span_of_its_own(spanning: GatewayUnderTest) -> None:
    spans = {
        told(spanning, f"spans-own-{number}", traceparent=f"00-{TRACE}-{CALLER}-01")[0]["x-dyber-span"]
        for number in range(5)
    }
    assert len(spans) == 5


@pytest.mark.parametrize("console", [GatewayConsole(), GatewayConsole(takes_spans=False), None])
def test_callers_cannot_set_the_gateways_span(own_gateway: GatewayUnderTest, console: GatewayConsole | None) -> None:
    own_gateway.backend("alpha")
    own_gateway.configure(services=(ALPHA,), console=console)
    seen = own_gateway.seen("/api/alpha/", headers={"X-Dyber-Span": CALLER})["headers"]
    assert seen.get("x-dyber-span") != CALLER
    assert ("x-dyber-span" in seen) is (console is not None and console.takes_spans)


def test_the_log_has_the_time_in_milliseconds(spanning: GatewayUnderTest) -> None:
    entry = told(spanning, "spans-time")[1]
    assert re.fullmatch(r"\d+\.\d{3}", f"{entry['msec']:.3f}")
