"""Tests of what agents read when GitHub refuses, is down, or answers in another shape."""

from __future__ import annotations

import re

import pytest
from dyber_kit import Settings

from tests.stand_in.platforms.github.site import TOKEN
from tests.stand_in.running import free_port

CALLS = {
    "search_repos": {"query": "x"},
    "get_repo": {"repo": "o/r"},
    "search_issues": {"query": "x"},
    "get_issue": {"issue": "o/r#1"},
    "get_pull": {"pull": "o/r#3"},
    "list_commits": {"repo": "o/r"},
    "list_releases": {"repo": "o/r"},
    "read_file": {"repo": "o/r", "path": "README.md"},
    "search_code": {"query": "x"},
    "get_user": {"user": "o"},
    "list_runs": {"repo": "o/r"},
    "get_run": {"run": "o/r#1"},
    "analyze_repo": {"repo": "o/r"},
}


async def test_a_missing_repository_tells_what_a_token_would_change(make, refused, state):
    assert "NOT_FOUND：" in await refused("get_repo", repo="octocat/missing")
    text = await refused("get_repo", app=make(token=None), repo="octocat/private")
    assert "NOT_FOUND：" in text and "管理员设置 GITHUB_TOKEN 才能读取" in text
    assert "平台的请求编号 C0DE:1A2B:3C4D:5E6F" in text


async def test_an_expired_token_is_named_and_not_shown(refused, state):
    state.switches = {"expired"}
    text = await refused("get_repo", repo="octocat/hello")
    assert "LOGIN_EXPIRED：" in text and "GITHUB_TOKEN" in text and TOKEN not in text


async def test_a_refused_token_pauses_all_calls_but_that_for_trending_repositories(make, ask, refused, state):
    app = make()
    state.switches = {"expired"}
    first = await refused("get_repo", app=app, repo="octocat/hello")
    assert re.search("(60 秒|1 分钟)后再试", first)
    state.switches = set()
    for tool, arguments in {**CALLS, "get_rate_limit": {}}.items():
        text = await refused(tool, app=app, **arguments)
        assert text.startswith("LOGIN_EXPIRED：") and "GITHUB_TOKEN" in text and "暂停" in text, tool
    assert len(state.requests) == 1
    assert (await ask("list_trending", app=app))["source"] == "web"


async def test_a_used_up_limit_tells_the_time_and_stops_further_requests(refused, state):
    state.switches = {"primary"}
    text = await refused("get_repo", repo="octocat/hello")
    assert "RATE_LIMITED：" in text and re.search("3[01] 分钟后再试", text)
    state.switches = set()
    assert "RATE_LIMITED：" in await refused("get_repo", repo="octocat/other")
    assert len(state.requests) == 1


async def test_a_secondary_limit_is_waited_for_by_every_tool(refused, state):
    state.switches = {"secondary"}
    assert "2 分钟后再试" in await refused("get_repo", repo="octocat/hello")
    assert "RATE_LIMITED：" in await refused("search_repos", query="x")
    assert len(state.requests) == 1


async def test_the_limits_are_told_even_when_they_are_used_up(ask, refused, state):
    state.switches = {"primary"}
    await refused("get_repo", repo="octocat/hello")
    assert (await ask("get_rate_limit"))["source"] == "official"
    # Its headers have told by now that it counts towards the same limit.
    answer = await ask("get_rate_limit")
    assert answer["source"] == "cache" and answer["limits"][0]["name"] == "core"
    assert answer["limits"][0]["remaining"] == 0 and answer["limits"][0]["reset_at"]


async def test_the_limits_say_who_asks_and_cost_nothing(make, ask, state):
    signed = await ask("get_rate_limit")
    assert signed["authenticated"] and signed["scopes"] == ["repo", "read:org"] and signed["next_step"] is None
    assert [limit["name"] for limit in signed["limits"]] == ["core", "search", "code_search"]
    anonymous = await ask("get_rate_limit", app=make(token=None))
    assert not anonymous["authenticated"] and "每小时 60 次" in anonymous["next_step"]
    assert state.used == {"core": 0, "search": 0, "code_search": 0}


async def test_a_server_without_rate_limits_says_so(ask, state):
    state.switches = {"no-limits"}
    answer = await ask("get_rate_limit")
    assert answer["limits"] == [] and "没有启用频率限制" in answer["warnings"][0]


async def test_a_code_search_without_a_token_names_the_setting_and_asks_nothing(make, refused, state):
    text = await refused("search_code", app=make(token=None), query="x")
    assert "NOT_CONFIGURED：" in text and "GITHUB_TOKEN" in text
    assert state.requests == []


