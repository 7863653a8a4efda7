"""Puts the bridge in front of servers that others wrote, as they come from npm and PyPI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_kit.bridge.settings import BridgeSettings
from mcp import Client
from mcp.types import ListRootsResult, Root

from tests.servers.bridge.waiting import code_of, until
from tests.servers.conftest import Connect
from tests.stand_in.bridges import Bridge, bridge, lock_of, settings_of, text_of
from tests.stand_in.running import free_port
from tests.support import foreign_programs

EVERYTHING = ("@modelcontextprotocol/server-everything", "dist/index.js")
FILESYSTEM = ("@modelcontextprotocol/server-filesystem", "dist/index.js")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    settings = settings_of((*foreign_programs.npm_command(*EVERYTHING), "stdio"))
    with bridge(settings, lock_of(settings, tmp_path_factory.mktemp("lock"))) as running:
        yield running


async def test_the_reference_server_answers_clients_of_both_eras_and_of_legacy_sse(
    everything: Bridge, connect: Connect
) -> None:
    async with connect(everything.base) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"echo", "get-sum", "get-tiny-image"} <= tools
        assert "5" in text_of(await client.call_tool("get-sum", {"a": 2, "b": 3}))
        image = await client.call_tool("get-tiny-image", {})
        assert [part.type for part in image.content if part.type == "image"] == ["image"]
        weather = await client.call_tool("get-structured-content", {"location": "New York"})
        assert weather.structured_content and not weather.is_error
    assert everything.metric("mcp_contract_differs") == 0


async def test_the_reference_server_reports_progress_to_the_caller(everything: Bridge) -> None:
    seen: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    async with Client(f"{everything.base}/mcp") as client:
        arguments = {"duration": 1, "steps": 4}
        await client.call_tool("trigger-long-running-operation", arguments, progress_callback=note)
    assert seen[-1] == (4.0, 4.0)


async def test_the_filesystem_server_keeps_its_folders_whatever_the_caller_offers(tmp_path: Path) -> None:
    allowed, elsewhere = tmp_path / "allowed", tmp_path / "elsewhere"
    for folder in (allowed, elsewhere):
        folder.mkdir()
        (folder / "note.txt").write_text("你好")
    settings = settings_of((*foreign_programs.npm_command(*FILESYSTEM), str(allowed)))

    async def roots(_: object) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=elsewhere.as_uri())])

    with bridge(settings, lock_of(settings, tmp_path)) as running:
        async with Client(f"{running.base}/mcp", mode="legacy", list_roots_callback=roots) as client:
            read = await client.call_tool("read_text_file", {"path": str(allowed / "note.txt")})
            assert text_of(read) == "你好"
            refused = await client.call_tool("read_text_file", {"path": str(elsewhere / "note.txt")})
            assert refused.is_error and "Access denied" in text_of(refused)
            written = await client.call_tool("write_file", {"path": str(allowed / "new.txt"), "content": "新"})
            assert not written.is_error
    assert (allowed / "new.txt").read_text() == "新"


async def test_the_filesystem_server_gets_its_folder_on_the_data_volume(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    command = foreign_programs.npm_command(*FILESYSTEM)
    lock = lock_of(settings_of((*command, str(tmp_path))), tmp_path)
    with bridge(settings_of((*command, f"{data}/files/")), lock, data_dir=data) as running:
        async with Client(f"{running.base}/mcp") as client:
            file = str(data / "files" / "note.txt")
            assert not (await client.call_tool("write_file", {"path": file, "content": "a"})).is_error
    assert (data / "files" / "note.txt").read_text() == "a"


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_time_server_answers_in_both_eras_of_the_child(tmp_path: Path, era: str) -> None:
    settings = settings_of(foreign_programs.python_command("mcp-server-time"), era=era)
    with bridge(settings, lock_of(settings, tmp_path)) as running:
        async with Client(f"{running.base}/mcp") as client:
            answer = await client.call_tool("get_current_time", {"timezone": "Asia/Shanghai"})
            assert json.loads(text_of(answer))["timezone"] == "Asia/Shanghai"
            wrong = await client.call_tool("get_current_time", {})
            assert code_of(wrong) == "INVALID_ARGUMENT" and "timezone" in text_of(wrong)


def over_http(mode: str, port: int) -> BridgeSettings:
    """Return the settings of the reference server as a child that listens on this machine."""
    transport, path = {"streamableHttp": ("streamable-http", "mcp"), "sse": ("sse", "sse")}[mode]
    return settings_of(
        (*foreign_programs.npm_command(*EVERYTHING), mode),
        transport=transport,
        url=f"http://127.0.0.1:{port}/{path}",
        listens="PORT",
    )


@pytest.mark.parametrize("mode", ["streamableHttp", "sse"])
async def test_a_child_that_listens_on_this_machine_is_started_called_and_stopped(tmp_path: Path, mode: str) -> None:
    settings = over_http(mode, free_port())
    with bridge(settings, lock_of(settings, tmp_path)) as running:
        async with Client(f"{running.base}/mcp") as client:
            assert "5" in text_of(await client.call_tool("get-sum", {"a": 2, "b": 3}))
        await until(lambda: running.metric("mcp_child_up") == 1)
        assert running.metric("mcp_child_rss_bytes") > 0
