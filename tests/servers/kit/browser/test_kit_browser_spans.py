"""Tests that the steps of a visit with a real Chromium are spans, without anything that the page shows."""

from __future__ import annotations

import anyio
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.visits import visiting
from dyber_kit.observing import tracing

from tests.servers.kit.browser.conftest import INN
from tests.servers.kit.observing.spans_taken import children_of, named, spans_taken


async def test_the_steps_of_a_visit_are_spans_of_its_call(chromium, inn):
    pool = BrowserPool(BrowserSettings(chromium_path=chromium))
    async with pool.running():
        with spans_taken() as spans, tracing.request_span("call", {}) as call:
            async with (
                pool.page() as page,
                visiting(page, INN, f"{inn.base}/posts?case=", {"list": ["list"]}, 20) as visit,
            ):
                await visit.until(lambda snapshot: snapshot["state"]["list"])
    assert children_of(call, spans) == ["browser page"]
    page_span = named("browser page", spans)
    assert children_of(page_span, spans) == ["browser new page", "browser open", "browser read", "browser close page"]
    opened = named("browser open", spans)
    assert opened.attributes == {"server.address": "127.0.0.1", "http.response.status_code": 200}
    # Servers of other tests run in this process too, and make spans of their own.
    assert {span.trace_id for span in spans if span.name.startswith("browser")} == {call.trace_id}


async def test_the_wait_for_the_browser_is_a_span(chromium, inn):
    pool = BrowserPool(BrowserSettings(chromium_path=chromium, max_pages=1))
    async with pool.running():
        with spans_taken() as spans:

            async def use(name: str) -> None:
                with tracing.request_span(name, {}):
                    async with pool.page():
                        await anyio.sleep(0.05)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(use, "first")
                tasks.start_soon(use, "second")
    waits = [span for span in spans if span.name == "queue browser"]
    assert len(waits) == 1
    assert named("second", spans).span_id == waits[0].parent_id
