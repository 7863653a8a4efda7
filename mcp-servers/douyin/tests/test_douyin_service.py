"""Tests of the service as callers meet it: tokens of the lists, prompts, REST, languages, privacy."""

from __future__ import annotations

import anyio
import httpx2
import pytest
from dyber_kit import Settings
from dyber_kit.contract import all_tools, tools_contract
from dyber_kit.serving.server import build_server
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.stand_in.platforms.douyin import data
from tests.stand_in.running import free_port, running
from tests.stand_in.tokens import SEEN, tokens_of

from douyin_server.service import build_app


def test_the_tools_cost_few_tokens():
    contract = tools_contract(build_app(all_tools(free_port())))["tools"]
    tools = [{"name": name, **published} for name, published in contract.items()]
    assert tokens_of(tools, *SEEN, "outputSchema", "annotations") <= 4000


def test_every_tool_only_reads():
    contract = tools_contract(build_app(all_tools(free_port())))["tools"]
    assert all(published["annotations"]["readOnlyHint"] for published in contract.values())


async def test_the_prompts_name_tools_that_exist(service):
    async with Client(f"{service}/mcp") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        prompts = (await client.list_prompts()).prompts
        for prompt in prompts:
            arguments = {argument.name: "手冲咖啡" for argument in prompt.arguments}
            text = (await client.get_prompt(prompt.name, arguments)).messages[0].content.text
            mentioned = {"douyin_" + part.partition("(")[0] for part in text.split("douyin_")[1:]}
            assert "手冲咖啡" in text and mentioned
            assert all(any(word.startswith(name) for name in names) for word in mentioned), mentioned
    assert len(prompts) == 3


@pytest.mark.usefixtures("member", "state")
def test_rest_searches_in_the_form_of_the_first_release(service, site):
    answer = httpx2.post(f"{service}/search", json={"keyword": "手冲", "limit": 2}, timeout=60).json()
    assert (answer["status"], answer["service"], answer["count"]) == ("success", "douyin", 2)
    first = answer["data"][0]
    assert (first["title"], first["author"], first["likes"]) == ("手冲 第 0 个", "咖啡阿明", 12345)
    assert first["url"] == f"{site.base}/video/{first['video_id']}"


@pytest.mark.usefixtures("state")
def test_rest_reads_a_shared_video(service, site):
    answer = httpx2.post(f"{service}/analyze", json={"url": f"看看 {site.base}/s/video 吧"}, timeout=60).json()
    assert answer["data"]["author"] == {"name": "咖啡阿明", "followers": None}
    assert (answer["data"]["likes"], answer["data"]["comments"], answer["data"]["tags"]) == (
        12345,
        25,
        ["咖啡", "手冲"],
    )


@pytest.mark.usefixtures("state")
def test_rest_has_the_status_of_a_refusal(service):
    answer = httpx2.post(f"{service}/search", json={"keyword": "手冲"}, timeout=60)
    assert answer.status_code == 401


def test_rest_refuses_an_empty_body_as_the_first_release_did(service):
    for path, detail in (("search", "关键词不能为空"), ("analyze", "视频URL不能为空")):
        answer = httpx2.post(f"{service}/{path}", json={})
        assert (answer.status_code, answer.json()) == (400, {"detail": detail})


def test_refusals_are_also_in_english(service):
    answer = httpx2.post(f"{service}/analyze", json={"url": "手冲"}, headers={"Accept-Language": "en"})
    assert answer.status_code == 422 and "No id and no link was recognised" in answer.text


async def test_callers_of_two_languages_at_one_time_each_read_their_own(state, make):
    state.case = "comments login wall"
    texts: dict[str, str] = {}
    with running(build_server(make())) as base:

        async def read(language: str) -> None:
            async with (
                httpx2.AsyncClient(headers={"Accept-Language": language}, timeout=60) as http,
                Client(streamable_http_client(f"{base}/mcp", http_client=http)) as client,
            ):
                result = await client.call_tool("douyin_get_video", {"video": data.VIDEO, "comments": 5})
                texts[language] = result.structured_content["warnings"][0]

        async with anyio.create_task_group() as callers:
            callers.start_soon(read, "zh")
            callers.start_soon(read, "en")
    assert "评论没有全部读到" in texts["zh"] and "Not all comments were read" in texts["en"]


async def test_in_privacy_mode_nobody_is_named(ask, make):
    app = make(Settings(port=free_port(), privacy=True))
    with running(build_server(app)) as base:
        video = await ask("get_video", base, video=data.VIDEO, comments=2, verbose=True)
        user = await ask("get_user", base, user=data.USER, videos=1, verbose=True)
    for answer in (video, user):
        assert not any(
            word in str(answer) for word in ("阿明", "观众0", data.USER, data.OTHER_USER, "amingcoffee", "上海")
        )
    assert (video["author"]["name"], video["comments"][0]["author"]) == ("咖**", "观**")
