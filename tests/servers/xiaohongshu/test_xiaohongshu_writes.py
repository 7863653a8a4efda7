"""Tests of the write tools on the stand-in: offered only when allowed, a dry run first, done through the page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_kit import ErrorCode, ServiceError, Settings
from mcp import Client
from mcp.client.sse import sse_client
from mcp.types import ElicitRequestFormParams, ElicitResult
from xiaohongshu_server.service import build_app
from xiaohongshu_server.writing.publishing import files_to_publish, listed, topics_to_publish

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller, logged_in
from tests.stand_in.running import free_port

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"
NOTE = "《手冲咖啡入门》（作者 用户7）"
WRITES = {"xhs_publish_image", "xhs_publish_video", "xhs_comment", "xhs_reply", "xhs_like", "xhs_favorite"}


@pytest.fixture
def client(xiaohongshu: str, site: str, xiaohongshu_data: Path) -> Iterator[Caller]:
    """Return a caller whose first account is logged in."""
    with logged_in(xiaohongshu_data, site):
        yield Caller(xiaohongshu)


@pytest.fixture
def writes(stand_in) -> list[dict]:
    """Return the list of writes to the site, emptied."""
    stand_in.app.state.writes.clear()
    return stand_in.app.state.writes


@pytest.fixture
def uploads(xiaohongshu_data: Path) -> Path:
    """Return the uploads folder with some files in it."""
    folder = xiaohongshu_data / "uploads"
    folder.mkdir(exist_ok=True)
    (folder / "一.jpg").write_bytes(b"\xff\xd8jpeg")
    (folder / "two.png").write_bytes(b"png")
    (folder / "clip.mp4").write_bytes(b"mp4" * 100)
    return folder


async def write_confirmed(client: Caller, tool: str, **arguments: object) -> dict:
    """Make a dry run and the confirmed call, and return the tool's answer."""
    planned = await client(tool, **arguments)
    assert (planned["done"], planned["dry_run"]) == (False, True)
    return await client(tool, **arguments, dry_run=False, confirmation=planned["confirmation"])


def names(read_only: bool) -> set[str]:
    app = build_app(Settings(port=free_port(), read_only=read_only))
    return {tool.name for tool in asyncio.run(app.mcp.list_tools())}


def test_a_read_only_service_has_no_tool_that_writes(monkeypatch):
    assert names(read_only=True) & WRITES == set()
    assert names(read_only=False) - names(read_only=True) == WRITES


def test_a_service_is_read_only_by_default(monkeypatch):
    monkeypatch.delenv("DYBER_READ_ONLY", raising=False)
    assert Settings.from_environment().read_only is True


@pytest.mark.parametrize(
    ("tool", "arguments", "shown"),
    [
        ("xhs_comment", {"note": REF, "content": "写得好"}, f"在笔记{NOTE}下评论：写得好"),
        (
            "xhs_reply", {"note": REF, "comment_id": "comment-1", "content": "同意"},
            f"在笔记{NOTE}下回复用户1 的评论“评论1”：同意",
        ),
        ("xhs_like", {"note": REF}, f"点赞笔记{NOTE}"),
        ("xhs_favorite", {"note": REF, "undo": True}, f"取消收藏笔记{NOTE}"),
        ("xhs_publish_image", {"images": "一.jpg,two.png", "title": "标题", "content": "正文"}, "2 个文件（一.jpg、two.png）"),
        ("xhs_publish_video", {"video": "clip.mp4", "title": "标题", "content": "正文"}, "公开发布视频《标题》"),
    ],
)  # fmt: skip
async def test_a_dry_run_describes_the_write_and_does_nothing(client, writes, uploads, tool, arguments, shown):
    planned = await client(tool, **arguments)
    assert shown in planned["summary"]
    assert planned["confirmation"]
    assert "dry_run=false" in planned["next_step"]
    assert writes == []


