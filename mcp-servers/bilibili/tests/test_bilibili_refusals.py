"""Tests that every wall of the site is an error with its code, and never an empty result."""

from __future__ import annotations

import httpx2
import pytest
from mcp import Client

from tests.stand_in.platforms.bilibili.data import BVID, MID, bvid

SEARCH = ("search_content", {"keyword": "咖啡"})
HOT = ("list_hot", {})
VIDEO = ("get_video", {"video": BVID, "comments": 0})
USER = ("get_user", {"user": MID})


@pytest.mark.parametrize(
    ("case", "question", "code"),
    [
        ("page_412", SEARCH, "RATE_LIMITED"),
        ("page_412", VIDEO, "RATE_LIMITED"),
        ("captcha", VIDEO, "CAPTCHA_REQUIRED"),
        ("login_wall", SEARCH, "LOGIN_REQUIRED"),
        ("page_404", VIDEO, "NOT_FOUND"),
        ("page_500", HOT, "UPSTREAM_UNREACHABLE"),
        ("new_layout", VIDEO, "UPSTREAM_CHANGED"),
        ("new_layout", USER, "UPSTREAM_CHANGED"),
        ("risk", USER, "ACCESS_RESTRICTED"),
        ("risk", SEARCH, "ACCESS_RESTRICTED"),
        ("voucher", SEARCH, "ACCESS_RESTRICTED"),
        ("voucher", USER, "ACCESS_RESTRICTED"),
        ("voucher", HOT, "ACCESS_RESTRICTED"),
        ("intercepted", HOT, "RATE_LIMITED"),
        ("call_412", SEARCH, "RATE_LIMITED"),
        ("busy", USER, "RATE_LIMITED"),
        ("logged_out", USER, "LOGIN_REQUIRED"),
        ("private", USER, "ACCESS_RESTRICTED"),
        ("nobody", USER, "NOT_FOUND"),
        ("unknown", HOT, "ACCESS_RESTRICTED"),
        ("broken", HOT, "UPSTREAM_UNREACHABLE"),
        ("changed", SEARCH, "UPSTREAM_CHANGED"),
        ("changed", HOT, "UPSTREAM_CHANGED"),
        ("risk_later", ("list_hot", {"limit": 50}), "ACCESS_RESTRICTED"),
        ("lost", SEARCH, "UPSTREAM_CHANGED"),
        ("removed", VIDEO, "NOT_FOUND"),
        ("only_author", VIDEO, "ACCESS_RESTRICTED"),
        ("other_video", VIDEO, "UPSTREAM_CHANGED"),
        ("series", VIDEO, "INVALID_ARGUMENT"),
        ("closed", ("get_comments", {"video": BVID}), "ACCESS_RESTRICTED"),
        ("comments_risk", ("get_comments", {"video": BVID}), "ACCESS_RESTRICTED"),
        ("no_subtitles", ("get_subtitle", {"video": BVID, "account": "member"}), "NOT_FOUND"),
        ("changed", ("get_subtitle", {"video": BVID, "account": "member"}), "UPSTREAM_CHANGED"),
        ("changed_file", ("get_subtitle", {"video": BVID, "account": "member"}), "UPSTREAM_CHANGED"),
        ("other_host", ("get_subtitle", {"video": BVID, "account": "member"}), "UPSTREAM_CHANGED"),
        ("risk", ("get_subtitle", {"video": BVID, "account": "member"}), "ACCESS_RESTRICTED"),
        ("", ("get_subtitle", {"video": BVID}), "LOGIN_REQUIRED"),
        ("intercepted", ("list_hot", {"kind": "hot_words"}), "RATE_LIMITED"),
        ("not_json", ("list_hot", {"kind": "hot_words"}), "UPSTREAM_CHANGED"),
        ("changed", ("list_hot", {"kind": "hot_words"}), "UPSTREAM_CHANGED"),
    ],
)
async def test_each_wall_has_its_code(refused, site, case, question, code):
    site.app.state.case = case
    tool, arguments = question
    assert (await refused(tool, **arguments)).startswith(f"{code}：")


