"""Tests of searches, users, the home feed, suggestions, links and analyses on the stand-in."""

from __future__ import annotations

import pytest
from dyber_kit import Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from xiaohongshu_server.model.filters import PANEL, SearchFilters
from xiaohongshu_server.service import build_app

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller, stand_in_settings
from tests.stand_in.running import free_port, running

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"
USER_REF = f"{data.USER}:{data.USER_TOKEN}"


@pytest.fixture
def client(xiaohongshu: str) -> Caller:
    return Caller(xiaohongshu)


def search_requests(stand_in, keyword: str) -> list[dict]:
    """Return the requests of the search page to the site for `keyword`."""
    return [body for body in stand_in.app.state.searches if body["keyword"] == keyword]


async def test_filters_are_chosen_in_the_panel_and_the_new_list_is_read(client, stand_in):
    result = await client(
        "xhs_search_notes", keyword="筛选", sort="most_liked", note_type="video", publish_time="week", limit=3
    )
    assert [item["title"] for item in result["items"]] == [
        f"筛选笔记{n}〔最多点赞〕〔视频〕〔一周内〕" for n in range(3)
    ]
    assert {item["type"] for item in result["items"]} == {"video"}
    last = search_requests(stand_in, "筛选")[-1]["filters"]
    assert [(entry["type"], entry["tags"]) for entry in last] == [
        ("排序依据", ["最多点赞"]), ("笔记类型", ["视频"]), ("发布时间", ["一周内"]),
    ]  # fmt: skip


async def test_a_filtered_search_keeps_its_filters_while_scrolling(client):
    result = await client("xhs_search_notes", keyword="翻页筛选", sort="latest", limit=30)
    assert result["count"] == 30
    assert all("〔最新〕" in item["title"] for item in result["items"])


async def test_a_filter_that_leaves_nothing_gives_an_empty_list(client):
    result = await client("xhs_search_notes", keyword="近处", distance="nearby")
    assert (result["items"], result["complete"], result.get("next_cursor")) == ([], True, None)


async def test_the_error_for_a_page_without_the_panel_names_the_filter(client, monkeypatch):
    monkeypatch.setattr("xiaohongshu_server.reading.searches.CLICK_MS", 500)
    text = await client.refusal("xhs_search_notes", keyword="无筛选", scope="following")
    assert text.startswith("UPSTREAM_CHANGED：搜索页没有找到筛选“搜索范围：已关注”")


async def test_an_unknown_filter_is_refused_before_a_page_is_opened(client, stand_in):
    text = await client.refusal("xhs_search_notes", keyword="错误筛选", sort="最热")
    assert text.startswith("INVALID_ARGUMENT")
    assert "sort" in text
    assert search_requests(stand_in, "错误筛选") == []


def test_only_filters_that_differ_from_the_defaults_are_clicked():
    assert SearchFilters().chosen() == []
    assert SearchFilters(note_type="image", distance="same_city").chosen() == [
        ("笔记类型", "图文"),
        ("位置距离", "同城"),
    ]


def test_every_value_but_the_default_has_a_label_in_the_panel():
    hints = SearchFilters.__annotations__
    assert set(PANEL) == set(hints)
    for name, (_, words) in PANEL.items():
        assert getattr(SearchFilters(), name) not in words


async def test_the_state_of_an_earlier_search_is_not_used(client):
    result = await client("xhs_search_notes", keyword="旧状态", limit=2)
    assert [item["title"] for item in result["items"]] == ["旧状态笔记0", "旧状态笔记1"]


async def test_the_pages_of_a_search_have_no_gaps_and_no_duplicates(client):
    titles, cursor = [], ""
    for _ in range(10):
        page = await client("xhs_search_notes", keyword="分页", limit=20, cursor=cursor)
        titles += [item["title"] for item in page["items"]]
        cursor = page.get("next_cursor", "")
        if not cursor:
            break
    assert titles == [f"分页笔记{n}" for n in range(data.SEARCH_TOTAL)]
    assert page["complete"] is True