@pytest.mark.parametrize("confirmation", ["", "x" * 40])
async def test_nothing_is_written_without_a_confirmation(client, writes, confirmation):
    text = await client.refusal("xhs_like", note=REF, dry_run=False, confirmation=confirmation)
    assert text.startswith("CONFIRMATION_REQUIRED：")
    assert writes == []


async def test_a_confirmation_is_valid_once_and_only_for_the_same_arguments(client, writes):
    planned = await client("xhs_comment", note=REF, content="一次")
    token = planned["confirmation"]
    other = await client.refusal("xhs_comment", note=REF, content="改了", dry_run=False, confirmation=token)
    assert other.startswith("CONFIRMATION_REQUIRED：")
    assert (await client("xhs_comment", note=REF, content="一次", dry_run=False, confirmation=token))["done"] is True
    again = await client.refusal("xhs_comment", note=REF, content="一次", dry_run=False, confirmation=token)
    assert again.startswith("CONFIRMATION_REQUIRED：确认码已经用过")
    assert [write["content"] for write in writes] == ["一次"]


async def test_a_comment_is_written_by_the_account(client, writes):
    done = await write_confirmed(client, "xhs_comment", note=REF, content="很有用 👍")
    assert done["done"] is True
    assert writes == [{
        "action": "comment", "note_id": data.NORMAL_NOTE, "content": "很有用 👍", "target_comment_id": None,
        "session": "session-SECRET",
    }]  # fmt: skip


async def test_a_reply_reaches_a_comment_far_down_the_page(client, writes):
    await write_confirmed(client, "xhs_reply", note=REF, comment_id="comment-22", content="同意")
    assert [(write["target_comment_id"], write["content"]) for write in writes] == [("comment-22", "同意")]


async def test_a_reply_to_a_missing_comment_is_refused_in_the_dry_run(client, writes):
    text = await client.refusal("xhs_reply", note=REF, comment_id="comment-99", content="同意")
    assert text.startswith("NOT_FOUND：在这条笔记下没有找到该评论")
    assert writes == []


@pytest.mark.parametrize("way", ["modern", "sse"])
@pytest.mark.parametrize(("answer", "written"), [("accept", ["问过"]), ("decline", [])])
async def test_a_client_that_can_ask_its_user_writes_with_one_call(way, client, xiaohongshu, writes, answer, written):
    questions = []

    async def user(context: object, question: ElicitRequestFormParams) -> ElicitResult:
        questions.append(question.message)
        return ElicitResult(action=answer, content={})

    arguments = {"note": REF, "content": "问过", "dry_run": False}
    legacy = {"mode": "legacy"} if way == "sse" else {}
    address = sse_client(f"{xiaohongshu}/mcp/sse") if way == "sse" else f"{xiaohongshu}/mcp"
    async with Client(address, elicitation_callback=user, **legacy) as session:
        result = await session.call_tool("xhs_comment", arguments)
    assert questions == [f"请确认：用账号 default 在笔记{NOTE}下评论：问过"]
    assert [write["content"] for write in writes] == written
    assert result.is_error is (answer == "decline")


@pytest.mark.parametrize(("tool", "action"), [("xhs_like", "like"), ("xhs_favorite", "collect")])
async def test_a_note_is_liked_and_collected(client, writes, tool, action):
    done = await write_confirmed(client, tool, note=REF)
    assert (done["done"], done["already_so"]) == (True, False)
    assert [(write["action"], write["note_id"]) for write in writes] == [(action, data.NORMAL_NOTE)]


@pytest.mark.parametrize(("tool", "action"), [("xhs_like", "like/undo"), ("xhs_favorite", "collect/undo")])
async def test_a_like_is_undone(client, writes, tool, action):
    await write_confirmed(client, tool, note=f"{data.LIKED_NOTE}:{data.TOKEN}", undo=True)
    assert [write["action"] for write in writes] == [action]


