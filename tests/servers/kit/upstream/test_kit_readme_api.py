"""Tests that the examples of an API platform in the kit's README work as they are printed."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from dyber_kit import ErrorCode, Settings
from dyber_kit.serving.server import build_server

from tests.stand_in.running import SERVERS, free_port, running


def examples() -> list[str]:
    text = (SERVERS / "kit" / "README.md").read_text(encoding="utf-8")
    section = text.split("\n## API 平台\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def module_of(number: int, folder: Path) -> ModuleType:
    """Return an example of the README as an imported module."""
    file = folder / f"readme_example_{number}.py"
    file.write_text(examples()[number], encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def demo(platform, monkeypatch, tmp_path) -> Iterator[str]:
    """Return the base URL of the first example as a running service on the stand-in."""
    monkeypatch.setenv("DEMO_URL", platform.base)
    app = module_of(0, tmp_path).build_app(Settings(port=free_port()))
    with running(build_server(app)) as base:
        yield base


async def test_the_first_example_answers_a_client_and_caches(demo, connect, platform):
    async with connect(demo) as client:
        for _ in range(2):
            result = await client.call_tool("demo_get_repo", {"owner": "octocat", "repo": "hello"})
    assert result.structured_content == {
        "full_name": "octocat/hello", "description": "First", "stargazers_count": 80, "archived": False
    }  # fmt: skip
    assert platform.state.requests == ["GET /repos/octocat/hello"]


async def test_the_first_example_lists_every_item_once(demo, connect):
    numbers, cursor = [], ""
    async with connect(demo) as client:
        while cursor is not None:
            arguments = {"owner": "octocat", "repo": "hello", "limit": 10, "cursor": cursor}
            content = (await client.call_tool("demo_list_issues", arguments)).structured_content
            numbers += [item["number"] for item in content["items"]]
            cursor = content["next_cursor"]
    assert numbers == list(range(1, 26))


async def test_the_first_example_tells_agents_what_the_platform_said(demo, connect):
    async with connect(demo) as client:
        result = await client.call_tool("demo_get_repo", {"owner": "octocat", "repo": "missing"})
    assert result.is_error
    assert "NOT_FOUND：" in result.content[0].text and "平台的请求编号 C0DE:1A2B:3C4D" in result.content[0].text


async def test_the_second_example_reads_the_list_and_pays_for_it(platform, tmp_path):
    hot_list = module_of(1, tmp_path).HotList(platform.base, "zhihu-secret", Settings(data_dir=tmp_path))
    topics = await hot_list.read(30)
    assert [topic.Title for topic in topics] == ["热点"]
    assert hot_list.quota.used_today == 1
    await hot_list.api.close()


async def test_the_second_example_names_the_setting_of_a_refused_key(platform, tmp_path, refusal):
    hot_list = module_of(1, tmp_path).HotList(platform.base, "wrong", Settings(data_dir=tmp_path))
    error = await refusal(hot_list.read(30))
    assert (error.code, "ZHIHU_ACCESS_SECRET" in error.next_step) == (ErrorCode.LOGIN_EXPIRED, True)
    await hot_list.api.close()
