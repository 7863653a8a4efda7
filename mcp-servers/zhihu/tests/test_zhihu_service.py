"""Tests of the service as callers meet it: tokens of the lists, prompts, REST, settings."""

from __future__ import annotations

import httpx2
import pytest
import redis
from dyber_kit import Settings
from dyber_kit.contract import all_tools, tools_contract
from dyber_kit.serving.server import build_server
from mcp import Client

from tests.stand_in.platforms.zhihu import data
from tests.stand_in.redis_server import redis_server
from tests.stand_in.running import free_port, running
from tests.stand_in.tokens import SEEN, tokens_of

from zhihu_server.config import ZhihuSettings
from zhihu_server.service import build_app


@pytest.fixture
def service(make):
    """Return the base URL of the running service."""
    with running(build_server(make())) as base:
        yield base


def test_the_tools_cost_few_tokens():
    contract = tools_contract(build_app(all_tools(free_port())))["tools"]
    tools = [{"name": name, **published} for name, published in contract.items()]
    assert tokens_of(tools, *SEEN, "outputSchema", "annotations") <= 4000


def test_every_tool_only_reads():
    contract = tools_contract(build_app(all_tools(free_port())))["tools"]
    assert all(published["annotations"]["readOnlyHint"] for published in contract.values())


async def test_the_prompts_name_tools_that_exist(app):
    async with Client(app.mcp) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        for prompt in (await client.list_prompts()).prompts:
            arguments = {argument.name: "习惯-42" for argument in prompt.arguments}
            text = (await client.get_prompt(prompt.name, arguments)).messages[0].content.text
            words = "".join(char if char.isascii() and (char.isalnum() or char == "_") else " " for char in text)
            mentioned = {word for word in words.split() if word.startswith("zhihu_")}
            assert "习惯-42" in text and mentioned and mentioned <= names


async def test_one_account_is_not_an_argument(app):
    async with Client(app.mcp) as client:
        tools = (await client.list_tools()).tools
    assert not any("account" in tool.input_schema["properties"] for tool in tools)


def test_rest_searches_in_the_form_of_the_first_release(service, state):
    answer = httpx2.post(f"{service}/search", json={"keyword": "习惯", "limit": 2}).json()
    assert (answer["status"], answer["service"], answer["count"]) == ("success", "zhihu", 2)
    first = answer["data"][0]
    assert (first["title"], first["author"], first["likes"]) == ("习惯与意志力 1", "作者1", 99)
    assert first["url"].startswith(f"https://www.zhihu.com/question/{data.QUESTION}/answer/1") and first["description"]


def test_rest_reads_an_answer_and_analyzes_a_question(service, state):
    link = f"https://www.zhihu.com/question/{data.QUESTION}"
    answer = httpx2.post(f"{service}/analyze", json={"url": f"{link}/answer/{data.ANSWER}"}, timeout=60).json()["data"]
    assert answer["likes"] == 1199 and answer["content"].startswith("先说结论") and answer["complete"]
    question = httpx2.post(f"{service}/analyze", json={"url": link}, timeout=60).json()["data"]
    assert question["n"] == 20 and question["answers_total"] == data.ANSWERS


def test_rest_refuses_an_empty_body(service):
    for path, detail in (("search", "关键词不能为空"), ("analyze", "知乎URL不能为空")):
        answer = httpx2.post(f"{service}/{path}", json={})
        assert (answer.status_code, answer.json()) == (400, {"detail": detail})


def test_articles_are_on_the_host_that_belongs_to_the_site():
    assert ZhihuSettings().articles_url == "https://zhuanlan.zhihu.com"
    assert ZhihuSettings(base_url="http://127.0.0.1:1").articles_url == "http://127.0.0.1:1"


@pytest.mark.parametrize("privacy", [False, True])
async def test_privacy_mode_keeps_what_zhihu_sent_out_of_redis(make, ask, state, tmp_path, monkeypatch, privacy):
    port = free_port()
    monkeypatch.setenv("DYBER_REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("DYBER_REDIS_PORT", str(port))
    monkeypatch.setenv("DYBER_REDIS_PASSWORD", "redis-password")
    with redis_server(tmp_path, port, "redis-password"), redis.Redis(port=port, password="redis-password") as stored:
        app = make(Settings(port=free_port(), data_dir=tmp_path, privacy=privacy))
        answer = await ask("search_content", app=app, query="习惯")
        again = await ask("search_content", app=app, query="习惯")
        kept = [stored.get(key) for key in stored.keys("dyber:zhihu:*") if stored.type(key) == b"string"]
    assert answer["count"] == 10 and again["source"] == "cache"
    assert any("作者1".encode() in value for value in kept) is not privacy


def test_a_wrong_setting_is_named(monkeypatch):
    monkeypatch.setenv("ZHIHU_HOT_PER_DAY", "many")
    with pytest.raises(ValueError, match="ZHIHU_HOT_PER_DAY"):
        ZhihuSettings.from_environment()


def test_the_secret_is_in_no_text_of_the_settings():
    assert "s3cret" not in repr(ZhihuSettings(secret="s3cret"))