async def test_a_note_that_is_already_liked_stays_liked(client, writes):
    done = await write_confirmed(client, "xhs_like", note=f"{data.LIKED_NOTE}:{data.TOKEN}")
    assert (done["done"], done["already_so"], writes) == (True, True, [])


async def refused_write(client: Caller, tool: str, **arguments: object) -> str:
    planned = await client(tool, **arguments)
    return await client.refusal(tool, **arguments, dry_run=False, confirmation=planned["confirmation"])


async def test_a_refusal_by_the_site_is_an_error(client, writes):
    strict = f"{data.STRICT_NOTE}:{data.TOKEN}"
    assert (await refused_write(client, "xhs_like", note=strict)).startswith("RATE_LIMITED：")
    assert (await refused_write(client, "xhs_comment", note=strict, content="x")).startswith("RATE_LIMITED：")
    assert writes == []


async def test_a_comment_on_a_note_without_a_comment_box_is_an_error(client, writes, monkeypatch):
    monkeypatch.setattr("xiaohongshu_server.writing.writer._CLICK_MS", 500)
    text = await refused_write(client, "xhs_comment", note=f"{data.SHY_NOTE}:{data.TOKEN}", content="x")
    assert text.startswith("UPSTREAM_CHANGED：页面上没有可用的评论框，什么都没有提交")
    assert writes == []


async def test_a_dry_run_as_a_guest_requires_a_login(xiaohongshu, writes, uploads):
    guest = Caller(xiaohongshu)
    assert (await guest.refusal("xhs_like", note=REF)).startswith("LOGIN_REQUIRED：")
    text = await guest.refusal("xhs_publish_image", images="two.png", title="标题", content="正文")
    assert text.startswith("LOGIN_REQUIRED：")
    assert "xhs_login_qrcode" in text
    assert writes == []


@pytest.mark.parametrize("way", ["modern", "sse"])
async def test_a_guest_is_not_asked_about_a_publication_that_cannot_work(way, xiaohongshu, writes, uploads):
    questions = []

    async def user(context: object, question: ElicitRequestFormParams) -> ElicitResult:
        questions.append(question.message)
        return ElicitResult(action="accept", content={})

    arguments = {"images": "two.png", "title": "标题", "content": "正文", "dry_run": False}
    legacy = {"mode": "legacy"} if way == "sse" else {}
    address = sse_client(f"{xiaohongshu}/mcp/sse") if way == "sse" else f"{xiaohongshu}/mcp"
    async with Client(address, elicitation_callback=user, **legacy) as session:
        result = await session.call_tool("xhs_publish_image", arguments)
    assert result.content[0].text.startswith("LOGIN_REQUIRED：")
    assert (questions, writes) == ([], [])


async def test_a_logout_between_dry_run_and_write_keeps_the_confirmation(xiaohongshu, site, xiaohongshu_data, writes):
    client = Caller(xiaohongshu)
    with logged_in(xiaohongshu_data, site):
        planned = await client("xhs_like", note=REF)
    confirmed_call = {"note": REF, "dry_run": False, "confirmation": planned["confirmation"]}
    assert (await client.refusal("xhs_like", **confirmed_call)).startswith("LOGIN_REQUIRED：")
    with logged_in(xiaohongshu_data, site):
        assert (await client("xhs_like", **confirmed_call))["done"] is True
    assert len(writes) == 1


async def test_a_title_that_the_page_refuses_is_not_submitted(client, writes, uploads):
    text = await refused_write(client, "xhs_publish_image", images="two.png", title="\U0001f600" * 20, content="正文")
    assert text.startswith("INVALID_ARGUMENT：title：小红书页面认为标题太长（40/20）")
    assert writes == []


@pytest.mark.parametrize("title", ["a" * 40, "汉" * 20])
async def test_a_title_of_the_largest_width_is_published(client, writes, uploads, title):
    await write_confirmed(client, "xhs_publish_image", images="two.png", title=title, content="正文")
    assert [write["title"] for write in writes] == [title]


