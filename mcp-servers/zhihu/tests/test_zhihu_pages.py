"""Tests of what agents read from pages, in a real Chromium on the stand-in."""

from __future__ import annotations

import asyncio
import io

import pytest
from dyber_kit import Settings
from zhihu_results import answer_of, error_of, write_session

from tests.stand_in.platforms.zhihu import data
from tests.stand_in.running import free_port

from zhihu_server import session


async def test_a_question_is_read_with_whole_answers_in_the_pages_order(browse, state):
    async with browse() as client:

        async def ask(**arguments):
            chosen = {"question": f"https://www.zhihu.com/question/{data.QUESTION}?utm=1", "source": "browser"}
            return answer_of(await client.call_tool("zhihu_get_question", {**chosen, **arguments}))

        answer = await ask(answers=8)
        following = await ask(answers=8, cursor=answer["next_cursor"])
        short = await ask(answers=1, max_chars=50, verbose=True)
        none = await ask(answers=0, source="auto")
    assert (answer["title"], answer["views"], answer["answers_total"]) == ("习惯和意志力哪个更可靠？", 1_203_004, 23)
    assert (
        answer["topics"] == ["心理学", "习惯"]
        and answer["detail"].startswith("最近在读")
        and answer["source"] == "browser"
    )
    refs = [item["ref"] for item in [*answer["items"], *following["items"]]]
    assert refs == [f"answer:{int(data.ANSWER) + number}" for number in range(16)]
    assert answer["items"][0]["text"].startswith("先说结论：值得。") and "<不是广告>" in answer["items"][0]["text"]
    assert "E=mc^2" in answer["items"][0]["text"] and "👨‍👩‍👧" in answer["items"][0]["text"]
    assert answer["items"][0]["votes"] == 1199 and answer["items"][0]["date"] == "2025-04-24"
    assert short["items"][0]["truncated"] and short["items"][0]["author_ref"] == "user:user-1"
    assert none["items"] == [] and none["title"] and state.count("GET /api/v1/") == 0


async def test_other_calls_about_a_question_do_not_end_its_answers(browse, state):
    async with browse() as client:
        arguments = {"question": data.QUESTION, "source": "browser", "answers": 6}
        answer = answer_of(await client.call_tool("zhihu_get_question", arguments))
    assert state.count(f"GET /api/v4/questions/{data.QUESTION}/similar-questions") == 1
    assert (answer["count"], answer["complete"]) == (6, False)


async def test_an_answer_is_read_with_comments_from_the_box_that_scrolls(browse, state):
    async with browse() as client:
        link = (
            f"【知乎】看看这个 https://www.zhihu.com/question/{data.QUESTION}/answer/{data.ANSWER}?share_code=x，写得好"
        )
        content = answer_of(await client.call_tool("zhihu_get_content", {"content": link, "comments": 3}))
        arguments = {"content": content["ref"], "limit": 25}
        comments = answer_of(await client.call_tool("zhihu_list_comments", arguments))
        arguments["cursor"] = comments["next_cursor"]
        rest = answer_of(await client.call_tool("zhihu_list_comments", arguments))
    assert content["question_ref"] == f"question:{data.QUESTION}" and content["location"] == "上海"
    assert content["votes"] == 1199 and content["images"] == 1 and content["updated_at"] == "2025-04-25T17:22:19+08:00"
    assert [comment["text"] for comment in content["comments"]] == ["评论 1", "评论 2", "评论 3"]
    assert content["comments"][0] == {
        "author": "读者1", "text": "评论 1", "likes": 49, "date": "2025-04-24T17:22:20+08:00", "location": "北京",
        "by_author": True,
    }  # fmt: skip
    assert content["comments"][2]["replies"] == 4 and content["comments"][2]["shown"][0]["text"] == "同意"
    assert (comments["count"], comments["total"], comments["complete"]) == (25, data.COMMENTS + 12, False)
    assert (rest["count"], rest["complete"]) == (data.COMMENTS - 25, True)


