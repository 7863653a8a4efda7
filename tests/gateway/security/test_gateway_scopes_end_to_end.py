"""Tests a token for one tool with real services behind the real gateway: no request makes another tool run."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from dyber_kit.contract import all_tools

from infra.rendering.gateway.model import GatewayClient, GatewayService
from tests.gateway.conftest import started
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import SETTINGS, TOKEN, GatewayUnderTest
from tests.gateway.support.relay import relay
from tests.stand_in.header_attacks import Target, bodies, dumped, header_attempts, replaced, serving
from tests.stand_in.running import free_port
from tests.stand_in.services import PACKAGES


@pytest.fixture(scope="module")
def gateway(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        yield running


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def target(request: pytest.FixtureRequest, gateway: GatewayUnderTest) -> Iterator[Target]:
    """Each service in mcp-servers/, for a client whose token allows one of its tools."""
    settings = replace(all_tools(free_port()), host="0.0.0.0")
    with serving(PACKAGES[request.param], settings) as service:
        relay(gateway, request.param, settings.port)
        described = GatewayService(
            request.param, 9000, "甲", 5, read_tools=(service.allowed,), write_tools=(service.wanted,),
            requests_per_second=10_000,
        )  # fmt: skip
        hashes = (hashlib.sha256(TOKEN.encode()).hexdigest(),)
        client = GatewayClient("narrow", hashes, {request.param: (service.allowed,)})
        gateway.configure(SETTINGS, (described,), (client,))
        service.base = f"http://127.0.0.1:{gateway.port(80)}"
        service.extra = [("Authorization", f"Bearer {TOKEN}")]
        service.prefix = f"/api/{request.param}"
        call = dumped(service.body(service.allowed))
        wait_until(lambda: service.send(call, service.headers) == 200, "the service is reached")
        yield service


def test_the_tool_of_the_token_runs(target: Target) -> None:
    target.called.clear()
    assert target.send(dumped(target.body(target.allowed)), target.headers) == 200
    assert target.called == [target.allowed]


def test_another_tool_is_forbidden(target: Target) -> None:
    target.called.clear()
    headers = replaced(target.headers, "Mcp-Name", target.wanted)
    assert target.send(dumped(target.body(target.wanted)), headers) == 403
    assert target.called == []


def test_no_body_and_no_header_makes_another_tool_run(target: Target) -> None:
    for attempt, body in bodies(target).items():
        target.send(body, target.headers)
        assert target.wanted not in target.called, attempt
    body = dumped(target.body(target.wanted))
    for attempt, headers in header_attempts(target).items():
        for sent in (body, gzip.compress(body)):
            target.send(sent, headers)
            assert target.wanted not in target.called, attempt
