"""Takes in the spans of a real service, and shows them as the parts of its call."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from playwright.sync_api import expect

from tests.console.conftest import Visit
from tests.console.support import records
from tests.console.support.running import RunningConsole
from tests.stand_in.running import process

WAIT = 30_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GATEWAY_SPAN, CALLER = "b7ad6b7169203331", "00f067aa0ba902b7"
REQUEST = "real-call-of-the-template"


async def call_echo(base: str) -> None:
    async with httpx2.AsyncClient(timeout=30) as http:
        async with Client(streamable_http_client(f"{base}/mcp", http_client=http)) as client:
            await client.list_tools()  # The client would ask for it after the call.
            http.headers["traceparent"] = f"00-{TRACE}-{GATEWAY_SPAN}-01"  # As the gateway tells it.
            result = await client.call_tool("template_echo", {"text": "hello"})
            assert not result.is_error


def test_a_call_of_a_real_service_has_its_tool_outcome_and_spans(
    fresh: RunningConsole, visit: Callable[..., Visit]
) -> None:
    opened = visit(fresh)
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{fresh.settings.spans_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with process("template_server", **variables) as (_, base):
        started = time.time()
        # Playwright's event loop is on this thread.
        thread = threading.Thread(target=lambda: asyncio.run(call_echo(base)))
        thread.start()
        thread.join(60)
        seconds = time.time() - started
        fresh.send_line(
            records.log_line(
                time.time(), seconds, "template", "", "phone", mcp_method="", request_id=REQUEST,
                traceparent=f"00-{TRACE}-{GATEWAY_SPAN}-01", parent_span=CALLER, msec=time.time(),
            )
        )  # fmt: skip
        opened.open(f"calls/{REQUEST}")
        expect(opened.page.locator(".wf")).to_contain_text("tools/call template_echo", timeout=WAIT)
    opened.open(f"calls/{REQUEST}")
    expect(opened.page.locator("h1")).to_have_text("template_echo")
    expect(opened.page.locator(".call-sum")).to_contain_text("Succeeded")
    names = opened.page.locator(".wf-name > span").all_text_contents()
    assert names == ["POST /api/template/mcp", "try 1 → 172.20.0.3:8001", "tools/call template_echo"]
    expect(opened.page.locator(".split-bar .legend")).to_contain_text("Service")