async def test_the_rest_of_a_long_article_opens_no_further_page(browse, state):
    async with browse() as client:
        arguments = {"content": f"https://zhuanlan.zhihu.com/p/{data.ARTICLE}", "max_chars": 5000}
        parts = [answer_of(await client.call_tool("zhihu_get_content", arguments))]
        while cursor := parts[-1].get("next_cursor"):
            parts.append(answer_of(await client.call_tool("zhihu_get_content", {**arguments, "cursor": cursor})))
        none = answer_of(await client.call_tool("zhihu_list_comments", {"content": f"article:{data.ARTICLE}"}))
    assert "".join(part["text"] for part in parts) == data.LONG
    assert state.count(f"GET /p/{data.ARTICLE}") == 2  # with the comments' own visit
    assert (none["items"], none["complete"], none["total"]) == ([], True, 0)


async def test_filters_search_the_page_and_leave_advertisements_out(browse, state):
    async with browse() as client:
        arguments = {"query": "习惯", "sort": "newest", "period": "week", "kind": "answer", "limit": 12}
        answer = answer_of(await client.call_tool("zhihu_search_content", arguments))
        arguments["cursor"] = answer["next_cursor"]
        rest = answer_of(await client.call_tool("zhihu_search_content", arguments))
        refused = error_of(await client.call_tool("zhihu_search_content", {**arguments, "source": "official"}))
    assert "INVALID_ARGUMENT：" in refused
    assert answer["source"] == "browser" and not answer.get("warnings")
    assert answer["applied"] == {"scope": "zhihu", "kind": "answer", "sort": "newest", "period": "week"}
    called = next(request for request in state.requests if "search_v3" in request)
    assert all(word in called for word in ("sort=created_time", "time_interval=a_week", "vertical=answer"))
    assert answer["count"] == 12 and (rest["count"], rest["complete"]) == (11, True)
    assert answer["items"][1]["title"] == "问题 1" and answer["items"][1]["ref"] == "answer:9001"
    assert not any(item["title"] == "广告" for item in [*answer["items"], *rest["items"]])


async def test_filters_that_the_page_did_not_send_are_told(browse, state):
    state.switches = {"unfiltered"}
    async with browse() as client:
        arguments = {"query": "习惯", "sort": "newest", "period": "week", "kind": "answer", "limit": 5}
        answer = answer_of(await client.call_tool("zhihu_search_content", arguments))
    assert answer["applied"] == {"scope": "zhihu", "kind": "all", "sort": "default", "period": "week"}
    assert "kind=answer, sort=newest" in answer["warnings"][0]


async def test_each_account_has_its_results_and_not_those_of_another(browse, state):
    async with browse(secret=None, accounts=("main", "second")) as client:
        for tool, arguments in (("zhihu_search_content", {"query": "习惯"}), ("zhihu_list_hot", {})):
            first = answer_of(await client.call_tool(tool, arguments))
            named = answer_of(await client.call_tool(tool, {**arguments, "account": "main"}))
            other = error_of(await client.call_tool(tool, {**arguments, "account": "second"}))
            assert first["count"] == 10 and (first["source"], named["source"]) == ("browser", "cache")
            assert other.startswith("LOGIN_REQUIRED：")


async def test_results_that_the_site_ranks_anew_are_neither_repeated_nor_omitted(browse, state):
    async with browse() as client:
        arguments = {"query": "习惯", "source": "browser", "limit": 12}
        first = answer_of(await client.call_tool("zhihu_search_content", arguments))
        state.switches = {"reordered"}
        arguments["cursor"] = first["next_cursor"]
        rest = answer_of(await client.call_tool("zhihu_search_content", arguments))
    refs = [item["ref"] for item in [*first["items"], *rest["items"]]]
    assert state.count("GET /search?") == 2 and rest["complete"]
    assert len(refs) == len(set(refs)) == 23


