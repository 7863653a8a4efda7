"""Runs the browser platform of the kit's README on a stand-in, with a real Chromium and a real MCP client."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server
from mcp import Client

from tests.stand_in.running import SERVERS, StandIn, free_port, running
from tests.stand_in.small_platform import TOTAL


@pytest.fixture
def service(inn: StandIn, chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the base URL of the README's service."""
    readme = (SERVERS / "kit" / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## 一个用浏览器的平台\n")[2]
    file = tmp_path / "inn_service.py"
    file.write_text(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("inn_service", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "inn_service", module)
    spec.loader.exec_module(module)
    variables = {"INN_BASE_URL": inn.base, "INN_INTERVAL_SECONDS": "0", "INN_JITTER_SECONDS": "0"}
    for name, value in {**variables, "CHROMIUM_PATH": chromium}.items():
        monkeypatch.setenv(name, value)
    with running(build_server(module.build_app(Settings(port=free_port(), data_dir=tmp_path)))) as base:
        yield base


async def test_the_readmes_browser_platform_reads_a_list_and_gets_a_login_code(service):
    async with Client(f"{service}/mcp") as client:
        few = await client.call_tool("inn_list_posts", {"limit": 3})
        all_posts = await client.call_tool("inn_list_posts", {"limit": 50})
        code = await client.call_tool("inn_login_qrcode", {})
    assert few.structured_content == {"texts": ["post 0", "post 1", "post 2"], "complete": False}
    assert (len(all_posts.structured_content["texts"]), all_posts.structured_content["complete"]) == (TOTAL, True)
    assert code.structured_content["url"] == "https://www.inn.example/scan?id=1"
    assert "█" in code.structured_content["drawing"]
