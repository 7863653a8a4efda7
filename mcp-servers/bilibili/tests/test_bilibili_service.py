"""Tests of the service as callers meet it: tokens of the lists, prompts, analysis, cache, privacy, REST."""

from __future__ import annotations

import httpx2
import pytest
from dyber_kit.contract import all_tools, tools_contract
from mcp import Client

from tests.stand_in.platforms.bilibili.data import BVID, MID, SEARCHED, bvid
from tests.stand_in.running import free_port
from tests.stand_in.tokens import SEEN, tokens_of

from bilibili_server.analysis import figures_of, top_authors, top_tags, top_videos
from bilibili_server.model.answers import Video
from bilibili_server.service import build_app


@pytest.fixture(scope="module")
def contract():
    return tools_contract(build_app(all_tools(free_port())))["tools"]


def test_the_tools_cost_few_tokens(contract):
    tools = [{"name": name, **published} for name, published in contract.items()]
    assert tokens_of(tools, *SEEN, "outputSchema", "annotations") <= 4000


def test_every_tool_only_reads(contract):
    assert all(published["annotations"]["readOnlyHint"] for published in contract.values())


async def test_the_prompts_name_tools_that_exist(service, site):
    async with Client(f"{service}/mcp") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        prompts = (await client.list_prompts()).prompts
        for prompt in prompts:
            arguments = {argument.name: "手冲咖啡" for argument in prompt.arguments}
            text = (await client.get_prompt(prompt.name, arguments)).messages[0].content.text
            used = {name for name in names if name in text}
            mentioned = set(filter(lambda word: word.startswith("bilibili_"), _words(text)))
            assert "手冲咖啡" in text and mentioned and mentioned <= used
    assert len(prompts) == 3


def _words(text: str) -> list[str]:
    return "".join(char if char.isascii() and (char.isalnum() or char == "_") else " " for char in text).split()


async def test_an_analysis_of_a_search_counts_one_page_of_it(ask, site):
    result = await ask("analyze_videos", keyword="咖啡", sample=42)
    assert (result["n"], result["total"], result["subject"]) == (42, SEARCHED, "咖啡")
    assert result["figures"]["views"] == {"n": 42, "median": 99_795.0, "p90": 99_960, "max": 100_000}
    assert [video["bvid"] for video in result["top_videos"][:2]] == [bvid(0), bvid(1)]
    assert result["top_tags"][0] == {"tag": "咖啡", "videos": 42, "median_views": 99_795.0}
    assert result["top_authors"][0] == {"name": "UP0", "mid": "900", "videos": 6, "views": 598_950}
    assert sum(result["by_weekday"].values()) == sum(result["by_hour"].values()) == 42
    assert "42" in result["caveats"][0] and len(site.app.state.opened) == 1


async def test_an_analysis_of_a_user_says_what_its_list_lacks(ask):
    result = await ask("analyze_videos", user=MID)
    assert (result["subject"], result["n"], result["median_seconds"]) == ("咖啡师", 30, 600.0)
    assert "likes" not in result["figures"] and any("点赞" in caveat for caveat in result["caveats"])


@pytest.mark.parametrize("arguments", [{}, {"keyword": "咖啡", "user": MID}, {"keyword": " "}])
async def test_an_analysis_wants_a_keyword_or_a_user(refused, arguments):
    assert (await refused("analyze_videos", **arguments)).startswith("INVALID_ARGUMENT：")


def test_statistics_leave_out_what_is_unknown():
    videos = [Video(bvid="a", title="a", author="x", views=5, tags=["t", "t"]), Video(bvid="b", title="b", author="x")]
    assert figures_of(videos, "views").model_dump() == {"n": 1, "median": 5, "p90": 5, "max": 5}
    assert figures_of(videos, "likes") is None and top_tags(videos) == []
    assert [video.bvid for video in top_videos(videos)] == ["a"]
    assert [(author.name, author.videos, author.views) for author in top_authors(videos)] == [("x", 2, 5)]


async def test_equal_questions_are_answered_from_the_cache(serve, site, tmp_path, ask):
    with serve(tmp_path, cache_seconds=600) as base:
        for tool, arguments in (
            ("search_content", {"keyword": "咖啡", "limit": 2}),
            ("list_hot", {"limit": 2}),
            ("get_video", {"video": BVID, "comments": 2}),
            ("get_user", {"user": MID}),
        ):
            first = await ask(tool, base, **arguments)
            visits = len(site.app.state.opened)
            second = await ask(tool, base, **arguments)
            assert (first["source"], second["source"], len(site.app.state.opened)) == ("browser", "cache", visits)
            assert first | {"source": "cache"} == second
        for _ in range(2):
            comments = await ask("get_comments", base, video=BVID, limit=2)
            assert comments["warnings"] == ["没有登录，B站只给未登录的人看前几条评论"]
        assert comments["source"] == "cache"
        more = await ask(
            "search_content",
            base,
            keyword="咖啡",
            limit=40,
            cursor=(await ask("search_content", base, keyword="咖啡", limit=2))["next_cursor"],
        )
        assert more["items"][0]["bvid"] == bvid(2) and more["source"] == "cache"


async def test_with_privacy_users_are_not_named(serve, site, tmp_path, ask):
    with serve(tmp_path, privacy=True) as base:
        hit = (await ask("search_content", base, keyword="咖啡", limit=1, verbose=True))["items"][0]
        user = await ask("get_user", base, user=MID, verbose=True)
        comment = (await ask("get_comments", base, video=BVID, limit=2, verbose=True))["items"][1]
    assert (hit["author"], hit["mid"][:2]) == ("U**", "u_")
    assert user["name"] == "咖**" and MID not in str(user) and "sign" not in user
    assert comment["author"] == "观**" and "location" not in comment


def test_rest_searches_in_the_form_of_the_first_release(service, site):
    answer = httpx2.post(f"{service}/search", json={"keyword": "咖啡", "limit": 2}, timeout=60).json()
    assert (answer["status"], answer["service"], answer["count"]) == ("success", "bilibili", 2)
    assert answer["data"][0] == {
        "title": "第 0 个 咖啡 & 茶", "url": f"{site.base}/video/{bvid(0)}", "author": "UP0", "likes": 500,
        "description": "怎样冲一杯咖啡", "views": 100_000, "bvid": bvid(0),
    }  # fmt: skip


def test_rest_analyzes_a_video(service, site):
    data = httpx2.post(f"{service}/analyze", json={"url": f"{site.base}/video/{BVID}"}, timeout=60).json()["data"]
    assert (data["title"], data["shares"], data["author"]) == (
        "手冲咖啡 <入门>",
        55,
        {"name": "咖啡师", "followers": 12_345},
    )


def test_rest_has_the_status_of_a_refusal(service, site):
    for path, detail in (("search", "关键词不能为空"), ("analyze", "视频URL不能为空")):
        answer = httpx2.post(f"{service}/{path}", json={})
        assert (answer.status_code, answer.json()) == (400, {"detail": detail})
    site.app.state.case = "page_412"
    assert httpx2.post(f"{service}/search", json={"keyword": "咖啡"}, timeout=60).status_code == 429