async def test_results_that_stop_loading_are_a_timeout_and_no_empty_list(browse, state):
    async with browse() as client:
        arguments = {"query": "习惯", "source": "browser", "limit": 30}
        state.switches = {"stalled"}
        first = answer_of(await client.call_tool("zhihu_search_content", arguments))
        arguments["cursor"] = first["next_cursor"]
        texts = [error_of(await client.call_tool("zhihu_search_content", arguments)) for _ in range(2)]
    assert 0 < first["count"] <= 10 and not first["complete"]
    assert all(text.startswith("TIMEOUT：") for text in texts)


async def test_the_page_of_the_hot_list_tells_the_heat(browse, state):
    async with browse(secret=None) as client:
        answer = answer_of(await client.call_tool("zhihu_list_hot", {"limit": 2}))
    assert answer["source"] == "browser"
    assert answer["items"][0] == {
        "rank": 1, "ref": "question:1", "title": "热点 1", "heat": 33_250_000, "excerpt": "摘要 1",
    }  # fmt: skip


async def test_a_used_up_quota_leaves_the_page(browse, state):
    state.switches = {"used-up"}
    async with browse() as client:
        answer = answer_of(await client.call_tool("zhihu_list_hot", {}))
    assert answer["source"] == "browser" and "QUOTA_EXHAUSTED" in answer["warnings"][0]


async def test_a_user_is_read_with_the_newest_answers(browse, state):
    async with browse() as client:
        arguments = {"user": f"https://www.zhihu.com/people/{data.USER}/answers", "works": "answers", "limit": 5}
        answer = answer_of(await client.call_tool("zhihu_get_user", arguments))
    assert (answer["name"], answer["followers"], answer["headline"]) == ("张佳玮", 2_000_000, "作家 写字")
    assert answer["badge"] == "作家" and answer["location"] == "法国"
    assert [item["ref"] for item in answer["items"]] == [f"answer:{number}" for number in range(519, 514, -1)]


async def test_figures_about_a_question_are_of_the_answers_that_were_read(browse, state):
    async with browse() as client:
        arguments = {"question": data.QUESTION, "sample": 10}
        answer = answer_of(await client.call_tool("zhihu_analyze_question", arguments))
    assert (answer["n"], answer["answers_total"], answer["by_year"]) == (10, 23, {"2025": 10})
    assert answer["votes"] == {"n": 10, "median": 1194.5, "p90": 1198, "max": 1199}
    assert answer["anonymous"] == 1 and answer["top_answers"][0]["ref"] == f"answer:{data.ANSWER}"
    assert {"name": "环境", "count": 10} in answer["top_words"] and "10 个回答" in answer["warnings"][0]


async def test_odd_shapes_are_read_as_far_as_they_go(browse, state):
    state.switches = {"odd"}
    async with browse() as client:
        arguments = {"question": data.QUESTION, "answers": 2, "source": "browser", "max_chars": 100}
        question = answer_of(await client.call_tool("zhihu_get_question", arguments))
        content = answer_of(await client.call_tool("zhihu_get_content", {"content": "answer:5", "comments": 5}))
        results = answer_of(await client.call_tool("zhihu_search_content", {"query": "奇怪", "source": "browser"}))
    assert (question["title"], question["views"], question["answers_total"]) == ("问题", 1_203_000, 23)
    first, long = sorted(question["items"], key=lambda item: item["ref"])
    assert first == {"ref": f"answer:{data.ANSWER}", "votes": 12000} and len(long["text"]) == 100
    assert content["text"] == "只有正文" and content["comments"] == [{"text": ""}] and "author" not in content
    assert results["items"] == [{"ref": "answer:7", "title": "没有编号", "votes": 12000}]


async def test_empty_lists_and_paid_content_are_told(browse, state):
    state.switches = {"empty", "paid"}
    async with browse() as client:
        arguments = {"question": data.QUESTION, "source": "browser"}
        question = answer_of(await client.call_tool("zhihu_get_question", arguments))
        results = answer_of(await client.call_tool("zhihu_search_content", {"query": "无人", "source": "browser"}))
        content = answer_of(await client.call_tool("zhihu_get_content", {"content": f"answer:{data.ANSWER}"}))
    assert (question["items"], question["complete"]) == ([], True)
    assert (results["items"], results["complete"]) == ([], True)
    assert "付费" in content["warnings"][0]


