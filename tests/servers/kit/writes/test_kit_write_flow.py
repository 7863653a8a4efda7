"""Tests of the flow of a write: dry run, confirmation by token or by asking the user, unknown outcomes, and the log."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Annotated, Any

import anyio
import pytest
from dyber_kit import ErrorCode, ServiceApp, ServiceError, Settings, create_app, tool
from dyber_kit.errors import ERROR_META, LocalRefusal
from dyber_kit.serving.server import build_server
from dyber_kit.writes.flow import Confirmation, DryRun, WriteResult, Writes
from mcp import Client
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ElicitResult, ErrorData, InputRequiredResult
from pydantic import Field

from tests.stand_in.running import free_port, running

CALL = {"text": "好", "account": "main"}
SHA256 = hashlib.sha256('{"account":"main","text":"好"}'.encode()).hexdigest()


class Board:
    """Is a board with one tool that writes; `problem` prevents writes, `end` is what happens after the submit."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.problem: ServiceError | None = None
        self.end: Callable[[], Any] | None = None
        self.before: Exception | None = None
        self.changes = True

    def build(self, **options: Any) -> ServiceApp:
        writes = Writes()

        @tool(title="贴", read_only=False, open_world=False)
        async def board_pin(
            text: Annotated[str, Field(description="What to write", max_length=100)],
            account: Annotated[str, Field(description="Account", max_length=10)] = "main",
            dry_run: DryRun = True,
            confirmation: Confirmation = "",
        ) -> WriteResult:
            """Pin a text on the board."""

            async def plan() -> str:
                if self.problem:
                    raise self.problem
                return f"贴上“{text}”"

            async def act(spend: Callable[[], None]) -> bool:
                if self.before:
                    raise self.before
                spend()
                self.written.append(text)
                if self.end:
                    await self.end()
                return self.changes

            arguments = {"account": account, "text": text}
            return await writes.run("board_pin", arguments, dry_run, confirmation, plan, act)

        settings = Settings(port=free_port(), read_only=False, max_call_seconds=options.pop("seconds", 30))
        return create_app(
            name="board", title="公告板", version="1", instructions="", tools=[board_pin], settings=settings, **options
        )


