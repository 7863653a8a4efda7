"""Tests of the tools that write: what is checked before, what is sent once, and what is known afterwards."""

from __future__ import annotations

import logging

import pytest
from dyber_kit import Settings
from mcp import Client

from tests.stand_in.platforms.github.site import TOKEN
from tests.stand_in.running import free_port

ISSUE = {"repo": "octocat/hello", "title": "Parser crashes", "body": "Steps {here}:\n\n    code"}
COMMENT = {"issue": "octocat/hello#1", "body": "I see this too {x}."}
BOTH = [("create_issue", ISSUE), ("add_comment", COMMENT)]


@pytest.fixture
def dry(ask, writing_app):
    """Return a function that makes a dry run and returns its answer."""

    async def run(tool, **arguments):
        return await ask(tool, app=writing_app, **arguments)

    return run


@pytest.fixture
def prevented(refused, writing_app):
    """Return a function that makes a dry run that is refused, and returns the text of its error."""

    async def run(tool, **arguments):
        return await refused(tool, app=writing_app, **arguments)

    return run


@pytest.fixture
def submit(ask, writing_app):
    """Return a function that makes a dry run and then the write, and returns the answer to the write."""

    async def run(tool, **arguments):
        token = (await ask(tool, app=writing_app, **arguments))["confirmation"]
        return await ask(tool, app=writing_app, **arguments, dry_run=False, confirmation=token)

    return run


@pytest.fixture
def submit_in_vain(ask, refused, writing_app, state):
    """Return a function that makes a dry run, then the write with switches, and returns the text of its error."""

    async def run(tool, switches, **arguments):
        token = (await ask(tool, app=writing_app, **arguments))["confirmation"]
        state.switches = switches
        return await refused(tool, app=writing_app, **arguments, dry_run=False, confirmation=token)

    return run


def posted(state):
    return [request for request in state.requests if request.startswith("POST")]


async def test_the_tools_that_write_are_offered_only_when_writing_is_switched_on(app, writing_app):
    async with Client(app.mcp) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    async with Client(writing_app.mcp) as client:
        more = {tool.name for tool in (await client.list_tools()).tools} - names
    assert more == {"github_create_issue", "github_add_comment"}


async def test_a_dry_run_of_an_issue_says_who_opens_what_where_and_sends_nothing(dry, state):
    answer = await dry("create_issue", **ISSUE)
    assert answer["dry_run"] and not answer["done"] and answer["confirmation"]
    for part in ("octocat/hello", "公开", "mona", "Parser crashes", ISSUE["body"]):
        assert part in answer["summary"]
    assert posted(state) == []


async def test_a_dry_run_of_a_comment_names_the_title_and_the_author_of_the_issue(dry, state):
    answer = await dry("add_comment", **COMMENT)
    for part in ("octocat/hello#1", "Parser crash number 1", "reporter", "mona", "开放", COMMENT["body"]):
        assert part in answer["summary"]
    assert "拉取请求 octocat/hello#6" in (await dry("add_comment", issue="octocat/hello#6", body="x"))["summary"]
    assert posted(state) == []


async def test_a_confirmed_issue_is_opened_once_and_its_link_is_told(submit, state):
    answer = await submit("create_issue", **ISSUE)
    assert answer["done"]
    assert answer["summary"] == "已新建 octocat/hello#101：https://github.com/octocat/hello/issues/101"
    assert [(made["title"], made["body"]) for made in state.opened] == [(ISSUE["title"], ISSUE["body"])]


async def test_a_confirmed_comment_is_added_once_and_its_link_is_told(submit, state):
    answer = await submit("add_comment", **COMMENT)
    assert "issuecomment-9001" in answer["summary"]
    assert [made["body"] for made in state.commented] == [COMMENT["body"]]
    assert posted(state) == ["POST /repos/octocat/hello/issues/1/comments"]


async def test_a_comment_shows_in_what_is_read_after_it(ask, submit, writing_app):
    before = await ask("get_issue", app=writing_app, issue="octocat/hello#2")
    await submit("add_comment", issue="octocat/hello#2", body="new")
    after = await ask("get_issue", app=writing_app, issue="octocat/hello#2")
    assert (before["comments"], [comment["text"] for comment in after["comments"]]) == ([], ["new"])


