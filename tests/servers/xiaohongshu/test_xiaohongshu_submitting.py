"""Tests of writes with an unknown outcome, and of when a confirmation is used up."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest
import pytest_asyncio
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.sessions import SessionStore
from xiaohongshu_server.browsing.platform import PLATFORM
from xiaohongshu_server.model.references import NoteReference
from xiaohongshu_server.reading.reader import SiteReader
from xiaohongshu_server.writing.writer import SiteWriter

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller, logged_in, stand_in_settings

# One browser serves all tests of this file.
pytestmark = pytest.mark.asyncio(loop_scope="module")


def ref(note: str) -> str:
    return f"{note}:{data.TOKEN}"


@pytest.fixture
def writes(stand_in) -> list[dict]:
    stand_in.app.state.writes.clear()
    return stand_in.app.state.writes


@pytest.fixture
def client(xiaohongshu: str, site: str, xiaohongshu_data: Path):
    with logged_in(xiaohongshu_data, site):
        yield Caller(xiaohongshu)


async def confirmed_arguments(client: Caller, tool: str, **arguments: object) -> dict[str, object]:
    """Make a dry run, and return the arguments of the confirmed call."""
    plan = await client(tool, **arguments)
    return {**arguments, "dry_run": False, "confirmation": plan["confirmation"]}


async def assert_outcome_unknown(client: Caller, tool: str, arguments: dict[str, object]) -> None:
    text = await client.refusal(tool, **arguments)
    assert text.startswith("OUTCOME_UNKNOWN：")
    assert "可能已经生效" in text and "可重试" not in text
    again = await client.refusal(tool, **arguments)
    assert again.startswith("CONFIRMATION_REQUIRED：确认码已经用过")
    assert "可能已经生效" in again


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("xhs_comment", {"content": "写得好"}),
        ("xhs_reply", {"content": "同意", "comment_id": "comment-1"}),
        ("xhs_like", {}),
    ],
)
async def test_a_gateways_timeout_after_the_submit_is_an_unknown_outcome(client, writes, tool, arguments):
    await assert_outcome_unknown(
        client, tool, await confirmed_arguments(client, tool, note=ref(data.LOST_NOTE), **arguments)
    )
    assert len(writes) == 1


async def test_a_submit_that_is_never_answered_is_an_unknown_outcome(client, writes, monkeypatch):
    arguments = await confirmed_arguments(client, "xhs_comment", note=ref(data.SILENT_NOTE), content="写得好")
    monkeypatch.setattr("dyber_kit.browser.submitting.ANSWER_SECONDS", 0.5)
    await assert_outcome_unknown(client, "xhs_comment", arguments)
    assert len(writes) == 1


async def test_a_gateways_error_after_publishing_is_an_unknown_outcome(client, writes, xiaohongshu_data):
    uploads = xiaohongshu_data / "uploads"
    uploads.mkdir(exist_ok=True)
    (uploads / "two.png").write_bytes(b"png")
    arguments = await confirmed_arguments(client, "xhs_publish_image", images="two.png", title="失联", content="正文")
    await assert_outcome_unknown(client, "xhs_publish_image", arguments)
    assert len(writes) == 1


class WriterOnStandIn:
    """Writes on the stand-in without a service, and counts the spent confirmations."""

    def __init__(self, browser: BrowserPool, site: str, pid_file: Path, **settings: float) -> None:
        site_settings = stand_in_settings(site, **settings)
        self.browser, self.site, self.pid_file, self.spent = browser, site, pid_file, 0
        self.pages = Pages(PLATFORM, browser, None, site_settings, None, Metrics("x"))
        self._writer = SiteWriter(SiteReader(self.pages, site, site_settings.page_seconds), site)

    def spend(self) -> None:
        self.spent += 1

    async def comment(self, note: str = data.SILENT_NOTE) -> None:
        await self._writer.comment("default", NoteReference(note, data.TOKEN), "写得好", self.spend)


@pytest.fixture(scope="module")
def executable(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a script that writes its process id to a file and then runs Chromium."""
    script = tmp_path_factory.mktemp("writer") / "chromium"
    script.write_text(f'#!/bin/sh\necho $$ > "$0.pid"\nexec {chromium} "$@"\n')
    script.chmod(0o755)
    return script


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(executable: Path, site: str) -> AsyncIterator[BrowserPool]:
    """Run a browser in which a user is logged in."""
    pool = BrowserPool(BrowserSettings(chromium_path=str(executable)), SessionStore(executable.parent))
    with logged_in(executable.parent, site):
        async with pool.running():
            yield pool


