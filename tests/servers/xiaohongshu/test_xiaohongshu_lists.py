"""Tests of lists on the stand-in: which fields they have, their parts, the tabs of profiles, and searches for users."""

from __future__ import annotations

import pytest

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller, logged_in

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"
USER_REF = f"{data.USER}:{data.USER_TOKEN}"
BRIEF = {"note_ref", "title", "type", "author", "likes", "date"}
DETAILS = {"url", "cover", "user_ref", "collects", "comments", "shares"}


@pytest.fixture
def client(xiaohongshu: str) -> Caller:
    return Caller(xiaohongshu)


async def test_a_list_has_brief_notes_unless_more_is_wanted(client):
    brief = (await client("xhs_search_notes", keyword="简短", limit=4))["items"][3]
    full = (await client("xhs_search_notes", keyword="简短", limit=4, verbose=True))["items"][3]
    assert set(brief) == BRIEF
    assert set(full) == BRIEF | DETAILS
    assert brief["date"] == "2024-10-01"


async def test_a_list_shows_the_count_by_which_it_is_sorted(client):
    result = await client("xhs_search_notes", keyword="最多收藏", sort="most_collected", limit=4)
    assert set(result["items"][3]) == {*BRIEF, "collects"}
    assert result["applied"] == {"sort": "most_collected"}


async def test_a_rounded_count_of_a_brief_note_is_marked(client):
    result = await client("xhs_search_notes", keyword="简短", limit=2)
    assert [note.get("lower_bounds") for note in result["items"]] == [None, ["likes"]]


async def test_the_notes_of_a_user_do_not_repeat_the_author(client):
    user = await client("xhs_get_user", user=USER_REF, notes=2, verbose=True)
    assert all("author" not in note and "user_ref" not in note for note in user["notes"])


async def test_a_comment_is_brief_unless_more_is_wanted(client):
    brief = (await client("xhs_get_comments", note=REF, limit=2))["items"][1]
    full = (await client("xhs_get_comments", note=REF, limit=2, verbose=True))["items"][1]
    assert set(brief) == {"comment_id", "author", "content", "likes", "date", "reply_count"}
    assert set(full) == {*brief, "user_ref", "location"}
    assert (brief["date"], full["date"]) == ("2023-12-10", "2023-12-10T16:00:01+08:00")


async def test_times_have_chinas_offset(client):
    note = await client("xhs_get_note", note=REF, comments=0)
    assert note["published_at"] == "2023-12-10T16:00:00+08:00"
    assert note["fetched_at"].endswith("+08:00")


async def read_all(client: Caller, tool: str, limit: int, **arguments: object) -> list[dict]:
    """Return the items of all parts of a list."""
    items: list[dict] = []
    cursor = ""
    while True:
        part = await client(tool, limit=limit, cursor=cursor, **arguments)
        items += part["items"]
        assert ("next_cursor" in part) is not part["complete"]
        if part["complete"]:
            return items
        cursor = part["next_cursor"]


async def test_the_parts_of_a_notes_comments_have_no_gaps_and_no_duplicates(client):
    comments = await read_all(client, "xhs_get_comments", 10, note=REF)
    assert [comment["content"] for comment in comments] == [f"评论{n}" for n in range(data.COMMENT_TOTAL)]


async def test_a_later_part_of_the_comments_has_its_replies(client):
    first = await client("xhs_get_comments", note=REF, limit=1, include_replies=True)
    second = await client("xhs_get_comments", note=REF, limit=1, include_replies=True, cursor=first["next_cursor"])
    assert [len(part["items"][0]["replies"]) for part in (first, second)] == [1, data.REPLY_TOTAL]


async def test_the_parts_of_a_users_notes_have_no_gaps_and_no_duplicates(client):
    notes = await read_all(client, "xhs_user_notes", 10, user=USER_REF)
    assert [note["title"] for note in notes] == [f"用户7的笔记{n}" for n in range(data.USER_NOTES)]


async def test_a_cursor_of_another_tab_is_refused(client):
    part = await client("xhs_user_notes", user=USER_REF, limit=5)
    text = await client.refusal("xhs_user_notes", user=USER_REF, tab="likes", cursor=part["next_cursor"])
    assert text.startswith("INVALID_ARGUMENT：cursor")


@pytest.mark.parametrize("tab", ["favorites", "likes"])
async def test_a_member_reads_what_the_account_collected_and_liked(xiaohongshu, xiaohongshu_data, site, tab):
    with logged_in(xiaohongshu_data, site):
        notes = await read_all(Caller(xiaohongshu), "xhs_user_notes", 10, user="me", tab=tab)
    assert [note["title"] for note in notes] == [f"收藏的笔记{n}" for n in range(data.FAVORITES)]
    assert notes[3]["author"] == "用户3"


async def test_a_member_reads_the_profile_of_the_account(xiaohongshu, xiaohongshu_data, site):
    with logged_in(xiaohongshu_data, site):
        user = await Caller(xiaohongshu)("xhs_get_user", user="me", notes=3)
    assert user["user_ref"] == "5f" + b"SECRET".hex().ljust(22, "0")
    assert len(user["notes"]) == 3


async def test_a_guest_has_no_notes_of_an_account(client):
    text = await client.refusal("xhs_user_notes", tab="favorites")
    assert text.startswith("LOGIN_REQUIRED：")
    assert "已有二维码等待扫描时不要再取" in text


async def test_favorites_that_are_not_public_are_explained(client, monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.visits.STALL_SECONDS", 1)
    result = await client("xhs_user_notes", user=USER_REF, tab="favorites")
    assert (result["items"], result["complete"]) == ([], False)
    assert "没有公开" in result["warnings"][0]


async def test_users_are_searched_in_their_tab(client):
    result = await client("xhs_search_users", keyword="咖啡", limit=40)
    assert [user["name"] for user in result["items"]] == [f"咖啡用户{n}" for n in range(data.USERS_TOTAL)]
    assert result["complete"] is True
    assert result["items"][0] == {
        "user_ref": f"5f{0:022x}:{data.USER_TOKEN}", "name": "咖啡用户0", "red_id": "100000", "profession": "咖啡师",
        "fans": 100_000, "notes": 40, "lower_bounds": ["fans"], "verified": True,
    }  # fmt: skip


async def test_a_part_of_the_users_is_not_complete(client):
    result = await client("xhs_search_users", keyword="咖啡", limit=3)
    assert (result["count"], result["complete"]) == (3, False)


async def test_a_user_of_a_search_is_opened_by_the_bare_id(client):
    result = await client("xhs_search_users", keyword="咖啡", limit=1)
    bare = result["items"][0]["user_ref"].partition(":")[0]
    assert (await client("xhs_get_user", user=bare, notes=0))["name"] == "用户0"


async def test_a_search_without_users_is_explained(client):
    result = await client("xhs_search_users", keyword="空")
    assert (result["items"], result["complete"], result["warnings"]) == ([], True, ["小红书没有找到这个词的用户"])


@pytest.mark.parametrize(
    ("keyword", "code"), [("用户验证码", "CAPTCHA_REQUIRED"), ("登录墙", "LOGIN_REQUIRED"), ("频繁", "RATE_LIMITED")]
)
async def test_a_wall_in_a_search_for_users_is_an_error(client, keyword, code):
    assert (await client.refusal("xhs_search_users", keyword=keyword)).startswith(f"{code}：")