async def test_an_unknown_video_and_an_unknown_user_are_not_found(refused):
    assert (await refused("get_video", video=bvid(3))).startswith("NOT_FOUND：B站提示：啥都木有")
    assert (await refused("get_user", user="404")).startswith("NOT_FOUND")


async def test_another_page_than_the_one_asked_for_is_refused(ask, refused, site):
    first = await ask("get_user", user=MID, videos=50)
    site.app.state.case = "stuck"
    error = await refused("get_user", user=MID, videos=50, cursor=first["next_cursor"])
    assert error.startswith("UPSTREAM_CHANGED：B站显示的不是第 2 页")


async def test_a_cursor_of_another_question_is_refused(ask, refused):
    cursor = (await ask("search_content", keyword="咖啡", limit=1))["next_cursor"]
    assert (await refused("search_content", keyword="茶", cursor=cursor)).startswith("INVALID_ARGUMENT")


async def test_a_risk_check_of_the_comments_pauses_visits_although_the_video_is_shown(
    serve, site, tmp_path, ask, refused
):
    with serve(tmp_path, pause_seconds=900) as base:
        site.app.state.case = "comments_risk"
        video = await ask("get_video", base, video=BVID, comments=5)
        site.app.state.case = ""
        error = await refused("get_video", base, video=BVID)
    assert video["title"] and "风控校验失败" in video["warnings"][0]
    assert error.startswith("ACCESS_RESTRICTED：") and "分钟" in error


async def test_no_results_are_no_failure_and_are_explained(ask, site):
    site.app.state.case = "empty"
    result = await ask("search_content", keyword="没有的词")
    assert (result["items"], result["complete"], result["warnings"]) == ([], True, ["B站没有找到这些词的结果"])


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [("list_hot", {"limit": 20}, "榜单"), ("get_comments", {"video": BVID, "limit": 21, "account": "member"}, "评论")],
)
async def test_a_list_that_stops_before_the_cursor_is_an_error(
    serve, site, tmp_path, ask, refused, tool, arguments, words
):
    with serve(tmp_path, cache_seconds=600) as base:
        first = await ask(tool, base, **arguments)
        site.app.state.case = "stalled"
        error = await refused(tool, base, **arguments, cursor=first["next_cursor"])
    assert error.startswith("TIMEOUT：") and words in error


async def test_a_slow_page_is_waited_for(ask, site):
    site.app.state.case = "slow"
    assert (await ask("search_content", keyword="咖啡", limit=1))["count"] == 1
    assert (await ask("list_hot", kind="ranking", limit=1))["count"] == 1


async def test_a_page_that_stays_empty_is_an_error_and_names_the_platform(refused, site):
    site.app.state.case = "not_json"
    assert (await refused("list_hot")).split("：")[0] in ("TIMEOUT", "UPSTREAM_CHANGED")


@pytest.mark.parametrize(("case", "words"), [("closed", "评论区已关闭"), ("comments_risk", "风控校验失败")])
async def test_a_video_is_shown_without_comments_that_the_site_refuses(ask, site, case, words):
    site.app.state.case = case
    video = await ask("get_video", video=BVID, comments=5)
    assert video["title"] and video["comments"] == [] and words in video["warnings"][0]


async def test_a_video_without_comments_has_no_warning(ask, site):
    site.app.state.case = "no_comments"
    video = await ask("get_video", video=BVID, comments=5, account="member")
    comments = await ask("get_comments", video=BVID, account="member")
    assert (video["comments"], video["comments_complete"], video["warnings"]) == ([], True, [])
    assert (comments["items"], comments["complete"], comments["warnings"]) == ([], True, [])


async def test_comments_that_are_refused_midway_are_shown_as_far_as_they_came(ask, site):
    site.app.state.case = "comments_risk_later"
    video = await ask("get_video", video=BVID, comments=40, account="member")
    comments = await ask("get_comments", video=BVID, limit=40, account="member")
    assert (comments["count"], comments["complete"]) == (21, False) and "风控校验失败" in comments["warnings"][0]
    assert len(video["comments"]) == 21 and not video["comments_complete"]
    assert "风控校验失败" in video["warnings"][0]


