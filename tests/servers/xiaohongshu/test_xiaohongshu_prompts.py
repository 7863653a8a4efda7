"""Tests of the prompts: they name tools and arguments that exist, and contain what the user wrote."""

from __future__ import annotations

import asyncio
import re

import pytest
from dyber_kit.contract import all_tools
from mcp import Client
from xiaohongshu_server.service import build_app

from tests.stand_in.running import free_port

ARGUMENTS = {
    "xhs_research_topic": {"topic": "手冲咖啡"},
    "xhs_review_account": {"user": "用户7"},
    "xhs_draft_note": {"subject": "在家做手冲", "points": "水温 92 度"},
}


async def text_of(base: str, name: str, arguments: dict[str, str]) -> str:
    async with Client(f"{base}/mcp") as client:
        (message,) = (await client.get_prompt(name, arguments)).messages
        return message.content.text


def tools() -> dict[str, set[str]]:
    """Return the arguments of every tool by name."""
    listed = asyncio.run(build_app(all_tools(free_port())).mcp.list_tools())
    return {tool.name: set(tool.input_schema["properties"]) for tool in listed}


async def test_the_service_offers_its_prompts(xiaohongshu):
    async with Client(f"{xiaohongshu}/mcp") as client:
        assert {prompt.name for prompt in (await client.list_prompts()).prompts} == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_a_prompt_contains_what_the_user_wrote_and_the_rules_of_care(xiaohongshu, name):
    text = await text_of(xiaohongshu, name, ARGUMENTS[name])
    assert all(value in text for value in ARGUMENTS[name].values())
    assert "CAPTCHA_REQUIRED" in text


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_prompt_names_only_tools_and_arguments_that_exist(xiaohongshu, name):
    text = asyncio.run(text_of(xiaohongshu, name, ARGUMENTS[name]))
    known = tools()
    named = set(re.findall(r"xhs_[a-z_]+", text))
    assert named and named <= set(known)
    for tool, call in re.findall(r"(xhs_[a-z_]+)\(([^)]*)\)", text):
        assert set(re.findall(r"(\w+)=", call)) <= known[tool]


async def test_the_account_of_a_review_is_the_users_own_unless_another_is_named(xiaohongshu):
    assert "小红书账号：me" in await text_of(xiaohongshu, "xhs_review_account", {})
