"""Tests that agents and REST callers get failures with code and next step, and that crashes reveal nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import httpx2
import pytest
from dyber_kit import ErrorCode, Metrics, RestRoute, ServiceError, Settings, create_app, required, tool
from dyber_kit.calling.calls import Calls
from dyber_kit.errors import KINDS
from dyber_kit.serving.server import build_server
from dyber_kit.upstream.pacing import Pacer
from pydantic import BaseModel, Field

from tests.stand_in.running import free_port, running


class Done(BaseModel):
    """Is the answer of the tools here."""

    ok: bool


class Body(BaseModel):
    """Is the body of the failing route."""

    code: str = ""


async def fail(code: str) -> Done:
    if code == "crash":
        raise RuntimeError("internal detail: /srv/private")
    if code == "bad-output":
        return {"unexpected": "shape"}  # type: ignore[return-value]
    if code == "rate-limited":
        raise ServiceError(ErrorCode.RATE_LIMITED, retry_after=89.2)
    if code == "refused":
        raise ServiceError(ErrorCode.NOT_FOUND, request_id="C0DE:1A2B")
    raise ServiceError(ErrorCode(code))


@tool(title="失败", read_only=True, open_world=False)
async def failing_fail(code: Annotated[str, Field(description="Which failure", max_length=40)]) -> Done:
    """Fail with the requested code."""
    return await fail(code)


async def rest_fail(body: Body) -> Done:
    """Fail with the requested code."""
    return await fail(required(body.code, "代码不能为空"))


@pytest.fixture(scope="module")
def failing() -> Iterator[str]:
    """Return the base URL of a service that is not ready and whose calls fail with the requested code."""

    async def not_ready() -> str:
        return "浏览器无法启动"

    app = create_app(
        name="failing",
        title="失败",
        version="1.0.0",
        instructions="",
        tools=[failing_fail],
        rest=[RestRoute("/fail", "fail", rest_fail)],
        ready=not_ready,
        settings=Settings(port=free_port()),
    )
    with running(build_server(app)) as base:
        yield base


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_agents_read_code_cause_and_next_step(failing, connect, code):
    async with connect(failing) as client:
        result = await client.call_tool("failing_fail", {"code": str(code)})
    kind = KINDS[code]
    assert result.is_error
    assert result.content[0].text.startswith(f"{code}：{kind.message}。下一步：{kind.next_step}")


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_rest_callers_get_a_true_status_and_the_original_error_envelope(failing, code):
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{failing}/fail", json={"code": str(code)})
    kind = KINDS[code]
    assert answer.status_code == kind.status >= 400
    assert answer.json() == {
        "status": "error",
        "service": "failing",
        "action": "fail",
        "error": kind.message,
        "code": str(code),
        "next_step": kind.next_step,
        "retryable": kind.retryable,
    }


async def test_rest_callers_get_the_time_to_wait_in_whole_seconds(failing):
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{failing}/fail", json={"code": "rate-limited"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "90")
    assert answer.json()["retry_after_seconds"] == 90


async def test_the_platforms_id_of_a_refused_request_reaches_rest_callers(failing):
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{failing}/fail", json={"code": "refused"})
    assert answer.json()["platform_request_id"] == "C0DE:1A2B"


async def test_the_platforms_id_of_a_refused_request_reaches_programs(failing, connect):
    async with connect(failing) as client:
        result = await client.call_tool("failing_fail", {"code": "refused"})
    assert result.meta["dyber/error"]["platform_request_id"] == "C0DE:1A2B"


@pytest.mark.parametrize("code", ["crash", "bad-output"])
async def test_the_error_of_a_crash_shows_agents_no_internals(failing, connect, code):
    async with connect(failing) as client:
        result = await client.call_tool("failing_fail", {"code": code})
    assert result.is_error
    assert re.match(r"INTERNAL：服务内部错误（编号 [0-9a-f]{12}）。下一步：", result.content[0].text)
    assert "private" not in result.content[0].text and "shape" not in result.content[0].text


async def test_the_error_of_a_crash_shows_rest_callers_no_internals(failing):
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{failing}/fail", json={"code": "crash"})
    assert answer.status_code == 500
    assert answer.json()["code"] == "INTERNAL"
    assert "private" not in answer.text


async def test_a_missing_required_field_gets_400_with_a_detail(failing):
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{failing}/fail", json={"code": "  "})
    assert (answer.status_code, answer.json()) == (400, {"detail": "代码不能为空"})


async def test_a_service_that_cannot_serve_is_alive_but_not_ready(failing):
    async with httpx2.AsyncClient() as http:
        ready = await http.get(f"{failing}/ready")
        health = await http.get(f"{failing}/health")
    assert ready.status_code == 503
    assert ready.json() == {
        "status": "unavailable",
        "service": "failing-mcp",
        "version": "1.0.0",
        "tools": 1,
        "reason": "浏览器无法启动",
    }
    assert health.status_code == 200


async def test_metrics_count_calls_by_outcome(failing):
    async with httpx2.AsyncClient() as http:
        await http.post(f"{failing}/fail", json={"code": "NOT_FOUND"})
        await http.post(f"{failing}/fail", json={"code": "crash"})
        text = (await http.get(f"{failing}/metrics")).text
    for outcome in ("NOT_FOUND", "INTERNAL"):
        assert f'mcp_tool_calls_total{{outcome="{outcome}",service="failing",tool="rest:fail"}}' in text


def retry_hint(text: str) -> str:
    """Return the end of an error's text, which says when a retry can help."""
    return text[text.rindex("（") :]