async def test_comments_that_are_refused_leave_the_text(browse, state):
    state.switches = {"comments-login"}
    async with browse() as client:
        arguments = {"content": f"answer:{data.ANSWER}", "comments": 5}
        content = answer_of(await client.call_tool("zhihu_get_content", arguments))
        refused = error_of(await client.call_tool("zhihu_list_comments", {"content": f"answer:{data.ANSWER}"}))
    assert content["text"] and content["comments"] == [] and "LOGIN_EXPIRED" in content["warnings"][0]
    assert refused.startswith("LOGIN_EXPIRED：") and "zhihu_login_qrcode" in refused


async def test_answers_that_need_a_login_end_with_its_error_and_not_with_an_empty_list(browse, state):
    state.switches = {"feeds-login"}
    async with browse() as client:
        arguments = {"question": data.QUESTION, "source": "browser", "answers": 9}
        few = answer_of(await client.call_tool("zhihu_get_question", arguments))
        arguments["cursor"] = few["next_cursor"]
        refused = error_of(await client.call_tool("zhihu_get_question", arguments))
    assert few["count"] == 3 and not few["complete"] and "next_cursor" in few["warnings"][0]
    assert refused.startswith("LOGIN_EXPIRED：")


async def test_a_captcha_at_the_comments_stops_further_pages(browse, state):
    state.switches = {"comments-captcha"}
    async with browse() as client:
        arguments = {"content": f"answer:{data.ANSWER}", "comments": 5}
        content = answer_of(await client.call_tool("zhihu_get_content", arguments))
        text = error_of(await client.call_tool("zhihu_get_content", {"content": "answer:1"}))
    assert "CAPTCHA_REQUIRED" in content["warnings"][0]
    assert text.startswith("CAPTCHA_REQUIRED：") and state.count("GET /answer/1") == 1


@pytest.mark.parametrize(
    ("switch", "tool", "arguments", "code"),
    [
        ("captcha", "get_content", {"content": "answer:1"}, "CAPTCHA_REQUIRED"),
        ("page-forbidden", "get_content", {"content": "answer:1"}, "ACCESS_RESTRICTED"),
        ("removed", "get_content", {"content": "answer:1"}, "NOT_FOUND"),
        ("changed", "get_question", {"question": "1", "source": "browser"}, "UPSTREAM_CHANGED"),
        ("moved", "get_content", {"content": "article:1"}, "UPSTREAM_CHANGED"),
        ("down", "get_user", {"user": "someone"}, "UPSTREAM_UNREACHABLE"),
        ("login-wall", "get_content", {"content": "answer:1"}, "LOGIN_EXPIRED"),
        ("search-captcha", "search_content", {"query": "习惯", "source": "browser"}, "CAPTCHA_REQUIRED"),
        ("search-limited", "search_content", {"query": "习惯", "source": "browser"}, "RATE_LIMITED"),
        ("search-signature", "search_content", {"query": "习惯", "source": "browser"}, "UPSTREAM_CHANGED"),
        (
            "feeds-limited",
            "get_question",
            {"question": data.QUESTION, "source": "browser", "answers": 9},
            "RATE_LIMITED",
        ),
        ("comments-captcha", "list_comments", {"content": f"answer:{data.ANSWER}"}, "CAPTCHA_REQUIRED"),
    ],
)
async def test_each_wall_has_its_code(browse, state, switch, tool, arguments, code):
    state.switches = {switch}
    async with browse() as client:
        text = error_of(await client.call_tool(f"zhihu_{tool}", arguments))
    assert text.startswith(f"{code}："), text