@pytest.fixture
def writer(browser: BrowserPool, site: str, executable: Path) -> WriterOnStandIn:
    return WriterOnStandIn(browser, site, executable.with_name("chromium.pid"))


async def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.02)


async def error_code(task: asyncio.Task) -> ErrorCode:
    with pytest.raises(ServiceError) as caught:
        await task
    return caught.value.code


async def test_a_call_cancelled_after_the_submit_is_an_unknown_outcome(writer, writes):
    task = asyncio.create_task(writer.comment())
    await until(lambda: writes)
    task.cancel()
    assert await error_code(task) is ErrorCode.OUTCOME_UNKNOWN
    assert writer.spent == 1


async def test_a_call_whose_deadline_passes_after_the_submit_is_an_unknown_outcome(writer, writes):
    deadline = anyio.CancelScope()

    async def call() -> None:
        with deadline:
            await writer.comment()

    task = asyncio.create_task(call())
    await until(lambda: writes)
    deadline.deadline = anyio.current_time()
    assert await error_code(task) is ErrorCode.OUTCOME_UNKNOWN


async def test_a_crash_of_the_browser_after_the_submit_is_an_unknown_outcome(writer, writes):
    task = asyncio.create_task(writer.comment())
    await until(lambda: writes)
    os.kill(int(writer.pid_file.read_text()), signal.SIGKILL)
    assert await error_code(task) is ErrorCode.OUTCOME_UNKNOWN


async def test_a_write_with_too_little_time_left_submits_nothing_and_keeps_the_confirmation(
    writer, writes, monkeypatch
):
    monkeypatch.setattr("dyber_kit.browser.submitting.ANSWER_SECONDS", 1000)
    with pytest.raises(ServiceError, match="什么都没有提交") as caught:
        with anyio.move_on_after(500):
            await writer.comment(data.NORMAL_NOTE)
    assert caught.value.code is ErrorCode.TIMEOUT
    # The callers of clients that ask their user know no token.
    assert "同样的方式" in caught.value.next_step and "确认码" not in caught.value.next_step
    assert (writer.spent, writes) == (0, [])


async def test_a_write_that_waited_until_its_deadline_opens_no_page(writer, writes, stand_in, monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.visits.CALL_RESERVE_SECONDS", 1000)
    stand_in.app.state.pages.clear()
    with pytest.raises(ServiceError, match="排队用完了") as caught:
        with anyio.move_on_after(500):
            await writer.comment(data.NORMAL_NOTE)
    assert caught.value.code is ErrorCode.TIMEOUT
    assert (writer.spent, stand_in.app.state.pages) == (0, [])


async def test_a_write_that_gets_no_turn_keeps_the_confirmation(writer, writes):
    impatient = WriterOnStandIn(writer.browser, writer.site, writer.pid_file, queue_seconds=0.05)
    async with impatient.pages.turn():
        with pytest.raises(ServiceError) as caught:
            await impatient.comment(data.NORMAL_NOTE)
    assert caught.value.code is ErrorCode.BUSY
    assert (impatient.spent, writes) == (0, [])


async def test_a_failure_before_the_submit_keeps_the_confirmation(writer, writes, monkeypatch):
    monkeypatch.setattr("xiaohongshu_server.writing.writer._CLICK_MS", 500)
    for note, code in [
        (data.SHY_NOTE, ErrorCode.UPSTREAM_CHANGED),
        (data.REMOVED_NOTE, ErrorCode.NOT_FOUND),
    ]:
        with pytest.raises(ServiceError) as caught:
            await writer.comment(note)
        assert caught.value.code is code
    assert (writer.spent, writes) == (0, [])


async def test_a_refusal_by_the_site_is_not_an_unknown_outcome(writer, writes):
    with pytest.raises(ServiceError) as caught:
        await writer.comment(data.STRICT_NOTE)
    assert (caught.value.code, writer.spent, writes) == (ErrorCode.RATE_LIMITED, 1, [])