@pytest.mark.parametrize(("tool", "arguments"), BOTH)
async def test_nothing_is_sent_without_a_confirmation_or_with_that_of_another_text(
    dry, prevented, state, tool, arguments
):
    assert "CONFIRMATION_REQUIRED：" in await prevented(tool, **arguments, dry_run=False)
    token = (await dry(tool, **arguments))["confirmation"]
    changed = {**arguments, "body": "another text"}
    assert "CONFIRMATION_REQUIRED：" in await prevented(tool, **changed, dry_run=False, confirmation=token)
    assert posted(state) == []


async def test_a_confirmation_is_valid_once(dry, ask, prevented, writing_app, state):
    token = (await dry("add_comment", **COMMENT))["confirmation"]
    sent = {**COMMENT, "dry_run": False, "confirmation": token}
    await ask("add_comment", app=writing_app, **sent)
    assert "CONFIRMATION_REQUIRED：" in await prevented("add_comment", **sent)
    assert len(state.commented) == 1


@pytest.mark.parametrize(("tool", "arguments"), BOTH)
@pytest.mark.parametrize(
    ("switches", "text"),
    [
        ({"archived"}, "ACCESS_RESTRICTED：octocat/hello 已归档"),
        ({"disabled"}, "ACCESS_RESTRICTED：octocat/hello 已被 GitHub 停用"),
        ({"no-scopes"}, "缺少范围 public_repo"),
        ({"private", "no-scopes"}, "缺少范围 repo"),
        ({"removed"}, "NOT_FOUND："),
        ({"expired"}, "LOGIN_EXPIRED："),
        ({"secondary"}, "RATE_LIMITED："),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else None,
)
async def test_a_dry_run_tells_what_would_prevent_the_write(prevented, state, tool, arguments, switches, text):
    state.switches = switches
    assert text in await prevented(tool, **arguments)


async def test_issues_that_are_switched_off_prevent_new_issues_only(dry, prevented, state):
    state.switches = {"no-issues"}
    assert "关闭了议题功能" in await prevented("create_issue", **ISSUE)
    assert (await dry("add_comment", issue="octocat/hello#6", body="x"))["confirmation"]


async def test_a_locked_conversation_takes_comments_of_those_with_write_access_only(dry, prevented, state):
    state.switches = {"locked"}
    assert "ACCESS_RESTRICTED：octocat/hello#1 的讨论已锁定" in await prevented("add_comment", **COMMENT)
    state.switches = {"locked", "may-push"}
    assert (await dry("add_comment", **COMMENT))["confirmation"]


async def test_a_repository_or_an_issue_that_has_moved_is_named_and_not_written_to(prevented, state):
    text = await prevented("create_issue", **{**ISSUE, "repo": "octocat/renamed"})
    assert "INVALID_ARGUMENT：octocat/renamed 已移到 octocat/hello" in text
    state.switches = {"transferred"}
    assert "octocat/hello#1 已移到 octocat/new-home#1" in await prevented("add_comment", **COMMENT)
    assert "NOT_FOUND：" in await prevented("add_comment", issue="octocat/hello#99", body="x")


async def test_a_token_whose_scopes_github_does_not_tell_may_try(submit, state):
    state.switches = {"fine-grained", "app-token"}
    assert (await submit("create_issue", **ISSUE))["done"]
    assert "GITHUB_TOKEN 的账号" not in str(state.opened)


async def test_a_dry_run_of_an_app_names_no_login(dry, state):
    state.switches = {"app-token"}
    assert "GITHUB_TOKEN 的账号" in (await dry("create_issue", **ISSUE))["summary"]


@pytest.mark.parametrize(("tool", "arguments"), BOTH)
async def test_writing_without_a_token_names_the_setting_and_asks_nothing(make, refused, state, tool, arguments):
    anonymous = make(Settings(port=free_port(), read_only=False), token=None)
    for more in ({}, {"dry_run": False, "confirmation": "x"}):
        text = await refused(tool, app=anonymous, **arguments, **more)
        assert "NOT_CONFIGURED：" in text and "GITHUB_TOKEN" in text
    assert state.requests == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("create_issue", {**ISSUE, "title": " \u200b "}),
        ("create_issue", {**ISSUE, "title": "two\nlines"}),
        ("create_issue", {**ISSUE, "body": "a\x00b"}),
        ("add_comment", {**COMMENT, "body": " \n "}),
        ("add_comment", {**COMMENT, "issue": "octocat"}),
    ],
)
async def test_texts_that_nobody_can_read_are_refused_before_a_request(prevented, state, tool, arguments):
    assert "INVALID_ARGUMENT：" in await prevented(tool, **arguments)
    assert state.requests == []


