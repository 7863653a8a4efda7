"""Tests of the service as callers meet it: tokens of the lists, prompts, REST, transports."""

from __future__ import annotations

import re

import httpx2
import pytest
from dyber_kit.contract import all_tools, tools_contract
from dyber_kit.serving.server import build_server
from mcp import Client

from tests.stand_in.running import free_port, running
from tests.stand_in.tokens import SEEN, tokens_of

from github_server.service import build_app


@pytest.fixture
def service(make):
    """Return the base URL of the running service."""
    with running(build_server(make())) as base:
        yield base


def published(**chosen):
    """Return the tools of the contract whose hints have these values."""
    contract = tools_contract(build_app(all_tools(free_port())))["tools"]
    tools = [{"name": name, **tool} for name, tool in contract.items()]
    return [tool for tool in tools if chosen.items() <= tool["annotations"].items()]


def test_the_tools_cost_few_tokens():
    assert tokens_of(published(), *SEEN, "outputSchema") <= 4000
    assert tokens_of(published(readOnlyHint=True), *SEEN, "outputSchema", "annotations") <= 4000


def test_each_description_begins_with_what_the_tool_does():
    verbs = ("搜", "在默认分支上搜", "列出", "现在热门", "读", "分段读", "统计", "看", "新建", "评论")
    assert [tool["name"] for tool in published() if not tool["description"].startswith(verbs)] == []


def test_descriptions_and_arguments_are_explained_in_chinese():
    texts = [tool["description"] for tool in published()]
    texts += [
        argument.get("description", "")
        for tool in published()
        for name, argument in tool["inputSchema"]["properties"].items()
        if name not in ("dry_run", "confirmation", "body")
    ]
    assert [text for text in texts if not re.search("[\u4e00-\u9fff]", text)] == []


def test_the_next_part_of_a_file_is_promised_without_a_request_only_soon_after():
    descriptions = {tool["name"]: tool["description"] for tool in published()}
    assert "不久之内" in descriptions["github_read_file"] and "不费请求" in descriptions["github_read_file"]


def test_only_two_tools_write_and_none_deletes():
    writing = published(readOnlyHint=False)
    assert [tool["name"] for tool in writing] == ["github_create_issue", "github_add_comment"]
    assert not any(tool["annotations"]["destructiveHint"] for tool in writing)


async def test_the_prompts_name_tools_that_exist(app):
    async with Client(app.mcp) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        for prompt in (await client.list_prompts()).prompts:
            arguments = {argument.name: "octocat/hello#3" for argument in prompt.arguments}
            text = (await client.get_prompt(prompt.name, arguments)).messages[0].content.text
            mentioned = {word.strip("（），；：。") for word in text.replace("（", " ").split() if "github_" in word}
            used = {name for name in names if name in text}
            assert "octocat/hello#3" in text and used and mentioned
            assert all(any(name in word for name in names) for word in mentioned), mentioned


async def test_a_running_service_answers_over_http(service):
    async with Client(f"{service}/mcp") as client:
        result = await client.call_tool("github_get_repo", {"repo": "octocat/hello", "max_chars": 0})
    assert result.structured_content["stars"] == 80


def test_rest_searches_in_the_form_of_the_first_release(service):
    answer = httpx2.post(f"{service}/search", json={"keyword": "hello", "limit": 2}).json()
    assert (answer["status"], answer["service"], answer["count"]) == ("success", "github", 2)
    assert answer["data"][0]["title"] == "octocat/hello1" and answer["data"][0]["author"] == "octocat"
    assert answer["data"][0]["url"] == "https://github.com/octocat/hello1" and answer["data"][0]["likes"] == 1


def test_rest_analyzes_a_repository(service):
    data = httpx2.post(f"{service}/analyze", json={"url": "octocat/hello"}).json()
    assert (data["status"], data["data"]["repo"], data["data"]["commits"]["n"]) == ("success", "octocat/hello", 60)


def test_rest_refuses_an_empty_body_as_the_first_release_did(service):
    for path, detail in (("search", "关键词不能为空"), ("analyze", "仓库URL不能为空")):
        answer = httpx2.post(f"{service}/{path}", json={})
        assert (answer.status_code, answer.json()) == (400, {"detail": detail})
