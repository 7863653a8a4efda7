"""Tests that the example of a website in the kit's README works as it is printed, in a real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_kit import Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from mcp import Client

from tests.stand_in.running import StandIn, free_port, running
from tests.support.readme_examples import module_of


@pytest.fixture
def service(inn: StandIn, chromium: str, tmp_path: Path) -> Iterator[str]:
    """Return the base URL of the running example."""
    module = module_of("一个用浏览器的平台", tmp_path, "readme_website")
    config = module.InnSettings(
        base_url=inn.base, interval_seconds=0, jitter_seconds=0, page_seconds=20, login_seconds=30
    )
    app = module.build_app(Settings(port=free_port(), data_dir=tmp_path), config, BrowserSettings(chromium))
    with running(build_server(app)) as base:
        yield base


async def test_the_example_logs_an_account_in_by_qr_code(service, inn):
    async with Client(f"{service}/mcp") as client:

        async def status() -> dict:
            return (await client.call_tool("inn_login_status", {})).structured_content

        before = await status()
        code = await client.call_tool("inn_login_qrcode", {})
        second = (await client.call_tool("inn_login_qrcode", {})).structured_content
        waiting = await status()
        inn.app.state.login = "done"
        while (done := await status())["login_pending"]:
            await asyncio.sleep(0.1)
        again = (await client.call_tool("inn_login_qrcode", {})).structured_content
    assert (before["logged_in"], "inn_login_qrcode" in before["next_step"]) == (False, True)
    assert [part.type for part in code.content] == ["text", "image", "text"] and "█" in code.content[-1].text
    assert (code.structured_content["url"], second["replaced"]) == ("https://www.inn.example/scan?id=1", True)
    assert "驿站 App" in second["next_step"] and "inn_login_status" in second["next_step"]
    assert second["next_step"].startswith("之前的二维码已作废。")
    assert (waiting["login_step"], waiting["login_pending"], waiting["logged_in"]) == ("scan", True, False)
    assert (done["logged_in"], done["nickname"], done["next_step"]) == (True, "an", None)
    assert done["session_age_s"] is not None and again["logged_in"]


async def test_the_example_reads_what_a_shared_short_link_leads_to(service, inn):
    async with Client(f"{service}/mcp") as client:
        text = f"【驿站】看看这个 {inn.base}/s/hop01，很好"
        posts = (await client.call_tool("inn_list_posts", {"link": text})).structured_content
    assert posts["items"][:2] == ["post 0", "post 1"]
    assert [code for code, _ in inn.app.state.followed] == ["hop01", "post1"]
