"""Lets the foreign server make the faults of real servers: each costs the call that it concerns, and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from dyber_kit.bridge.listing import Lock
from mcp import Client
from mcp.types import CallToolResult

from tests.servers.bridge.waiting import code_of, received, until
from tests.stand_in.bridges import Bridge, bridge, settings_of, text_of

SECRET = "sk-very-secret-0123"
SETTINGS = settings_of(passed=["JOURNAL"], secrets={"TOKEN": "required"}, environment={"TOKEN": "TOKEN"})


@pytest.fixture(scope="module")
def journal_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal"


@pytest.fixture
def journal(journal_file: Path) -> Path:
    """Return the file in which the foreign server notes what it receives from now on."""
    journal_file.write_text("", encoding="utf-8")
    return journal_file


@pytest.fixture(scope="module")
def foreign(lock: Lock, journal_file: Path) -> Iterator[Bridge]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TOKEN", SECRET)
        monkeypatch.setenv("JOURNAL", str(journal_file))
        with bridge(SETTINGS, lock) as running:
            yield running


@pytest.fixture
def alone(lock: Lock, journal: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bridge]:
    """Return a bridge whose child has done nothing yet."""
    monkeypatch.setenv("TOKEN", SECRET)
    monkeypatch.setenv("JOURNAL", str(journal))
    with bridge(SETTINGS, lock) as running:
        yield running


async def test_a_banner_other_encodings_and_half_messages_on_stdout_are_counted_and_ignored(alone: Bridge) -> None:
    async with Client(f"{alone.base}/mcp") as client:
        assert text_of(await client.call_tool("noise", {})) == "after the noise"
        assert text_of(await client.call_tool("echo", {"text": "still here"})) == "still here"
    assert alone.metric("mcp_child_noise_lines_total") == 5
    assert alone.metric("mcp_child_unknown_answers_total") == 1


async def test_a_chinese_answer_that_is_written_in_pieces_of_three_bytes_stays_whole(foreign: Bridge) -> None:
    text = "春眠不觉晓，处处闻啼鸟。👩‍👩‍👧\u3000完"
    async with Client(f"{foreign.base}/mcp") as client:
        assert text_of(await client.call_tool("pieces", {"text": text})) == text


async def test_a_large_answer_is_cut_and_says_how_much_is_left_out(foreign: Bridge) -> None:
    async with Client(f"{foreign.base}/mcp") as client:
        for size in (1_000_000, 8_000_000):
            answer = await client.call_tool("large", {"bytes": size})
            cut, note = (part.text for part in answer.content if part.type == "text")
            assert (len(cut), cut[:2], answer.is_error) == (24_000, "字字", False)
            assert str(size // 3 - 24_000) in note


async def test_an_answer_beyond_16_mib_or_with_very_many_values_fails_alone(alone: Bridge, tmp_path: Path) -> None:
    release = tmp_path / "release"
    async with Client(f"{alone.base}/mcp") as client, anyio.create_task_group() as calls:
        others: list[CallToolResult] = []

        async def wait() -> None:
            others.append(await client.call_tool("wait", {"file": str(release)}))

        calls.start_soon(wait)
        too_long = await client.call_tool("large", {"bytes": 20_000_000})
        assert code_of(too_long) == "INVALID_ARGUMENT" and "16 MiB" in text_of(too_long)
        assert "bytes" in text_of(too_long) and "max_chars" not in text_of(too_long)
        intricate = await client.call_tool("rows", {"rows": 100_000})
        assert code_of(intricate) == "INVALID_ARGUMENT" and "16 MiB" in text_of(intricate)
        large = await client.call_tool("rows", {"rows": 5_000})
        assert code_of(large) == "INVALID_ARGUMENT" and "24000" in text_of(large)
        release.touch()
    assert text_of(others[0]) == "done"
    assert alone.metric("mcp_child_restarts_total", reason="exit") == 0


async def test_fifty_callers_with_the_same_id_get_their_own_answers_and_progress(foreign: Bridge) -> None:
    wrong: list[object] = []

    async def caller(mark: int) -> None:
        seen: list[str | None] = []

        async def note(progress: float, total: float | None, message: str | None) -> None:
            seen.append(message)

        async with Client(f"{foreign.base}/mcp", mode="legacy") as client:
            while True:  # As many calls as this wait for their turn at most.
                answer = await client.call_tool("steps", {"mark": mark}, progress_callback=note)
                if not answer.is_error:
                    break
                assert code_of(answer) == "BUSY"
                await anyio.sleep(0.05)
        if text_of(answer) != str(mark) or set(seen) != {str(mark)}:
            wrong.append((mark, answer, seen))

    async with anyio.create_task_group() as callers:
        for mark in range(50):
            callers.start_soon(caller, mark)
    assert not wrong


async def test_a_caller_that_leaves_cancels_its_call_only(foreign: Bridge, journal: Path, tmp_path: Path) -> None:
    release = tmp_path / "release"
    async with Client(f"{foreign.base}/mcp") as client, Client(f"{foreign.base}/mcp", mode="legacy") as other:
        leaving = asyncio.create_task(client.call_tool("wait", {"file": str(tmp_path / "never")}))
        staying = asyncio.create_task(other.call_tool("wait", {"file": str(release)}))
        await until(lambda: len(received(journal, "tools/call")) == 2)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving
        await until(lambda: len(received(journal, "notifications/cancelled")) == 1)
        await until(lambda: foreign.metric("mcp_calls_in_flight") == 1)
        release.touch()
        assert text_of(await staying) == "done"
    cancelled = received(journal, "notifications/cancelled")[0]["params"]["requestId"]
    calls = {call["params"]["arguments"]["file"]: call["id"] for call in received(journal, "tools/call")}
    assert cancelled == calls[str(tmp_path / "never")]


async def test_a_child_that_is_killed_fails_its_calls_once_and_is_started_again(
    alone: Bridge, journal: Path, tmp_path: Path
) -> None:
    async with Client(f"{alone.base}/mcp", read_timeout_seconds=30) as client:
        _, pid = text_of(await client.call_tool("count", {})).split()
        never = {"file": str(tmp_path / "never")}
        calls = [asyncio.create_task(client.call_tool(name, never)) for name in ("wait", "wait", "write")]
        await until(lambda: len(received(journal, "tools/call")) == 4)
        os.kill(int(pid), signal.SIGKILL)
        with anyio.fail_after(5):
            answers = [await call for call in calls]
        assert [code_of(answer) for answer in answers] == ["UPSTREAM_UNREACHABLE"] * 2 + ["OUTCOME_UNKNOWN"]
        assert "SIGKILL" in text_of(answers[0])
        _, new_pid = text_of(await client.call_tool("count", {})).split()
    assert new_pid != pid
    assert len(received(journal, "tools/call")) == 5
    assert alone.metric("mcp_child_restarts_total", reason="exit") == 1


async def test_the_exit_of_a_child_is_noticed_although_a_grandchild_keeps_its_output_open(alone: Bridge) -> None:
    async with Client(f"{alone.base}/mcp") as client:
        _, pid = text_of(await client.call_tool("count", {})).split()
        answer = await client.call_tool("orphan", {})
        assert code_of(answer) == "UPSTREAM_UNREACHABLE"
        assert text_of(await client.call_tool("echo", {"text": "up"})) == "up"
    await until(lambda: not processes_of_group(int(pid)))


def processes_of_group(group: int) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = stat.read_text().rpartition(")")
            state, _, process_group = rest.split()[:3]
            if int(process_group) == group and state != "Z":
                found.append(name)
    return found


async def test_a_secret_is_masked_in_an_error_of_the_child(foreign: Bridge) -> None:
    async with Client(f"{foreign.base}/mcp") as client:
        answer = await client.call_tool("secret", {})
    assert (text_of(answer), answer.is_error) == ("401 for ***", True)


async def test_requests_of_the_child_are_refused_and_its_call_goes_on(alone: Bridge) -> None:
    async with Client(f"{alone.base}/mcp", mode="legacy") as client:
        codes = json.loads(text_of(await client.call_tool("ask", {})))
    assert codes == {"sampling/createMessage": -32601, "elicitation/create": -32601, "roots/list": -32601, "ping": None}
    assert alone.metric("mcp_child_refused_requests_total", method="roots/list") == 1


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("null error", [{"type": "text", "text": "fine"}]),
        ("text", [{"type": "text", "text": "just a text"}]),
        ("nothing", []),
        ("unknown part", [{"type": "text", "text": '{"type":"hologram","depth":3}'}]),
        ("snake case", [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]),
    ],
)
async def test_answers_in_odd_forms_are_repaired(foreign: Bridge, form: str, expected: list[dict[str, Any]]) -> None:
    async with Client(f"{foreign.base}/mcp") as client:
        answer = await client.call_tool("odd", {"form": form})
    assert answer.is_error is False
    assert [part.model_dump(by_alias=True, exclude_none=True) for part in answer.content] == expected


async def test_a_structure_that_is_no_object_reaches_only_clients_that_know_it(foreign: Bridge) -> None:
    async with Client(f"{foreign.base}/mcp", mode="legacy") as client:
        assert (await client.call_tool("odd", {"form": "list"})).structured_content is None
    async with Client(f"{foreign.base}/mcp") as client:
        assert (await client.call_tool("odd", {"form": "list"})).structured_content == [1, 2]


async def test_a_structure_that_breaks_the_locked_schema_is_an_error_that_names_the_place(foreign: Bridge) -> None:
    async with Client(f"{foreign.base}/mcp") as client:
        assert (await client.call_tool("shaped", {"value": "3"})).structured_content == {"length": 3}
        answer = await client.call_tool("shaped", {"value": '"three"'})
    assert code_of(answer) == "UPSTREAM_CHANGED" and "length" in text_of(answer)


async def test_arguments_that_break_the_locked_schema_are_refused_before_they_are_sent(
    foreign: Bridge, journal: Path
) -> None:
    async with Client(f"{foreign.base}/mcp") as client:
        answer = await client.call_tool("steps", {})
        assert (answer.meta or {})["dyber/error"]["fields"] == ["mark"]
        assert text_of(await client.call_tool("steps", {"mark": "7"})) == "7"
    assert [call["params"]["arguments"] for call in received(journal, "tools/call")] == [{"mark": 7}]


async def test_the_kernel_ends_the_child_before_the_bridge_when_memory_runs_out(foreign: Bridge) -> None:
    async with Client(f"{foreign.base}/mcp") as client:
        _, pid = text_of(await client.call_tool("count", {})).split()
    assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) > int(Path("/proc/self/oom_score_adj").read_text())


async def test_the_child_gets_its_own_variables_only(foreign: Bridge) -> None:
    async with Client(f"{foreign.base}/mcp") as client:
        names = text_of(await client.call_tool("environment", {})).split()
    assert {"JOURNAL", "TOKEN", "HOME", "PATH"} <= set(names)
    assert not [name for name in names if name.startswith(("DYBER_", "OTEL_", "PYTEST"))]