def test_an_unknown_outcome_never_has_a_time_to_retry():
    error = ServiceError(ErrorCode.OUTCOME_UNKNOWN, retry_after=899.2)
    assert retry_hint(error.text) == "（原样重试无效）"
    assert error.details == {"code": "OUTCOME_UNKNOWN", "retryable": False}


@pytest.mark.parametrize("code", [code for code in ErrorCode if code is not ErrorCode.OUTCOME_UNKNOWN])
def test_a_time_to_wait_is_in_the_text_once_and_makes_the_failure_retryable(code):
    error = ServiceError(code, retry_after=899.2)
    assert re.fullmatch(r"（15 分钟后再试，到 (\d\d-\d\d )?\d\d:\d\d）", retry_hint(error.text))
    assert "重试无效" not in error.text and "稍后" not in error.text and "10 分钟" not in error.text
    assert (error.retryable, error.details["retry_after_seconds"]) == (True, 900)
    assert datetime.fromisoformat(error.details["retry_at"]).utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_without_a_time_to_wait_the_text_is_consistent(code):
    error = ServiceError(code)
    assert retry_hint(error.text) == ("（稍后可重试）" if error.retryable else "（原样重试无效）")
    assert error.retryable or not re.search("稍后|再试", KINDS[code].next_step)
    assert not re.search(r"\d+ ?(秒|分钟|小时)", KINDS[code].next_step)


def test_a_time_to_wait_that_is_set_later_is_in_the_text():
    error = ServiceError(ErrorCode.CAPTCHA_REQUIRED)
    error.retry_after = 60
    assert "60 秒后再试" in str(error)


def test_a_failure_with_long_texts_is_shortened():
    error = ServiceError(ErrorCode.UPSTREAM_CHANGED, "长" * 50_000, "远" * 50_000)
    assert len(error.text) < 2100


async def test_the_deadline_covers_waiting_for_a_turn():
    calls = Calls(Metrics("x"), max_seconds=0.05)
    pacer = Pacer("x", min_interval=0, queue_seconds=60)

    async def queued() -> None:
        async with pacer.turn():
            raise AssertionError("its turn came")

    async with pacer.turn():
        with pytest.raises(ServiceError) as raised:
            await calls.run("x", queued)
    assert raised.value.code is ErrorCode.TIMEOUT


async def test_a_call_that_may_have_taken_effect_ends_at_the_deadline_with_its_own_error():
    async def submitted() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ServiceError(ErrorCode.INTERNAL, "结果未知") from None

    with pytest.raises(ServiceError) as raised:
        await Calls(Metrics("x"), max_seconds=0.05).run("x", submitted)
    assert raised.value.message == "结果未知"


async def test_a_crash_is_logged_with_its_id_and_without_the_values_of_the_caller(caplog):
    calls = Calls(Metrics("x"), max_seconds=5)
    value = "hunter" + "2"  # In two parts, because the log shows this line of the source.

    async def crash() -> None:
        Done.model_validate({"ok": value})

    with pytest.raises(ServiceError) as raised:
        await calls.run("x", crash)
    [record] = [record for record in caplog.records if record.message == "call crashed"]
    assert record.error_id in raised.value.message
    assert "Done: ok: bool_parsing" in caplog.text and "hunter2" not in caplog.text