async def test_pictures_are_published_with_title_text_and_topics(client, writes, uploads):
    done = await write_confirmed(
        client,
        "xhs_publish_image",
        images="一.jpg, two.png",
        title="手冲咖啡",
        content="水温 92 度",
        topics="#咖啡 手冲",
    )
    assert done["done"] is True
    (write,) = writes
    assert (write["kind"], write["title"], write["topics"]) == ("image", "手冲咖啡", ["咖啡", "手冲"])
    assert [(file["name"], file["size"]) for file in write["files"]] == [("一.jpg", 6), ("two.png", 3)]
    assert write["content"].startswith("水温 92 度")


async def test_a_video_is_published_with_the_other_form_of_the_button(
    xiaohongshu, site, xiaohongshu_data, writes, uploads
):
    with logged_in(xiaohongshu_data, site, "widget", "widget"):
        client = Caller(xiaohongshu)
        await write_confirmed(
            client, "xhs_publish_video", video="clip.mp4", title="视频", content="正文", account="widget"
        )
    assert [(write["kind"], write["session"], len(write["files"])) for write in writes] == [
        ("video", "session-widget", 1)
    ]


async def test_a_note_that_the_site_refuses_is_an_error(client, writes, uploads):
    text = await refused_write(client, "xhs_publish_image", images="two.png", title="敏感", content="正文")
    assert text.startswith("ACCESS_RESTRICTED：小红书没有接受：内容违规")
    assert writes == []


async def test_a_file_that_changed_after_the_dry_run_needs_a_new_dry_run(client, writes, uploads):
    arguments = {"images": "two.png", "title": "标题", "content": "正文"}
    planned = await client("xhs_publish_image", **arguments)
    (uploads / "two.png").write_bytes(b"something else")
    text = await client.refusal("xhs_publish_image", **arguments, dry_run=False, confirmation=planned["confirmation"])
    assert text.startswith("CONFIRMATION_REQUIRED：")
    assert writes == []


@pytest.mark.parametrize(
    ("names", "kind", "reason"),
    [
        ("", "image", "文件有 0 个"),
        ("two.png,two.png", "video", "文件有 2 个"),
        ("../storage_state.json", "image", "不可用"),
        ("/etc/passwd", "image", "不可用"),
        ("missing.jpg", "image", "没有文件"),
        ("clip.mp4", "image", "类型不支持"),
        ("empty.png", "image", "0 字节"),
        ("link.png", "image", "不可用"),
    ],
)
def test_only_files_of_the_uploads_folder_can_be_published(uploads, names, kind, reason):
    (uploads / "empty.png").touch()
    if not (uploads / "link.png").is_symlink():
        (uploads / "link.png").symlink_to("/etc/hostname")
    with pytest.raises(ServiceError) as refusal:
        files_to_publish(listed(names, kind), kind, uploads)
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT
    assert reason in refusal.value.message


def test_the_error_names_all_missing_files_without_the_servers_folders(uploads):
    with pytest.raises(ServiceError, match="没有文件 a.jpg、b.png") as refusal:
        files_to_publish(["a.jpg", "two.png", "b.png"], "image", uploads)
    assert str(uploads) not in refusal.value.text
    for names in ("", "../x.jpg", "clip.mp4"):
        with pytest.raises(ServiceError) as refusal:
            files_to_publish(listed(names, "image"), "image", uploads)
        assert str(uploads) not in refusal.value.text


def test_without_a_data_folder_the_error_names_the_setting():
    with pytest.raises(ServiceError, match="DYBER_DATA") as refusal:
        files_to_publish(["two.png"], "image", None)
    assert refusal.value.code is ErrorCode.NOT_CONFIGURED


def test_topics_are_separated_and_counted():
    assert topics_to_publish("#咖啡 手冲，咖啡") == ["咖啡", "手冲"]
    with pytest.raises(ServiceError):
        topics_to_publish(" ".join(map(str, range(11))))
