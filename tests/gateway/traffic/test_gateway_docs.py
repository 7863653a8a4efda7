"""Tests the documentation of services: with a token, or without one by a setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.gateway.conftest import started
from tests.gateway.support.gateway_under_test import (
    ALPHA,
    CLIENT,
    OTHER_TOKEN,
    SETTINGS,
    TOKEN,
    GatewayUnderTest,
    changed,
)

DOCUMENTS = ["/docs", "/docs/", "/docs/assets/swagger-ui-bundle.js", "/docs/assets/a.b-c_1.css", "/openapi.json",
             "/docs?theme=dark"]  # fmt: skip
ENTRANCES = [(80, "/api/alpha"), (443, "/api/alpha"), (8080, "/api/alpha"), (8080, "/alpha"), (9000, "")]
WRONG_TOKEN = "wrong" * 8


@pytest.fixture(scope="module")
def open_docs(gateway_image: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        running.backend("alpha")
        running.configure(changed(SETTINGS, open_docs=True, limits={"refused_per_minute": 3}), (ALPHA,), (CLIENT,))
        yield running


@pytest.mark.parametrize(("port", "prefix"), ENTRANCES)
@pytest.mark.parametrize("path", DOCUMENTS)
def test_open_documents_need_no_token(open_docs: GatewayUnderTest, port: int, prefix: str, path: str) -> None:
    seen = open_docs.seen(prefix + path, port=port, token=None, headers={"X-Dyber-Client": "desktop-pet"})
    assert seen["uri"] == path
    assert "x-dyber-client" not in seen["headers"]
    assert open_docs.request(prefix + path, port=port, method="HEAD", token=None).status == 200


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents_need_a_token_by_default(gateway: GatewayUnderTest, path: str) -> None:
    assert gateway.request(f"/api/alpha{path}", token=None).status == 401
    assert gateway.request(f"/api/alpha{path}").status == 200


def test_a_wrong_token_does_not_close_open_documents(open_docs: GatewayUnderTest) -> None:
    seen = open_docs.seen("/api/alpha/docs", token=OTHER_TOKEN)
    assert "x-dyber-client" not in seen["headers"]
    assert "authorization" not in seen["headers"]


def test_a_caller_with_a_good_token_is_still_identified(open_docs: GatewayUnderTest) -> None:
    assert open_docs.seen("/api/alpha/docs")["headers"]["x-dyber-client"] == "desktop-pet"


@pytest.mark.parametrize(
    ("method", "port", "path"),
    [
        ("POST", 80, "/api/alpha/docs"),
        ("DELETE", 80, "/api/alpha/openapi.json"),
        ("GET", 80, "/api/alpha/search"),
        ("GET", 80, "/api/alpha/docs2"),
        ("GET", 80, "/api/alpha/openapi.json/x"),
        ("GET", 80, "/api/alpha/x/docs"),
        ("GET", 80, "/api/alpha/x?/docs"),
        ("GET", 80, "/api/alpha/docs/../search"),
        ("GET", 80, "/api/alpha/docs/%2e%2e/search"),
        ("GET", 80, "/api/alpha/search/../docs"),
        ("GET", 80, "/api/alpha/DOCS"),
        ("GET", 9000, "/search/../docs"),
        ("GET", 9000, "//docs"),
        ("GET", 9000, "/docs/..%2fsearch"),
        ("GET", 9000, "/x/docs"),
    ],
)
def test_everything_else_needs_a_token(open_docs: GatewayUnderTest, method: str, port: int, path: str) -> None:
    # 429 means that the budget for callers without a token is used up; that is no response of the service either.
    assert open_docs.request(path, port=port, method=method, token=None).status in (401, 429)


@pytest.fixture
def fresh_docs(fresh_gateway: GatewayUnderTest) -> GatewayUnderTest:
    """A new gateway that allows one guess per minute."""
    fresh_gateway.backend("alpha")
    alpha = replace(ALPHA, requests_per_second=1000)
    fresh_gateway.configure(
        changed(SETTINGS, open_docs=True, limits={"refused_per_minute": 1, "burst": 1000}), (alpha,), (CLIENT,)
    )
    return fresh_gateway


def read(gateway: GatewayUnderTest, times: int, headers: dict[str, str]) -> list[int]:
    """Read the documentation over one connection; returns the statuses."""
    statuses = []
    with closing(gateway.connect(80)) as connection:
        for _ in range(times):
            connection.request("GET", "/api/alpha/docs", headers=headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    return statuses


def test_reading_open_documents_does_not_count_as_guesses(fresh_docs: GatewayUnderTest) -> None:
    assert set(read(fresh_docs, 30, {})) == {200}
    assert fresh_docs.request("/api/alpha/ready", token=WRONG_TOKEN).status == 401
    assert fresh_docs.request("/api/alpha/ready", token=WRONG_TOKEN).status == 429
    assert set(read(fresh_docs, 10, {})) == {200}


def test_an_address_that_reads_too_much_gets_429_and_good_tokens_do_not(fresh_docs: GatewayUnderTest) -> None:
    assert 429 in read(fresh_docs, 600, {})
    assert set(read(fresh_docs, 30, {"Authorization": f"Bearer {TOKEN}"})) == {200}
