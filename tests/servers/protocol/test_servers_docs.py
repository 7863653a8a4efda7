"""Tests of /docs in a real browser that can reach only the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Page, Route, async_playwright

PREFIX = "/api/template"


@pytest.fixture
async def http(template):
    async with httpx2.AsyncClient(base_url=template) as client:
        yield client


@pytest.fixture
async def page(chromium) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield await browser.new_page()
        await browser.close()


async def open_docs(page: Page, base: str, prefix: str) -> tuple[set[str], list[httpx2.Request]]:
    """Open the docs through a gateway with this prefix; return the requested hosts and the calls of the page."""
    hosts: set[str] = set()
    calls: list = []

    async def pass_on(route: Route) -> None:
        address = urlsplit(route.request.url)
        hosts.add(address.netloc)
        if address.netloc != urlsplit(base).netloc or not address.path.startswith(prefix):
            await route.abort()
            return
        if route.request.method == "POST":
            calls.append(route.request)
        headers = {**await route.request.all_headers(), "X-Forwarded-Prefix": prefix}
        await route.fulfill(response=await route.fetch(url=base + address.path.removeprefix(prefix), headers=headers))

    await page.route(lambda url: url.startswith("http"), pass_on)
    await page.goto(f"{base}{prefix}/docs")
    await page.get_by_role("button", name="Authorize").first.wait_for()
    return hosts, calls


@pytest.mark.parametrize("prefix", ["", PREFIX])
async def test_the_page_shows_the_routes_and_loads_nothing_from_other_hosts(template, page, prefix):
    hosts, _ = await open_docs(page, template, prefix)
    await page.get_by_text("/async-test", exact=True).wait_for()
    assert hosts == {urlsplit(template).netloc}


async def test_a_call_tried_in_the_page_carries_the_token_and_the_prefix(template, page):
    _, calls = await open_docs(page, template, PREFIX)
    await page.get_by_role("button", name="Authorize").first.click()
    await page.get_by_role("textbox").fill("secret-token")
    await page.locator(".auth-btn-wrapper .authorize").click()
    await page.locator(".auth-btn-wrapper .btn-done").click()
    await page.get_by_text("/async-test", exact=True).click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()
    await page.locator(".live-responses-table .response-col_status", has_text="200").wait_for()
    assert [urlsplit(call.url).path for call in calls] == [f"{PREFIX}/async-test"]
    assert (await calls[0].all_headers())["authorization"] == "Bearer secret-token"


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"])
async def test_browsers_may_cache_the_files_of_the_page(http, name):
    first = await http.get(f"/docs/assets/{name}", headers={"X-Forwarded-Prefix": PREFIX})
    second = await http.get(f"/docs/assets/{name}", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, second.status_code) == (200, 304)


@pytest.mark.parametrize("path", ["/docs/assets/../__init__.py", "/docs/assets/%2e%2e/__init__.py", "/redoc"])
async def test_files_outside_the_assets_folder_are_not_served(http, path):
    assert (await http.get(path)).status_code == 404


async def test_the_schema_asks_for_the_bearer_token(http):
    schema = (await http.get("/openapi.json")).json()
    assert schema["info"]["title"] == "模板 MCP"
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert schema["security"] == [{"token": []}]
