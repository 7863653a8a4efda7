"""Tests of the service as callers meet it: tokens of the lists, prompts, REST, paging within the longest answer."""

from __future__ import annotations

import httpx2
import pytest
from dyber_kit import Settings
from dyber_kit.contract import all_tools, tools_contract
from mcp import Client

from tests.stand_in.platforms.weibo import data
from tests.stand_in.running import free_port
from tests.stand_in.tokens import SEEN, tokens_of

from weibo_server.service import build_app


def test_the_tools_cost_few_tokens():
    contract = tools_contract(build_app(all_tools(free_port())))["tools"]
    tools = [{"name": name, **published} for name, published in contract.items()]
    assert tokens_of(tools, *SEEN, "outputSchema", "annotations") <= 4000


def test_every_tool_only_reads():
    contract = tools_contract(build_app(all_tools(free_port())))["tools"]
    assert all(published["annotations"]["readOnlyHint"] for published in contract.values())


async def test_the_prompts_name_tools_that_exist(make):
    async with Client(make().mcp) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        prompts = (await client.list_prompts()).prompts
        for prompt in prompts:
            arguments = {argument.name: "手机" for argument in prompt.arguments}
            text = (await client.get_prompt(prompt.name, arguments)).messages[0].content.text
            mentioned = {
                word for word in text.replace("(", " ").replace("，", " ").split() if word.startswith("weibo_")
            }
            assert "手机" in text and mentioned <= names | {f"{name}。" for name in names}, mentioned - names
    assert len(prompts) == 3


def test_rest_searches_in_the_form_of_the_first_release(service, state):
    state.member = True
    answer = httpx2.post(f"{service}/search", json={"keyword": "手机", "limit": 2}, timeout=60).json()
    assert (answer["status"], answer["service"], answer["count"]) == ("success", "weibo", 2)
    assert set(answer["data"][0]) == {"title", "url", "author", "likes", "description"}
    assert (answer["data"][0]["author"], answer["data"][0]["likes"]) == ("作者0", 1_000_000)


def test_rest_reads_a_post(service):
    answer = httpx2.post(f"{service}/analyze", json={"url": f"https://m.weibo.cn/status/{data.LONG}"}, timeout=60)
    found = answer.json()["data"]
    assert (found["content"], found["shares"], found["author"]) == (
        data.LONG_TEXT, 12, {"name": data.NAME, "followers": None},
    )  # fmt: skip


def test_rest_has_the_status_of_the_refusal(service):
    answer = httpx2.post(f"{service}/search", json={"keyword": "手机"}, timeout=60)
    assert answer.status_code == 401


@pytest.mark.parametrize(("path", "detail"), [("search", "关键词不能为空"), ("analyze", "微博URL不能为空")])
def test_rest_refuses_an_empty_body_as_the_first_release_did(service, path, detail):
    answer = httpx2.post(f"{service}/{path}", json={})
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})


async def test_an_answer_that_is_too_long_goes_on_where_it_ended(serve, ask, state):
    state.member = True
    with serve(Settings(port=free_port(), max_answer_chars=5000)) as base:
        first = await ask("search_posts", at=base, keyword="手机", limit=25, verbose=True)
        rest = await ask("search_posts", at=base, keyword="手机", limit=25, verbose=True, cursor=first["next_cursor"])
    assert 0 < first["count"] < 25
    assert int(rest["items"][0]["post"]) == int(first["items"][-1]["post"]) + 1


async def test_answers_of_before_come_from_the_cache(serve, ask, state):
    with serve(cache_seconds=600.0) as base:
        first = await ask("get_user", at=base, user=data.UID)
        second = await ask("get_user", at=base, user=data.UID)
    assert (first["source"], second["source"]) == ("browser", "cache")
    assert first["fetched_at"] == second["fetched_at"]