@pytest.mark.parametrize(
    ("switch", "code"),
    [("removed", "NOT_FOUND"), ("blocked", "ACCESS_RESTRICTED"), ("changed", "UPSTREAM_CHANGED")],
)
async def test_no_tool_tells_a_refusal_as_an_empty_result(refused, state, switch, code):
    state.switches = {switch}
    for tool, arguments in CALLS.items():
        assert (await refused(tool, **arguments)).startswith(f"{code}："), tool


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_issue", {"issue": "o/r#1"}),
        ("get_pull", {"pull": "o/r#3"}),
        ("list_runs", {"repo": "o/r"}),
        ("get_run", {"run": "o/r#30433644"}),
        ("list_releases", {"repo": "o/r"}),
        ("analyze_repo", {"repo": "o/r"}),
    ],
)
async def test_a_list_of_another_shape_is_not_told_as_an_empty_list(refused, state, tool, arguments):
    state.switches = {"changed-parts"}
    assert (await refused(tool, **arguments)).startswith("UPSTREAM_CHANGED：")


async def test_an_outage_is_told_after_further_attempts(refused, state):
    state.switches = {"down"}
    assert (await refused("get_repo", repo="o/r")).startswith("UPSTREAM_UNREACHABLE：")
    assert len(state.requests) == 3


async def test_an_unknown_qualifier_is_told_in_githubs_words(refused):
    text = await refused("search_repos", query="nonsense:1")
    assert "INVALID_ARGUMENT：" in text and "unknown qualifier" in text


async def test_an_empty_repository_is_told_in_githubs_words(refused, state):
    state.switches = {"empty"}
    text = await refused("list_commits", repo="octocat/hello")
    assert "NOT_FOUND：" in text and "Git Repository is empty" in text


async def test_blank_words_are_refused_before_a_request(refused, state):
    for query in ("   ", "a\x00b"):
        assert "INVALID_ARGUMENT：" in await refused("search_repos", query=query)
    assert state.requests == []


async def test_missing_fields_and_numbers_as_text_are_read(ask, state):
    state.switches = {"odd"}
    repos = await ask("search_repos", query="x", verbose=True)
    assert repos["items"] == [{"repo": "odd/one", "stars": 17}]
    repo = await ask("get_repo", repo="odd/one")
    assert (repo["repo"], repo["forks"], repo["stars"], repo["description"]) == ("odd/one", 3, None, None)
    issues = await ask("search_issues", query="x")
    assert issues["items"] == [{"ref": "odd/one#7", "title": "<script>x</script>", "labels": ["plain"]}]


async def test_very_long_texts_stay_within_an_answer_and_the_rest_is_reachable(make, ask, state):
    state.switches = {"odd"}
    app = make(Settings(port=free_port(), max_answer_chars=21510))
    issue = await ask("get_issue", app=app, issue="octocat/hello#1", max_chars=10000)
    assert len(issue["text"]) == 10000 and issue["text_truncated"]
    assert len(issue["comments"]) == 1 and issue["comments"][0]["truncated"]
    cursor = issue["next_cursor"]
    rest = await ask("get_issue", app=app, issue="octocat/hello#1", max_chars=10000, cursor=cursor)
    assert rest["comments"] == [{"text": ""}]


async def test_an_answer_that_has_not_changed_is_confirmed_and_costs_nothing(make, ask, state):
    app = make(cache_seconds=0)
    first = await ask("get_repo", app=app, repo="octocat/hello", max_chars=0)
    second = await ask("get_repo", app=app, repo="octocat/hello", max_chars=0)
    assert (state.confirmed, state.used["core"]) == (1, 1)
    assert {**first, "fetched_at": ""} == {**second, "fetched_at": ""}


async def test_an_answer_of_before_comes_from_the_cache_and_says_so(ask, state):
    first = await ask("get_repo", repo="octocat/hello")
    second = await ask("get_repo", repo="octocat/hello")
    assert (first["source"], second["source"], second["fetched_at"]) == ("official", "cache", first["fetched_at"])


async def test_requests_have_the_headers_that_github_asks_for(ask, state):
    await ask("get_repo", repo="octocat/hello", max_chars=0)
    sent = state.headers[0]
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert sent["accept"] == "application/vnd.github+json" and sent["x-github-api-version"] == "2022-11-28"
    assert sent["user-agent"] == "dyber-github-mcp"


async def test_an_enterprise_server_is_asked_below_its_path(make, ask, site, state):
    enterprise = make(api_url=f"{site.base}/api/v3")
    repos = await ask("search_repos", app=enterprise, query="hello", limit=20)
    await ask("search_repos", app=enterprise, query="hello", limit=20, cursor=repos["next_cursor"])
    assert [request.split("?")[0] for request in state.requests] == ["GET /api/v3/search/repositories"] * 2
    link = f"{site.base}/octocat/hello"
    assert (await ask("get_repo", app=enterprise, repo=link, max_chars=0))["repo"] == "octocat/hello"


async def test_a_server_in_an_internal_network_is_asked_only_at_the_addresses_that_are_set(make, ask, refused, site):
    internal = site.base.replace("127.0.0.1", "localhost")
    text = await refused("get_user", app=make(api_url=internal), user="octocat")
    assert "指向内部网络" in text and TOKEN not in text
    allowed = make(api_url=internal, allowed_addresses=("127.0.0.1", "::1"))
    assert (await ask("get_user", app=allowed, user="octocat"))["login"] == "octocat"
