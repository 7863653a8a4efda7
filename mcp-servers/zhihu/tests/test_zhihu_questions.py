"""Tests that questions that users ask of Zhihu are answered by the tools: each answer has the fact that was asked for.

The question of a test is its docstring, as users write it. The facts are those that the stand-in serves.
"""

# The questions are Chinese sentences, which do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from dyber_kit import ServiceApp
from dyber_kit.serving.server import build_server
from mcp import Client
from zhihu_results import answer_of

from tests.stand_in.platforms.zhihu import data
from tests.stand_in.running import running

Agent = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def agent(make: Callable[..., ServiceApp]) -> Iterator[Agent]:
    """Return a function that calls a tool of a running service with its browser, as an agent does."""
    with running(build_server(make())) as base:

        async def called(tool: str, **arguments: Any) -> dict[str, Any]:
            async with Client(f"{base}/mcp") as client:
                return answer_of(await client.call_tool(f"zhihu_{tool}", arguments))

        yield called


async def test_what_is_discussed_now(ask, state):
    """知乎现在在讨论什么？"""
    answer = await ask("list_hot", limit=2)
    assert [(item["rank"], item["title"], item["ref"]) for item in answer["items"]] == [
        (1, "热点 1", "question:1"),
        (2, "热点 2", "question:2"),
    ]


async def test_which_answers_on_a_topic_are_valued_most(ask, state):
    """知乎上谈习惯的回答，赞同最多的是谁写的，说了什么？"""
    answer = await ask("search_content", query="习惯", limit=2)
    best = max(answer["items"], key=lambda item: item["votes"])
    assert (best["author"], best["votes"], best["excerpt"]) == ("作者1", 99, "习惯比意志力可靠 1")


async def test_what_is_said_about_it_outside_of_zhihu(ask, state):
    """除了知乎，网上怎么说习惯？给我网址"""
    answer = await ask("search_content", query="习惯", scope="web", limit=1)
    assert (answer["items"][0]["site"], answer["items"][0]["url"]) == ("news.example.com", "https://news.example.com/1")


async def test_what_do_people_answer_to_a_question(agent):
    """习惯和意志力哪个更可靠？最高赞怎么说"""
    answer = await agent("get_question", question=data.QUESTION, source="browser", answers=2)
    assert (answer["title"], answer["answers_total"]) == ("习惯和意志力哪个更可靠？", data.ANSWERS)
    first = answer["items"][0]
    assert (first["votes"], first["text"].partition("\n")[0]) == (1199, "先说结论：值得。")


async def test_what_does_the_shared_answer_say_and_does_somebody_disagree(agent):
    """看看朋友分享的这个回答写了什么，评论里有人反驳吗？"""
    link = f"https://www.zhihu.com/question/{data.QUESTION}/answer/{data.ANSWER}?share_code=x"
    answer = await agent("get_content", content=f"【知乎】推荐你看 {link}", comments=3)
    assert "理由有三：环境、习惯、时间。" in answer["text"] and answer["location"] == "上海"
    assert [comment["text"] for comment in answer["comments"]] == ["评论 1", "评论 2", "评论 3"]


async def test_how_does_a_long_article_end(agent):
    """这篇文章很长，读到最后一句"""
    arguments = {"content": f"https://zhuanlan.zhihu.com/p/{data.ARTICLE}", "max_chars": 8000}
    answer = await agent("get_content", **arguments)
    text = answer["text"]
    while cursor := answer.get("next_cursor"):
        answer = await agent("get_content", **arguments, cursor=cursor)
        text += answer["text"]
    assert text == data.LONG


async def test_how_many_comments_are_there_and_which_is_liked_most(agent):
    """这个回答有多少评论，点赞最多的是哪条？"""
    answer = await agent("list_comments", content=f"answer:{data.ANSWER}", limit=5)
    best = max(answer["items"], key=lambda comment: comment["likes"])
    assert (best["text"], best["likes"], answer["total"]) == ("评论 1", 49, data.COMMENTS + 12)


async def test_who_is_this_author_and_what_is_new(agent):
    """张佳玮是做什么的，多少人关注，最近答了什么？"""
    answer = await agent("get_user", user=f"https://www.zhihu.com/people/{data.USER}", works="answers", limit=2)
    assert (answer["name"], answer["headline"], answer["followers"]) == ("张佳玮", "作家 写字", 2_000_000)
    assert [item["ref"] for item in answer["items"]] == ["answer:519", "answer:518"]


async def test_what_was_written_this_week(agent):
    """这一周关于习惯的新回答有哪些？"""
    answer = await agent("search_content", query="习惯", kind="answer", sort="newest", period="week", limit=2)
    assert answer["applied"] == {"scope": "zhihu", "kind": "answer", "sort": "newest", "period": "week"}
    assert (answer["items"][1]["ref"], answer["items"][1]["title"]) == ("answer:9001", "问题 1")


async def test_what_do_the_answers_to_a_question_have_in_common(agent):
    """这个问题的回答一般多少赞，常提到什么？"""
    answer = await agent("analyze_question", question=f"question:{data.QUESTION}", sample=10)
    assert (answer["n"], answer["votes"]["median"], answer["votes"]["max"]) == (10, 1194.5, 1199)
    assert "环境" in {word["name"] for word in answer["top_words"]}


async def test_am_i_logged_in_and_what_is_left_for_today(agent):
    """我登录知乎了吗，热榜今天还能看几次？"""
    answer = await agent("status")
    assert (answer["logged_in"], answer["nickname"]) == (True, "测试用户")
    assert next(quota["left"] for quota in answer["quotas"] if quota["name"] == "hot_list") == 100