@pytest.mark.parametrize(("tool", "arguments"), BOTH)
@pytest.mark.parametrize("switch", ["lost", "cut", "garbled"])
async def test_an_answer_that_was_not_seen_is_an_unknown_outcome_and_sent_once(
    submit_in_vain, state, tool, arguments, switch
):
    text = await submit_in_vain(tool, {switch}, **arguments)
    assert text.startswith("OUTCOME_UNKNOWN：") and "以免重复" in text
    assert len(posted(state)) == 1 and len(state.opened + state.commented) == 1


@pytest.mark.parametrize(("tool", "arguments"), BOTH)
@pytest.mark.parametrize(
    ("switch", "code", "sent"),
    [
        ("forbidden", "ACCESS_RESTRICTED", 1),
        ("busy", "UPSTREAM_UNREACHABLE", 1),
        ("archived", "ACCESS_RESTRICTED", 0),
        ("down", "UPSTREAM_UNREACHABLE", 0),
        ("secondary", "RATE_LIMITED", 0),
    ],
)
async def test_a_clear_refusal_is_told_as_it_is_and_sent_at_most_once(
    submit_in_vain, state, tool, arguments, switch, code, sent
):
    text = await submit_in_vain(tool, {switch}, **arguments)
    assert text.startswith(f"{code}：")
    assert len(posted(state)) == sent and state.opened + state.commented == []


@pytest.mark.parametrize(("tool", "arguments"), BOTH)
async def test_the_confirmation_stays_valid_when_github_says_that_it_did_not_handle_the_write(
    ask, refused, writing_app, state, tool, arguments
):
    token = (await ask(tool, app=writing_app, **arguments))["confirmation"]
    sent = {**arguments, "dry_run": False, "confirmation": token}
    state.switches = {"busy"}
    assert (await refused(tool, app=writing_app, **sent)).startswith("UPSTREAM_UNREACHABLE：")
    state.switches = set()
    assert (await ask(tool, app=writing_app, **sent))["done"]
    assert len(state.opened + state.commented) == 1


async def test_a_token_without_permission_is_told_which_permission_is_missing(submit_in_vain):
    text = await submit_in_vain("create_issue", {"forbidden"}, **ISSUE)
    assert "Resource not accessible by personal access token" in text and "Issues 的 Read and write" in text


async def test_a_text_that_github_does_not_take_is_told_in_its_words(submit_in_vain, state):
    assert "Validation Failed" in await submit_in_vain("create_issue", {"invalid"}, **ISSUE)
    assert state.opened == []


async def test_the_log_has_a_line_of_each_step_without_the_text(dry, submit, submit_in_vain, caplog):
    caplog.set_level(logging.INFO, "dyber")
    await submit("create_issue", **ISSUE)
    await submit_in_vain("add_comment", {"lost"}, **COMMENT)
    steps = [record for record in caplog.records if record.message == "write"]
    assert [(record.tool, record.outcome) for record in steps] == [
        ("github_create_issue", "dry_run"),
        ("github_create_issue", "done"),
        ("github_add_comment", "dry_run"),
        ("github_add_comment", "OUTCOME_UNKNOWN"),
    ]
    assert [record.ref for record in caplog.records if record.message == "issue opened"] == ["octocat/hello#101"]
    logged = str([vars(record) for record in caplog.records])
    assert ISSUE["body"] not in logged and COMMENT["body"] not in logged and TOKEN not in logged


async def test_a_read_only_service_says_that_it_is(refused, state):
    assert (await refused("create_issue", **ISSUE)).startswith("READ_ONLY：")
    assert state.requests == []


async def test_privacy_hides_the_author_in_a_dry_run(make, ask):
    private = make(Settings(port=free_port(), privacy=True, read_only=False))
    summary = (await ask("add_comment", app=private, **COMMENT))["summary"]
    assert "reporter" not in summary and "u_" in summary
