"""Tests calls from pages of web origins in a real browser, from the preflight to the response."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Error, Frame, Page, sync_playwright

from tests.gateway.conftest import started
from tests.gateway.support.gateway_under_test import ALPHA, CLIENT, SETTINGS, TOKEN, GatewayUnderTest, changed

#: A script like that of an MCP client. Pages can read the header with the session's id only if it is exposed to them.
CALL = """async ([url, token]) => {
    const answer = await fetch(url, {
        method: 'POST',
        headers: {
            'Authorization': `Bearer ${token}`, 'Content-Type': 'application/json', 'Accept': 'application/json',
            'MCP-Protocol-Version': '2026-07-28', 'Mcp-Session-Id': 'session-of-the-page', 'Mcp-Method': 'tools/call',
            'Mcp-Name': 'echo', 'Mcp-Param-Region': 'cn', 'traceparent': '00-1-2-3',
        },
        body: '{}',
    });
    return {
        status: answer.status,
        text: await answer.text(),
        session: answer.headers.get('Mcp-Session-Id'),
        request: answer.headers.get('X-Request-Id'),
    };
}"""
FIRST_EVENT = """async ([url, token]) => {
    const answer = await fetch(url, {headers: {'Authorization': `Bearer ${token}`, 'Last-Event-ID': '1'}});
    const first = await answer.body.getReader().read();
    return new TextDecoder().decode(first.value);
}"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a web site on this machine."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>client</title>")
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def allowing(gateway_image: str, origin: str) -> Iterator[GatewayUnderTest]:
    with started(gateway_image) as running:
        running.backend("alpha")
        running.configure(changed(SETTINGS, allowed_origins=(origin, "null")), (ALPHA,), (CLIENT,))
        yield running


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    path = shutil.which("chromium")
    assert path, "Chromium is missing: apt-get install -y chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def address(gateway: GatewayUnderTest, path: str) -> str:
    return f"http://127.0.0.1:{gateway.port(80)}{path}"


def called(frame: Page | Frame, gateway: GatewayUnderTest, token: str = TOKEN) -> dict[str, Any]:
    return frame.evaluate(CALL, [address(gateway, "/api/alpha/session"), token])


def test_a_page_of_an_allowed_origin_calls_with_every_header_of_the_protocol(
    page: Page, allowing: GatewayUnderTest, origin: str
) -> None:
    page.goto(origin)
    answer = called(page, allowing)
    seen = {name.lower(): value for name, value in json.loads(answer["text"])["headers"].items()}
    assert (answer["status"], seen["mcp-param-region"], seen["mcp-name"]) == (200, "cn", "echo")
    assert answer["session"]
    assert answer["request"]


def test_a_page_of_an_allowed_origin_reads_a_stream(page: Page, allowing: GatewayUnderTest, origin: str) -> None:
    page.goto(origin)
    event = page.evaluate(FIRST_EVENT, [address(allowing, "/api/alpha/events?count=2&every=60000"), TOKEN])
    assert event == "data: 0\n\n"


def test_a_page_of_an_allowed_origin_reads_why_it_is_refused(
    page: Page, allowing: GatewayUnderTest, origin: str
) -> None:
    page.goto(origin)
    answer = called(page, allowing, token="5e" * 32)
    assert (answer["status"], json.loads(answer["text"])["reason"]) == (401, "unknown_token")


def test_a_page_without_an_origin_calls_when_null_is_allowed(
    page: Page, allowing: GatewayUnderTest, origin: str
) -> None:
    page.goto(origin)
    page.set_content('<iframe sandbox="allow-scripts" srcdoc="<title>client</title>"></iframe>')
    frame = page.frames[-1]
    assert frame.evaluate("self.origin") == "null"
    assert called(frame, allowing)["status"] == 200


def test_a_page_of_another_origin_gets_no_response(page: Page, allowing: GatewayUnderTest, origin: str) -> None:
    page.goto(origin.replace("localhost", "127.0.0.1"))
    with pytest.raises(Error, match="Failed to fetch"):
        called(page, allowing)