class User:
    """Is the user whom the client asks; counts and answers the questions."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.questions: list[str] = []

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        self.questions.append(params.message)
        return ElicitResult(action=self.action, content={} if self.action == "accept" else None)  # type: ignore[arg-type]


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def served(board: Board) -> Iterator[str]:
    """Return the base URL of the board as a service in which older clients have sessions."""
    with running(build_server(board.build(sessions=True))) as base:
        yield base


def connected(base: str, way: str, user: Any = None) -> Client:
    if way == "sse":
        return Client(sse_client(f"{base}/mcp/sse"), mode="legacy", elicitation_callback=user)
    return Client(f"{base}/mcp", mode=way, elicitation_callback=user)  # type: ignore[arg-type]


async def call(app: ServiceApp, **arguments: object) -> CallToolResult:
    async with Client(app.mcp) as client:
        return await client.call_tool("board_pin", {**CALL, **arguments})


async def confirmed(app: ServiceApp, **arguments: object) -> CallToolResult:
    """Make a dry run and the confirmed call."""
    planned = (await call(app, **arguments)).structured_content
    return await call(app, **arguments, dry_run=False, confirmation=planned["confirmation"])


def code_of(result: CallToolResult) -> str | None:
    return (result.meta or {}).get(ERROR_META, {}).get("code") if result.is_error else None


WAYS = ["auto", "legacy", "sse"]


async def test_a_dry_run_describes_the_write_and_says_that_dry_run_must_become_false(board):
    planned = (await call(board.build())).structured_content
    assert (planned["done"], planned["dry_run"], planned["summary"]) == (False, True, "贴上“好”")
    assert "dry_run=false 和 confirmation" in planned["next_step"]
    assert board.written == []


async def test_a_dry_run_fails_with_what_would_prevent_the_write(board):
    board.problem = ServiceError(ErrorCode.LOGIN_REQUIRED)
    assert code_of(await call(board.build())) == "LOGIN_REQUIRED"


@pytest.mark.parametrize(("changes", "already_so"), [(True, False), (False, True)])
async def test_the_confirmed_write_says_whether_something_changed(board, changes, already_so):
    board.changes = changes
    done = (await confirmed(board.build())).structured_content
    assert (done["done"], done["already_so"], board.written) == (True, already_so, ["好"])


async def test_a_token_from_before_a_restart_is_refused_with_that_as_a_possible_reason(board):
    token = (await call(board.build())).structured_content["confirmation"]
    text = (await call(board.build(), dry_run=False, confirmation=token)).content[0].text
    assert text.startswith("CONFIRMATION_REQUIRED：") and "服务重启过" in text


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_cannot_ask_needs_the_token_of_a_dry_run(served, board, way):
    async with connected(served, way) as client:
        result = await client.call_tool("board_pin", {**CALL, "dry_run": False})
    assert (code_of(result), board.written) == ("CONFIRMATION_REQUIRED", [])


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_can_ask_lets_the_user_confirm_in_one_call(served, board, way):
    user = User("accept")
    async with connected(served, way, user) as client:
        result = await client.call_tool("board_pin", {**CALL, "dry_run": False})
    assert result.structured_content["done"] is True
    assert (board.written, user.questions) == (["好"], ["请确认：贴上“好”"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_nothing_is_written_when_the_user_does_not_agree(served, board, way, action):
    async with connected(served, way, User(action)) as client:
        result = await client.call_tool("board_pin", {**CALL, "dry_run": False})
    assert (code_of(result), board.written) == ("CONFIRMATION_REQUIRED", [])
    assert "用户没有同意" in result.content[0].text


@pytest.mark.parametrize("way", WAYS)
async def test_a_dry_run_asks_nobody_and_says_that_the_client_will_ask(served, board, way):
    user = User("accept")
    async with connected(served, way, user) as client:
        planned = (await client.call_tool("board_pin", CALL)).structured_content
        done = await client.call_tool("board_pin", {**CALL, "dry_run": False, "confirmation": planned["confirmation"]})
    assert "客户端会直接询问用户" in planned["next_step"]
    assert (user.questions, done.structured_content["done"]) == ([], True)


@pytest.mark.parametrize("way", ["legacy", "sse"])
async def test_an_older_client_that_fails_to_ask_needs_the_token(served, board, way):
    async def fail(context: Any, params: Any) -> ErrorData:
        return ErrorData(code=-32000, message="no window")

    async with connected(served, way, fail) as client:
        result = await client.call_tool("board_pin", {**CALL, "dry_run": False})
    assert (code_of(result), board.written) == ("CONFIRMATION_REQUIRED", [])
    assert "dry_run=true" in result.content[0].text


@pytest.mark.parametrize("way", ["legacy", "sse"])
async def test_an_older_client_is_told_that_the_user_did_not_answer_before_the_call_ends(board, way):
    async def think(context: Any, params: Any) -> ElicitResult:
        await anyio.sleep_forever()
        raise AssertionError

    with running(build_server(board.build(sessions=True, seconds=1))) as base:
        async with connected(base, way, think) as client:
            result = await client.call_tool("board_pin", {**CALL, "dry_run": False})
    assert (code_of(result), board.written) == ("CONFIRMATION_REQUIRED", [])
    assert "用户没有及时回答" in result.content[0].text


async def test_the_user_is_not_asked_about_a_write_that_would_be_prevented(served, board):
    board.problem, user = ServiceError(ErrorCode.LOGIN_REQUIRED), User("accept")
    async with connected(served, "auto", user) as client:
        result = await client.call_tool("board_pin", {**CALL, "dry_run": False})
    assert (code_of(result), user.questions) == ("LOGIN_REQUIRED", [])


@pytest.mark.parametrize("changed", [{}, {"text": "坏"}, {"account": "other"}], ids=["same", "text", "account"])
async def test_the_consent_to_a_write_is_not_valid_for_another(served, board, changed):
    call = {**CALL, "dry_run": False}
    async with connected(served, "auto", User("accept")) as client:
        asked = await client.session.call_tool("board_pin", call, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult) and board.written == []
        agreed: Any = {name: ElicitResult(action="accept", content={}) for name in asked.input_requests or {}}
        with pytest.raises(MCPError) if changed else nullcontext():
            await client.session.call_tool(
                "board_pin", {**call, **changed}, input_responses=agreed, request_state=asked.request_state
            )
    assert board.written == ([] if changed else ["好"])


async def test_an_answer_to_a_question_that_was_not_asked_writes_nothing(served, board):
    agreed: Any = {"consent": ElicitResult(action="accept", content={})}
    async with connected(served, "auto", User("accept")) as client:
        asked = await client.session.call_tool(
            "board_pin", {**CALL, "dry_run": False}, input_responses=agreed, allow_input_required=True
        )
    assert isinstance(asked, InputRequiredResult) and board.written == []


def ends_with(error: Exception) -> Callable[[], Any]:
    async def end() -> None:
        raise error

    return end


@pytest.mark.parametrize(
    "error",
    [
        ServiceError(ErrorCode.TIMEOUT), ServiceError(ErrorCode.UPSTREAM_UNREACHABLE), ServiceError(ErrorCode.INTERNAL),
        TimeoutError("late"), ValueError("crash"),
    ],
    ids=str,
)  # fmt: skip
async def test_an_end_after_the_submit_that_says_nothing_is_an_unknown_outcome(board, error):
    board.end = ends_with(error)
    assert code_of(await confirmed(board.build())) == "OUTCOME_UNKNOWN"


async def test_a_write_that_reaches_the_deadline_after_the_submit_has_an_unknown_outcome(board):
    board.end = anyio.sleep_forever
    assert code_of(await confirmed(board.build(seconds=0.2))) == "OUTCOME_UNKNOWN"


async def test_a_refusal_by_the_platform_after_the_submit_is_told(board):
    board.end = ends_with(ServiceError(ErrorCode.RATE_LIMITED))
    assert code_of(await confirmed(board.build())) == "RATE_LIMITED"


async def test_a_confirmation_is_valid_again_after_this_service_refused_to_submit(board):
    app = board.build()
    token = (await call(app)).structured_content["confirmation"]
    board.end = ends_with(LocalRefusal(ErrorCode.BUSY))
    assert code_of(await call(app, dry_run=False, confirmation=token)) == "BUSY"
    board.end = None
    assert (await call(app, dry_run=False, confirmation=token)).structured_content["done"] is True
    assert "已经用过" in (await call(app, dry_run=False, confirmation=token)).content[0].text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServiceError(ErrorCode.TIMEOUT), "TIMEOUT"),
        (ServiceError(ErrorCode.UPSTREAM_UNREACHABLE), "UPSTREAM_UNREACHABLE"),
        (ValueError("crash"), "INTERNAL"),
    ],
    ids=str,
)
async def test_an_end_before_the_submit_keeps_its_code(board, error, code):
    board.before = error
    assert (code_of(await confirmed(board.build())), board.written) == (code, [])


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, ...]]]:
    """Return a function that returns tool, account, outcome and way of confirming of each line about a write."""
    caplog.set_level(logging.INFO, logger="dyber.writes")

    def read() -> list[tuple[str, ...]]:
        records = [vars(record) for record in caplog.records if record.name == "dyber.writes" and record.msg == "write"]
        assert {record["arguments_sha256"] for record in records} <= {SHA256}
        return [(record["tool"], record["account"], record["outcome"], record["confirmed_by"]) for record in records]

    return read


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the handlers of the log, which a new app would replace."""
    monkeypatch.setattr("dyber_kit.serving.app.configure_logging", lambda *_: None)