async def test_after_a_captcha_no_page_is_opened_and_the_status_says_until_when(browse, state):
    state.switches = {"captcha"}
    async with browse() as client:
        await client.call_tool("zhihu_get_content", {"content": "answer:1"})
        opened = state.count("GET /answer")
        state.switches = set()
        text = error_of(await client.call_tool("zhihu_get_content", {"content": "answer:1"}))
        status = answer_of(await client.call_tool("zhihu_status", {}))
    assert "15 分钟后再试" in text and state.count("GET /answer") == opened
    assert status["risk"] == "captcha" and status["paused_until"].endswith("+08:00") and status["quotas"]


async def test_a_page_that_loads_too_slowly_is_a_timeout_and_no_empty_list(browse, state):
    state.switches = {"slow"}
    async with browse(page_seconds=3) as client:
        text = error_of(await client.call_tool("zhihu_search_content", {"query": "习惯", "source": "browser"}))
    assert text.startswith("TIMEOUT：")


async def test_guests_are_told_how_to_log_in(browse, state):
    async with browse(member=False, secret=None) as client:
        text = error_of(await client.call_tool("zhihu_list_hot", {}))
        status = answer_of(await client.call_tool("zhihu_status", {}))
    assert text.startswith("LOGIN_REQUIRED：") and "zhihu_login_qrcode" in text
    assert status["logged_in"] is False and "zhihu_login_qrcode" in status["next_step"]


async def test_a_login_by_qr_code_is_seen_step_by_step(browse, state):
    async with browse(member=False) as client:
        result = await client.call_tool("zhihu_login_qrcode", {})
        code = answer_of(result)
        waiting = answer_of(await client.call_tool("zhihu_status", {}))
        state.scan = "scanned"
        while waiting["login_step"] != "confirm":
            await asyncio.sleep(0.2)
            waiting = answer_of(await client.call_tool("zhihu_status", {}))
        state.scan = "confirmed"
        while waiting.get("login_step"):
            await asyncio.sleep(0.2)
            waiting = answer_of(await client.call_tool("zhihu_status", {}))
        again = answer_of(await client.call_tool("zhihu_login_qrcode", {}))
    assert code["url"].startswith("https://www.zhihu.com/account/scan/login/") and not code["logged_in"]
    assert "image" in [part.type for part in result.content]
    assert any("█" in part.text for part in result.content if part.type == "text")
    assert (waiting["logged_in"], waiting["nickname"], again["logged_in"]) == (True, "测试用户", True)


async def test_an_ended_session_whose_cookie_is_left_gets_a_new_qr_code(browse, state, tmp_path):
    write_session(tmp_path, "ended-1")
    async with browse(member=False) as client:
        code = answer_of(await client.call_tool("zhihu_login_qrcode", {}))
        waiting = answer_of(await client.call_tool("zhihu_status", {}))
        state.scan = "confirmed"
        while waiting.get("login_step"):
            await asyncio.sleep(0.2)
            waiting = answer_of(await client.call_tool("zhihu_status", {}))
    assert code["logged_in"] is False and code["url"]
    assert waiting["logged_in"] is True


async def test_privacy_mode_hides_people_and_places(browse, state, tmp_path):
    settings = Settings(port=free_port(), data_dir=tmp_path, privacy=True)
    async with browse(settings=settings) as client:
        arguments = {"content": f"answer:{data.ANSWER}", "comments": 1}
        content = answer_of(await client.call_tool("zhihu_get_content", arguments))
        refused = error_of(await client.call_tool("zhihu_get_user", {"user": content["author_ref"]}))
    assert content["author"] == "作**" and content["author_ref"].startswith("user:u_")
    assert "location" not in content and "location" not in content["comments"][0]
    assert "隐私模式" in refused


def test_an_imported_session_is_kept_and_its_values_are_not_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DYBER_DATA", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO("z_c0=secret-5f2c; d_c0=device-77"))
    assert session.main(["import"]) == 0
    assert session.main(["show"]) == 0
    shown = capsys.readouterr().out
    assert "z_c0" in shown and "secret-5f2c" not in shown