async def test_odd_values_are_read_as_far_as_possible(ask, site):
    site.app.state.case = "odd"
    hit = (await ask("search_content", keyword="咖啡", verbose=True))["items"]
    assert len(hit) == 1 and hit[0]["views"] == 12_000 and hit[0]["duration"] == "1:02:03"
    assert hit[0]["title"].startswith("咖啡☕️👩‍💻长") and len(hit[0]["title"]) <= 200
    assert not {"likes", "favorites", "tags", "description", "author"} & hit[0].keys()
    video = await ask("get_video", video=BVID, comments=5)
    assert (video["views"], video["author"], video["tags"], video["description"]) == (12_000, {}, [], "")
    assert "likes" not in video and "published_at" not in video
    assert [comment["likes"] for comment in video["comments"] if "likes" in comment] == [34_000]


async def test_a_session_that_has_expired_is_reported(ask, refused, site):
    site.app.state.case = "expired"
    assert (await ask("login_status", account="member"))["logged_in"] is False
    site.app.state.case = "logged_out"
    assert (await refused("get_user", user=MID, account="member")).startswith("LOGIN_EXPIRED：")


async def test_an_expired_session_reads_as_a_guest_and_says_so(ask, refused, site):
    site.app.state.case = "expired"
    assert (await refused("get_subtitle", video=BVID, account="member")).startswith("LOGIN_EXPIRED：")
    video = await ask("get_video", video=BVID, comments=10, account="member")
    comments = await ask("get_comments", video=BVID, account="member")
    assert len(video["comments"]) == 4 and "没有登录" in video["warnings"][0] and "没有登录" in comments["warnings"][0]


async def test_a_refusal_pauses_all_accounts_and_the_status_says_until_when(serve, site, tmp_path, ask, refused):
    with serve(tmp_path, pause_seconds=900) as base:
        site.app.state.case = "risk"
        first = await refused("get_user", base, user=MID)
        site.app.state.case, site.app.state.opened = "", []
        second = await refused("search_content", base, keyword="咖啡", account="member")
        status = await ask("login_status", base)
    assert first.startswith("ACCESS_RESTRICTED：") and "15 分钟" in first
    assert second.startswith("ACCESS_RESTRICTED：") and site.app.state.opened == []
    assert (status.get("logged_in"), status["risk"]) == (None, "restricted")
    assert status["paused_until"].endswith("+08:00")


async def test_the_days_pages_are_counted(serve, site, tmp_path, ask, refused):
    with serve(tmp_path, daily_pages=1) as base:
        await ask("list_hot", base, limit=1)
        assert (await refused("list_hot", base, limit=1)).startswith("RATE_LIMITED：")


async def english(base: str, tool: str, **arguments: object) -> str:
    """Return the whole answer to a call that wants English."""
    body = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": f"bilibili_{tool}", "arguments": arguments},
    }  # fmt: skip
    headers = {"Accept-Language": "en", "Accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        return (await http.post(f"{base}/mcp", json=body)).text


async def test_errors_are_english_for_english_callers(service, site):
    answer = await english(service, "get_video", video="https://example.com/video/BV1Stand1n11")
    assert "The link does not belong to Bilibili" in answer


async def test_warnings_from_the_cache_have_the_language_of_the_caller(serve, site, tmp_path, ask):
    site.app.state.case = "comments_risk_later"
    with serve(tmp_path, cache_seconds=600) as base:
        chinese = await ask("get_comments", base, video=BVID, limit=40, account="member")
        # What is kept suffices for a part of it.
        answer = await english(base, "get_comments", video=BVID, limit=20, account="member")
    assert "B站提示：" in chinese["warnings"][0]
    assert '"source":"cache"' in answer.replace(" ", "").replace("\\", "") and " says: " in answer


async def test_the_site_is_never_asked_for_a_signed_call_by_the_service_itself(service, site):
    async with Client(f"{service}/mcp") as client:
        await client.call_tool("bilibili_search_content", {"keyword": "咖啡"})
    assert site.app.state.opened == ["/video"]
