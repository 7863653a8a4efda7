"""Declares the MCP tools that write, each in two steps; they are offered only with DYBER_READ_ONLY=false."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from dyber_kit import tool
from dyber_kit.browser.pages import Pages
from dyber_kit.calling.tools import ToolDeclaration
from dyber_kit.language import joined_names
from dyber_kit.writes.flow import Confirmation, DryRun, WriteResult, Writes, describes_first
from pydantic import Field

from xiaohongshu_server.model.arguments import title as checked_title
from xiaohongshu_server.model.arguments import written_text
from xiaohongshu_server.reading.site import Site
from xiaohongshu_server.texts import tr, tr_lazy
from xiaohongshu_server.tools.read_tools import Account, NoteArgument
from xiaohongshu_server.writing.pictures import Pictures, is_address
from xiaohongshu_server.writing.publishing import MAX_CONTENT_CHARS, files_to_publish, listed, topics_to_publish
from xiaohongshu_server.writing.writer import SiteWriter

_MAX_TITLE_CHARS = 300
Undo = Annotated[bool, Field(description="撤销")]
# `model.arguments` checks the width; this limit is larger because an emoji can have many characters.
Title = Annotated[
    str,
    Field(description="宽度最多 40：汉字和表情算 2，其他算 1", min_length=1, max_length=_MAX_TITLE_CHARS),
]
Content = Annotated[str, Field(description="正文", min_length=1, max_length=MAX_CONTENT_CHARS)]
Topics = Annotated[str, Field(description="话题，用空格分开，如 咖啡 手冲", max_length=300)]
Remark = Annotated[str, Field(description="内容", min_length=1, max_length=300)]
#: What a mark does, by its kind and whether it is undone.
_MARKING = {
    ("like", False): tr_lazy("like"),
    ("like", True): tr_lazy("unlike"),
    ("favorite", False): tr_lazy("favorite"),
    ("favorite", True): tr_lazy("unfavorite"),
}
_FORMATS = {"image": tr_lazy("a post with pictures"), "video": tr_lazy("a video")}


def write_tools(
    site: Site, writer: SiteWriter, pages: Pages, writes: Writes, uploads: Path | None, pictures: Pictures
) -> list[ToolDeclaration]:
    """Return the tools that change something on the platform, in the order in which agents see them.

    Args:
        site: Resolves the references of callers.
        writer: Carries writes out.
        pages: Knows the accounts.
        writes: Requires the confirmation.
        uploads: Folder with the files to publish, or None.
        pictures: Fetches pictures from the web into that folder.
    """

    async def publish(
        name: str, kind: Literal["image", "video"], names: str, title: str, content: str, topics: str,
        dry_run: bool, confirmation: str, account: str,
    ) -> WriteResult:  # fmt: skip
        account = pages.account(account)
        title, content = checked_title(title), written_text("content", content)
        entries, tags = listed(names, kind), topics_to_publish(topics)
        # Nothing is fetched for an account that cannot publish, or beside files that cannot be published.
        files_to_publish([name for name in entries if not is_address(name)], kind, uploads)
        needed_for = 0.0
        if describes_first(dry_run, confirmation):
            await writer.look_at_publishing(account)
            # Twice, because the confirmation is issued after the files are fetched.
            needed_for = 2 * writes.valid_seconds
        files = files_to_publish(await pictures.names(entries, needed_for), kind, uploads)
        # Size and time are included, so that a file that changed after the user agreed needs a new confirmation.
        stamps = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
        arguments = {"account": account, "files": stamps, "title": title, "content": content, "topics": tags}

        async def plan() -> str:
            return tr(
                "With the account {account}, publish {format} 《{title}》 for everyone to see; files: {count} ({files}), "
                "topics: {topics}, text: {content}",
                account=account,
                format=_FORMATS[kind],
                title=title,
                count=len(files),
                files=joined_names(entries),
                topics=joined_names(tags) or tr("none"),
                content=content,
            )

        async def act(spend: Callable[[], None]) -> None:
            await writer.publish(account, kind, files, title, content, tags, spend)

        return await writes.run(name, arguments, dry_run, confirmation, plan, act)

    async def mark(
        name: str,
        kind: Literal["like", "favorite"],
        note: str,
        undo: bool,
        dry_run: bool,
        confirmation: str,
        account: str,
    ) -> WriteResult:
        account, reference = pages.account(account), await site.note_reference(note)

        async def plan() -> str:
            target = await writer.look(account, reference)
            return tr(
                "With the account {account}, {action} the note {note}",
                account=account,
                action=_MARKING[kind, undo],
                note=site.headline(target.note),
            )

        return await writes.run(
            name,
            {"account": account, "note": reference.note_id, "undo": undo},
            dry_run,
            confirmation,
            plan,
            lambda spend: writer.mark(account, reference, kind, not undo, spend),
        )

    @tool(title="发布小红书图文", read_only=False, open_world=True, idempotent=False)
    async def xhs_publish_image(
        images: Annotated[
            str, Field(description="图片的公开网址，或 uploads 文件夹里的文件名，用逗号分开", max_length=8000)
        ],
        title: Title,
        content: Content,
        topics: Topics = "",
        dry_run: DryRun = True,
        confirmation: Confirmation = "",
        account: Account = "",
    ) -> WriteResult:
        """发布 1 到 18 张图（JPEG、PNG、WebP，各 20 MiB 内）的笔记，立即公开。先预览（默认），用户同意后再发。"""
        return await publish(
            "xhs_publish_image", "image", images, title, content, topics, dry_run, confirmation, account
        )

    @tool(title="发布小红书视频", read_only=False, open_world=True, idempotent=False)
    async def xhs_publish_video(
        video: Annotated[str, Field(description="uploads 文件夹里的文件名", min_length=1, max_length=120)],
        title: Title,
        content: Content,
        topics: Topics = "",
        dry_run: DryRun = True,
        confirmation: Confirmation = "",
        account: Account = "",
    ) -> WriteResult:
        """发布一个视频，立即公开。先预览（默认），给用户看过、同意后再发。"""
        return await publish(
            "xhs_publish_video", "video", video, title, content, topics, dry_run, confirmation, account
        )

    @tool(title="评论小红书笔记", read_only=False, open_world=True, idempotent=False)
    async def xhs_comment(
        note: NoteArgument,
        content: Remark,
        dry_run: DryRun = True,
        confirmation: Confirmation = "",
        account: Account = "",
    ) -> WriteResult:
        """评论一篇笔记，立即公开。先预览，用户同意后再发。"""
        chosen, words = pages.account(account), written_text("content", content)
        reference = await site.note_reference(note)

        async def plan() -> str:
            target = await writer.look(chosen, reference)
            return tr(
                "With the account {account}, comment below the note {note}: {content}",
                account=chosen,
                note=site.headline(target.note),
                content=words,
            )

        return await writes.run(
            "xhs_comment",
            {"account": chosen, "note": reference.note_id, "content": words},
            dry_run,
            confirmation,
            plan,
            lambda spend: writer.comment(chosen, reference, words, spend),
        )

    @tool(title="回复小红书评论", read_only=False, open_world=True, idempotent=False)
    async def xhs_reply(
        note: NoteArgument,
        comment_id: Annotated[
            str, Field(description="来自 xhs_get_comments", pattern=r"^[A-Za-z0-9-]+$", max_length=64)
        ],
        content: Remark,
        dry_run: DryRun = True,
        confirmation: Confirmation = "",
        account: Account = "",
    ) -> WriteResult:
        """回复一条评论，立即公开。先预览，用户同意后再发。"""
        chosen, words = pages.account(account), written_text("content", content)
        reference = await site.note_reference(note)

        async def plan() -> str:
            target = await writer.look(chosen, reference, comment_id)
            answered = (
                site.comment_line(target.comment)
                if target.comment
                else tr("the comment {comment_id}", comment_id=comment_id)
            )
            return tr(
                "With the account {account}, below the note {note}, reply to {comment}: {content}",
                account=chosen,
                note=site.headline(target.note),
                comment=answered,
                content=words,
            )

        return await writes.run(
            "xhs_reply",
            {"account": chosen, "note": reference.note_id, "comment": comment_id, "content": words},
            dry_run,
            confirmation,
            plan,
            lambda spend: writer.reply(chosen, reference, comment_id, words, spend),
        )

    @tool(title="点赞小红书笔记", read_only=False, open_world=True)
    async def xhs_like(
        note: NoteArgument,
        undo: Undo = False,
        dry_run: DryRun = True,
        confirmation: Confirmation = "",
        account: Account = "",
    ) -> WriteResult:
        """给笔记点赞或取消。先预览，用户同意后再做。"""
        return await mark("xhs_like", "like", note, undo, dry_run, confirmation, account)

    @tool(title="收藏小红书笔记", read_only=False, open_world=True)
    async def xhs_favorite(
        note: NoteArgument,
        undo: Undo = False,
        dry_run: DryRun = True,
        confirmation: Confirmation = "",
        account: Account = "",
    ) -> WriteResult:
        """收藏笔记或取消。先预览，用户同意后再做。"""
        return await mark("xhs_favorite", "favorite", note, undo, dry_run, confirmation, account)

    return [xhs_publish_image, xhs_publish_video, xhs_comment, xhs_reply, xhs_like, xhs_favorite]
