"""Tests of what agents read from the official API, and of its refusals."""

from __future__ import annotations

import re

import pytest
from dyber_kit import Settings

from tests.stand_in.platforms.zhihu import data
from tests.stand_in.platforms.zhihu.site import SECRET
from tests.stand_in.running import free_port

from zhihu_server.config import SECRET_SETTING

CALLS = {
    "list_hot": {},
    "search_content": {"query": "习惯"},
    "get_question": {"question": data.QUESTION},
}


async def test_the_hot_list_is_read_once_for_a_quarter_of_an_hour(ask, state):
    first = await ask("list_hot", limit=5)
    again = await ask("list_hot", limit=30)
    assert (first["count"], again["count"], state.count("GET /api/v1/content/hot_list")) == (5, 30, 1)
    assert (first["source"], again["source"]) == ("official", "cache")
    assert first["fetched_at"].endswith("+08:00") and first["fetched_at"] == again["fetched_at"]
    assert first["items"][0] == {"rank": 1, "ref": "question:1", "title": "热点 1", "excerpt": "摘要 1"}
    assert first["items"][4]["ref"] == "article:5"


async def test_requests_have_the_secret_and_a_fresh_time(ask, state):
    await ask("list_hot")
    headers = state.headers[0]
    assert headers["authorization"] == f"Bearer {SECRET}" and headers["x-request-timestamp"].isdecimal()


async def test_a_search_is_slim_and_its_refs_can_be_read(ask, state):
    answer = await ask("search_content", query="习惯", limit=2)
    assert answer["items"][0] == {
        "ref": "answer:1",
        "title": "习惯与意志力 1",
        "excerpt": "习惯比意志力可靠 1",
        "author": "作者1",
        "votes": 99,
        "comments": 3,
        "date": "2025-04-24",
    }
    assert answer["applied"] == {"scope": "zhihu"} and not answer["complete"]
    assert "Count=10" in state.requests[0] and "Limit" not in state.requests[0]
    verbose = (await ask("search_content", query="习惯", limit=1, verbose=True))["items"][0]
    assert verbose["authority"] == 2 and verbose["featured_comments"] == ["说得好"] and verbose["url"]


async def test_the_web_is_searched_with_the_site_of_each_result(ask, state):
    answer = await ask("search_content", query="习惯", scope="web", limit=20, sort="newest")
    assert answer["count"] == 20 and answer["items"][0]["site"] == "news.example.com"
    assert answer["items"][0]["url"] == "https://news.example.com/1" and "没有筛选" in answer["warnings"][0]


async def test_answers_are_paged_by_the_apis_own_offset(ask, state):
    answer = await ask("get_question", question=data.QUESTION, answers=5)
    assert answer["count"] == 4 and answer["answers_total"] == data.ANSWERS and "摘要" in answer["items"][0]["text"]
    assert "title" not in answer and any("source=browser" in warning for warning in answer["warnings"])
    following = await ask("get_question", question=data.QUESTION, answers=5, cursor=answer["next_cursor"])
    assert "Offset=5" in state.requests[-1] and following["items"][0]["ref"] == f"answer:{int(data.ANSWER) + 6}"
    last = await ask("get_question", question=data.QUESTION, answers=20, cursor=following["next_cursor"])
    assert last["complete"] and "next_cursor" not in last


async def test_answers_without_paging_are_not_called_complete(ask, state):
    state.switches = {"no-paging"}
    answer = await ask("get_question", question=data.QUESTION, answers=3)
    assert answer["count"] == 3 and answer["complete"] is False and "next_cursor" not in answer


async def test_empty_answers_are_no_errors(ask, state):
    state.switches = {"api-empty"}
    assert (await ask("search_content", query="无人问津"))["items"] == []
    assert (await ask("list_hot"))["items"] == []


async def test_odd_shapes_are_read_as_far_as_they_go(ask, state):
    state.switches = {"api-odd"}
    items = (await ask("search_content", query="奇怪", verbose=True))["items"]
    assert items[0] == {"title": "只有标题", "votes": 12000, "date": "2025-04-24"}
    assert len(items) == 2 and "url" not in items[1] and "ref" not in items[1]


@pytest.mark.parametrize("tool", CALLS)
@pytest.mark.parametrize(
    ("switch", "code"),
    [
        ("expired", "LOGIN_EXPIRED"),
        ("limited", "RATE_LIMITED"),
        ("used-up", "QUOTA_EXHAUSTED"),
        ("quota", "QUOTA_EXHAUSTED"),
        ("risk", "ACCESS_RESTRICTED"),
        ("internal", "UPSTREAM_UNREACHABLE"),
        ("api-changed", "UPSTREAM_CHANGED"),
    ],
)
async def test_each_refusal_has_its_code(refused, state, tool, switch, code):
    state.switches = {switch}
    text = await refused(tool, source="official", **CALLS[tool])
    assert text.startswith(f"{code}：") and SECRET not in text