async def test_a_cursor_of_another_search_is_refused(client):
    page = await client("xhs_search_notes", keyword="分页", limit=1)
    text = await client.refusal("xhs_search_notes", keyword="别的", limit=1, cursor=page["next_cursor"])
    assert text.startswith("INVALID_ARGUMENT：cursor")


async def test_a_short_result_is_complete(client):
    result = await client("xhs_search_notes", keyword="少")
    assert (result["count"], result["complete"], result.get("next_cursor")) == (3, True, None)


async def test_the_error_for_a_refused_account_says_to_stop(client):
    text = await client.refusal("xhs_search_notes", keyword="封禁")
    assert text.startswith("ACCESS_RESTRICTED：")
    assert "不要换账号" in text


async def test_lists_are_cut_to_the_longest_answer_and_the_cursor_continues_there(chromium, site):
    app = build_app(
        Settings(port=free_port(), max_answer_chars=5000),
        stand_in_settings(site, cache_seconds=60),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        client = Caller(base)
        result = await client.result("xhs_search_notes", keyword="长", limit=30)
        first = result.structured_content
        assert len(result.content[0].text) <= 5000
        assert 0 < first["count"] < 30
        rest = await client("xhs_search_notes", keyword="长", limit=1, cursor=first["next_cursor"])
        assert rest["items"][0]["title"] == f"长笔记{first['count']}"
        comments = await client("xhs_get_comments", note=REF, limit=100, include_replies=True)
        assert ("next_cursor" in comments, comments["complete"]) == (True, False)
        assert comments["count"] < data.COMMENT_TOTAL


async def test_cached_answers_open_no_page_and_are_marked_as_cached(chromium, stand_in):
    app = build_app(
        Settings(port=free_port()),
        stand_in_settings(stand_in.base, cache_seconds=60),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        client = Caller(base)
        first = await client("xhs_search_notes", keyword="缓存", limit=15)
        calls = len(search_requests(stand_in, "缓存"))
        second = await client("xhs_search_notes", keyword="缓存", limit=10)
        rest = await client("xhs_search_notes", keyword="缓存", limit=5, cursor=second["next_cursor"])
        assert (first["source"], second["source"], rest["source"]) == ("browser", "cache", "cache")
        assert second["items"] + rest["items"] == first["items"]
        assert len(search_requests(stand_in, "缓存")) == calls
        first_part = await client("xhs_get_comments", note=REF, limit=2, include_replies=True)
        await client("xhs_get_comments", note=REF, limit=2, include_replies=True, cursor=first_part["next_cursor"])
        again = await client("xhs_get_comments", note=REF, limit=2, include_replies=True)
        assert again == first_part | {"source": "cache"}
        note = await client("xhs_get_note", note=REF, comments=0)
        cached = await client("xhs_get_note", note=REF, comments=0)
        assert cached == note | {"source": "cache"}


async def test_page_visits_wait_for_their_turn(chromium, site):
    app = build_app(
        Settings(port=free_port()),
        stand_in_settings(site, interval_seconds=60, queue_seconds=1),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        client = Caller(base)
        assert (await client("xhs_search_notes", keyword="第一", limit=1))["count"] == 1
        assert (await client.refusal("xhs_search_notes", keyword="第二")).startswith("BUSY：")


async def test_after_a_captcha_no_page_is_opened(chromium, stand_in):
    app = build_app(
        Settings(port=free_port()),
        stand_in_settings(stand_in.base, pause_seconds=600),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        client = Caller(base)
        assert (await client.refusal("xhs_search_notes", keyword="验证码")).startswith("CAPTCHA_REQUIRED：")
        calls = len(stand_in.app.state.searches)
        text = await client.refusal("xhs_search_notes", keyword="咖啡")
        assert text.startswith("CAPTCHA_REQUIRED：")
        assert "已暂停访问平台" in text
        assert len(stand_in.app.state.searches) == calls


async def test_a_user_has_counts_and_notes(client, site):
    user = await client("xhs_get_user", user=USER_REF, notes=15)
    assert (user["name"], user["red_id"], user["location"]) == ("用户7", "123456789", "上海")
    assert user["description"] == "每天一杯手冲"
    assert (user["follows"], user["fans"], user["likes_and_collects"]) == (100, 12_000, 100_000)
    assert user["lower_bounds"] == ["likes_and_collects"]
    assert user["tags"] == ["咖啡博主"]
    assert [note["title"] for note in user["notes"]] == [f"用户7的笔记{n}" for n in range(15)]
    assert user["notes_complete"] is False
    assert user["url"].startswith(f"{site}/user/profile/{data.USER}?xsec_token=")


async def test_a_complete_list_of_a_users_notes_is_marked_as_complete(client):
    user = await client("xhs_get_user", user=USER_REF, notes=40)
    assert (len(user["notes"]), user["notes_complete"]) == (data.USER_NOTES, True)


async def test_a_user_without_notes_has_an_empty_list(client, monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.visits.STALL_SECONDS", 1)
    user = await client("xhs_get_user", user=f"{data.EMPTY_USER}:{data.USER_TOKEN}")
    assert (user["notes"], user["name"]) == ([], "用户18")


async def test_a_user_ref_of_a_search_opens_the_profile(client):
    result = await client("xhs_search_notes", keyword="作者", limit=1, verbose=True)
    user = await client("xhs_get_user", user=result["items"][0]["user_ref"], notes=0)
    assert user["name"] == result["items"][0]["author"]


async def test_the_author_of_a_comment_is_opened_by_the_token_of_the_comment(client):
    comments = await client("xhs_get_comments", note=REF, limit=4, verbose=True)
    comment = comments["items"][3]
    assert ":" not in comment["user_ref"]
    assert (await client("xhs_get_user", user=comment["user_ref"], notes=0))["name"] == comment["author"]


@pytest.mark.parametrize(
    ("user", "code", "shown"),
    [
        (f"{data.CLOSED_USER}:{data.USER_TOKEN}", "ACCESS_RESTRICTED", "违规"),
        ("5f" + "9" * 22, "NOT_FOUND", "xsec_token"),
        ("https://example.com/user/profile/" + data.USER, "INVALID_ARGUMENT", "不属于小红书"),
        (f"https://www.xiaohongshu.com/explore/{data.NORMAL_NOTE}", "INVALID_ARGUMENT", "不是用户主页"),
    ],
)
async def test_the_error_for_a_user_that_cannot_be_read_gives_the_reason(client, user, code, shown):
    text = await client.refusal("xhs_get_user", user=user)
    assert text.startswith(f"{code}：")
    assert shown in text


async def test_the_home_feed_has_notes_and_no_live_rooms(client):
    result = await client("xhs_home_feed", limit=12)
    assert [item["title"] for item in result["items"]] == [f"推荐笔记{n}" for n in range(100, 112)]
    assert (result["items"][5]["likes"], "comments" in result["items"][5]) == (5, False)


async def test_suggestions_begin_with_the_keyword(client):
    assert (await client("xhs_suggest", keyword="咖啡"))["words"] == ["咖啡", "咖啡推荐", "咖啡教程"]


async def test_suggestions_are_read_without_a_keyword(client):
    assert (await client("xhs_suggest"))["words"] == [f"热词{n}" for n in range(12)]


async def test_a_captcha_instead_of_suggestions_is_an_error(client):
    assert (await client.refusal("xhs_suggest", keyword="验证码")).startswith("CAPTCHA_REQUIRED：")


@pytest.mark.parametrize("code", ["note", "hop"])
async def test_a_share_link_in_a_text_leads_to_its_note(client, site, code):
    shared = f"手冲咖啡入门 {site}/o/{code} 复制后打开【小红书】查看笔记！"
    note = await client("xhs_get_note", note=shared, comments=0)
    assert note["note_ref"] == REF
    assert note["url"].startswith(f"{site}/explore/{data.NORMAL_NOTE}?")


async def test_a_share_link_to_a_profile_leads_to_its_user(client, site):
    assert (await client("xhs_get_user", user=f"{site}/o/user", notes=0))["user_ref"] == USER_REF


async def test_a_link_for_another_tool_is_refused_with_the_name_of_that_tool(client, site, stand_in):
    stand_in.app.state.pages.clear()
    text = await client.refusal("xhs_get_note", note=f"{site}/o/user")
    assert text.startswith("INVALID_ARGUMENT：这是用户主页的链接，不是笔记。下一步：请把这个链接交给 xhs_get_user")
    text = await client.refusal("xhs_get_user", user=f"{site}/o/note")
    assert text.startswith("INVALID_ARGUMENT：这是笔记的链接，不是用户主页。下一步：请把这个链接交给 xhs_get_note")
    assert stand_in.app.state.pages == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/o/away", "INVALID_ARGUMENT：链接不属于小红书"),
        ("/o/loop", "NOT_FOUND：短链接的跳转次数过多"),
        ("/o/gone", "NOT_FOUND：短链接已失效"),
        ("/o/home", "INVALID_ARGUMENT：链接里没有笔记编号"),
    ],
)
async def test_the_error_for_an_invalid_share_link_gives_the_reason(client, site, path, text):
    assert (await client.refusal("xhs_get_note", note=site + path)).startswith(text)


async def test_replies_behind_the_button_are_loaded(client):
    comments = await client("xhs_get_comments", note=REF, limit=3, include_replies=True)
    assert [len(comment["replies"]) for comment in comments["items"]] == [1, data.REPLY_TOTAL, 1]
    assert comments["items"][1]["reply_count"] == data.REPLY_TOTAL


async def test_a_captcha_at_the_comments_is_an_error(client):
    text = await client.refusal("xhs_get_comments", note=f"{data.GUARDED_NOTE}:{data.TOKEN}")
    assert text.startswith("CAPTCHA_REQUIRED：")


async def test_a_page_refused_with_461_is_a_captcha(client):
    text = await client.refusal("xhs_get_note", note=f"{data.REFUSED_NOTE}:{data.TOKEN}")
    assert text.startswith("CAPTCHA_REQUIRED：")


async def test_the_state_of_another_note_is_not_used(client):
    note = await client("xhs_get_note", note=f"{data.OLD_STATE_NOTE}:{data.TOKEN}", comments=0)
    assert note["title"] == "手冲咖啡入门"


async def test_an_analysis_reads_a_search_and_opens_some_of_its_notes(client):
    result = await client("xhs_analyze", keyword="咖啡", sample=12, detail_sample=2)
    assert (result["sample"]["n"], result["sample"]["n_detail"], result["sample"].get("partial")) == (12, 2, None)
    assert (result["engagement"]["likes"]["n"], result["engagement"]["likes"]["max"]) == (11, 17_000)
    assert result["top_tags"][0] == {"tag": "咖啡", "count": 2, "median_likes": result["top_tags"][0]["median_likes"]}
    assert result["comment_themes"] == []
    assert any("排序" in caveat for caveat in result["caveats"])


async def test_an_analysis_of_a_user_reads_the_profile(client):
    result = await client("xhs_analyze", user=USER_REF, sample=10, detail_sample=0)
    assert (result["sample"]["n"], result["top_authors"][0]["name"]) == (10, "用户7")


async def test_an_analysis_of_listed_notes_leaves_out_a_deleted_note(client):
    gone = f"{data.REMOVED_NOTE}:{data.TOKEN}"
    result = await client("xhs_analyze", notes=f"{REF} {gone}")
    assert (result["sample"]["n"], result["sample"].get("partial")) == (1, True)


@pytest.mark.parametrize("arguments", [{}, {"keyword": "a", "user": USER_REF}])
async def test_an_analysis_needs_exactly_one_subject(client, arguments):
    assert (await client.refusal("xhs_analyze", **arguments)).startswith("INVALID_ARGUMENT：")