async def test_each_step_of_a_write_is_a_line_in_the_log(board, logged, lines):
    app = board.build()
    await confirmed(app)
    board.end = ends_with(ServiceError(ErrorCode.OUTCOME_UNKNOWN))
    await confirmed(app)
    await call(app, dry_run=False, confirmation="wrong")
    outcomes = ["dry_run", "done", "dry_run", "OUTCOME_UNKNOWN", "CONFIRMATION_REQUIRED"]
    ways = ["-", "token", "-", "token", "-"]
    assert lines() == [("board_pin", "main", *line) for line in zip(outcomes, ways, strict=True)]


async def test_the_log_says_that_the_user_was_asked_and_what_the_answer_was(board, logged, lines):
    app = board.build()
    for action in ("accept", "decline"):
        async with Client(app.mcp, elicitation_callback=User(action)) as client:
            await client.call_tool("board_pin", {**CALL, "dry_run": False})
    assert [line[2:] for line in lines()] == [
        ("asked", "-"), ("done", "user"), ("asked", "-"), ("declined", "-")
    ]  # fmt: skip


async def test_the_log_names_nobody_when_the_client_failed_to_ask(board, logged, lines):
    async def fail(context: Any, params: Any) -> ErrorData:
        return ErrorData(code=-32000, message="no window")

    async with Client(board.build().mcp, mode="legacy", elicitation_callback=fail) as client:
        await client.call_tool("board_pin", {**CALL, "dry_run": False})
    assert [line[2:] for line in lines()] == [("CONFIRMATION_REQUIRED", "-")]


async def test_the_log_has_no_contents(board, logged, caplog):
    caplog.set_level(logging.DEBUG)
    board.end = ends_with(ValueError("crash"))
    await confirmed(board.build(), text="SECRET-TEXT")
    assert board.written == ["SECRET-TEXT"]
    assert "SECRET-TEXT" not in "".join(str(vars(record)) for record in caplog.records if "dyber" in record.name)