async def test_an_expired_secret_is_named(refused, state):
    state.switches = {"expired"}
    assert SECRET_SETTING in await refused("list_hot", source="official")


async def test_a_rate_limit_is_not_avoided_by_reading_a_page(refused, state):
    state.switches = {"limited"}
    assert "RATE_LIMITED：" in await refused("list_hot")
    assert state.count("GET /hot") == 0


async def test_a_used_up_quota_tells_until_when_and_is_not_tried_again(refused, state):
    state.switches = {"used-up"}
    text = await refused("list_hot", source="official")
    assert "热榜今天的额度（100 次）已用完" in text and re.search(r"\d\d:\d\d", text)
    asked = state.count("GET /api/v1/content/hot_list")
    assert "QUOTA_EXHAUSTED：" in await refused("list_hot", source="official")
    assert state.count("GET /api/v1/content/hot_list") == asked == 1


async def test_a_limit_of_the_hot_list_does_not_hold_up_searches(ask, refused, state):
    state.switches = {"limited"}
    await refused("list_hot", source="official")
    state.switches = set()
    assert (await ask("search_content", query="习惯"))["count"] == 10


async def test_after_a_refusal_by_risk_control_nothing_is_asked_for_a_while(refused, state):
    state.switches = {"risk"}
    await refused("list_hot", source="official")
    asked = len(state.requests)
    state.switches = set()
    assert "15 分钟后再试" in await refused("search_content", query="习惯", source="official")
    assert len(state.requests) == asked


async def test_a_refusal_of_a_generated_answer_by_risk_control_stops_all_requests(make, refused, state):
    state.switches = {"risk"}
    app = make(allow_ask=True)
    assert "ACCESS_RESTRICTED：" in await refused("ask", app=app, query="习惯可靠吗")
    asked = len(state.requests)
    state.switches = set()
    assert "15 分钟后再试" in await refused("list_hot", app=app, source="official")
    assert len(state.requests) == asked


async def test_without_a_secret_the_web_cannot_be_searched_and_the_setting_is_named(make, refused, state):
    text = await refused("search_content", app=make(secret=None), query="习惯", scope="web")
    assert "NOT_CONFIGURED：" in text and SECRET_SETTING in text and "developer.zhihu.com" in text


async def test_the_status_tells_the_quotas_without_using_any(ask, state):
    await ask("list_hot")
    answer = await ask("status", check_login=False)
    hot = next(quota for quota in answer["quotas"] if quota["name"] == "hot_list")
    assert hot == {"name": "hot_list", "title": "热榜", "total": 100, "used": 1, "left": 99, "used_here": 1}
    assert answer["official"] and answer["quotas_reset_at"].endswith("T00:00:00+08:00")
    assert state.used["hot_list"] == 1 and "logged_in" not in answer


async def test_the_status_falls_back_to_its_own_counts(make, ask, state):
    state.switches = {"no-quotas"}
    answer = await ask("status", check_login=False)
    assert "本服务自己的计数" in answer["warnings"][0] and answer["quotas"][0]["total"] == 5000
    none = await ask("status", app=make(secret=None), check_login=False)
    assert not none["official"] and SECRET_SETTING in none["warnings"][0]


async def test_generated_answers_need_the_operators_consent(make, ask, refused, state):
    assert "ZHIHU_ALLOW_ASK" in await refused("ask", query="习惯可靠吗")
    assert state.requests == []
    app = make(allow_ask=True)
    answer = await ask("ask", app=app, query="习惯可靠吗")
    assert answer["text"] == "关于习惯可靠吗：看情况。" and "生成" in answer["warnings"][0]
    state.switches = {"api-empty"}
    assert "UPSTREAM_CHANGED：" in await refused("ask", app=app, query="习惯可靠吗")
    state.switches = {"expired"}
    assert "LOGIN_EXPIRED：" in await refused("ask", app=app, query="习惯可靠吗")


async def test_privacy_mode_hides_authors(make, ask, state, tmp_path):
    app = make(Settings(port=free_port(), data_dir=tmp_path, privacy=True))
    items = (await ask("search_content", app=app, query="习惯", limit=1))["items"]
    assert items[0]["author"] == "作**"


async def test_a_cursor_of_another_question_is_refused(ask, refused, state):
    answer = await ask("get_question", question=data.QUESTION, answers=5)
    text = await refused("get_question", question="99", source="official", cursor=answer["next_cursor"])
    assert "INVALID_ARGUMENT：" in text


@pytest.mark.parametrize("name", ["hot", "search", "answers", "quota"])
def test_the_stand_in_serves_exactly_the_documented_fields(name):
    served = {
        "hot": data.official_hot(1),
        "search": data.official_result(1),
        "answers": data.official_answer(1),
        "quota": data.quotas(dict.fromkeys(data_totals(), 0), data_totals())[0],
    }
    assert set(served[name]) == data.FIELDS[name]


def data_totals():
    from tests.stand_in.platforms.zhihu.site import TOTALS

    return TOTALS
