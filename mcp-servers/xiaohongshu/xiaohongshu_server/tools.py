"""The MCP tools. Docstrings are what agents read."""

from __future__ import annotations

from typing import Annotated

from dyber_kit import tool
from dyber_kit.tools import ToolDeclaration
from pydantic import Field

from xiaohongshu_server.models import Comments, LoginStatus, Note, SearchResult
from xiaohongshu_server.notes import Notes

NoteArgument = Annotated[
    str,
    Field(description="note_ref from xhs_search_notes, or the full URL of a note", min_length=1, max_length=1000),
]
Replies = Annotated[bool, Field(description="Also return the replies that are already on the page")]


def note_tools(notes: Notes) -> list[ToolDeclaration]:
    """The tools of this service, in the order agents see them."""

    @tool(title="小红书登录状态", read_only=True, open_world=True)
    async def xhs_login_status() -> LoginStatus:
        """Check whether the service's browser is logged in to Xiaohongshu. Use it after LOGIN_REQUIRED errors."""
        return await notes.login_status()

    @tool(title="搜索小红书笔记", read_only=True, open_world=True)
    async def xhs_search_notes(
        keyword: Annotated[str, Field(description="Words to search for", min_length=1, max_length=100)],
        limit: Annotated[int, Field(description="Most notes to return", ge=1, le=40)] = 10,
    ) -> SearchResult:
        """Search Xiaohongshu notes by keyword. Returns title, author, counts and a note_ref for each note.

        Takes 3 to 30 seconds. An empty list means the site found nothing; every other reason is an error.
        """
        return await notes.search(keyword.strip(), limit)

    @tool(title="读取小红书笔记", read_only=True, open_world=True)
    async def xhs_get_note(
        note: NoteArgument,
        comments: Annotated[int, Field(description="Most comments to return; 0 for none", ge=0, le=50)] = 10,
        include_replies: Replies = False,
        max_chars: Annotated[int, Field(description="Cut the note's text after this many", ge=100, le=20000)] = 4000,
    ) -> Note:
        """Read one Xiaohongshu note: text, tags, images, counts and first comments. Takes 3 to 30 seconds."""
        return await notes.note(note, comments, include_replies, max_chars)

    @tool(title="读取小红书评论", read_only=True, open_world=True)
    async def xhs_get_comments(
        note: NoteArgument,
        limit: Annotated[int, Field(description="Most comments to return", ge=1, le=100)] = 20,
        include_replies: Replies = False,
    ) -> Comments:
        """Read the comments of one Xiaohongshu note, in the site's order. More comments take longer to load."""
        return await notes.comments(note, limit, include_replies)

    return [xhs_login_status, xhs_search_notes, xhs_get_note, xhs_get_comments]
