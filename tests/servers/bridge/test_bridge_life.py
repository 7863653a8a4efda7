"""Lets the child of the bridge fail, hang and restart, and stops the bridge."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from dyber_kit.bridge.listing import Lock
from dyber_kit.contract import digest
from mcp import Client

from infra.services.contract import contract_text, listing_notes
from tests.servers.bridge.waiting import code_of, received, until
from tests.stand_in.bridges import QUICK, Bridge, bridge, settings_of, text_of
from tests.stand_in.running import process

SECRET = "sk-very-secret-0123"
HEALTHCHECK = Path(__file__).resolve().parents[3] / "mcp-servers" / "healthcheck"


def is_healthy(running: Bridge) -> bool:
    """Return whether the engine takes a service as healthy."""
    environment = {**os.environ, "PORT": running.base.rpartition(":")[2]}
    return subprocess.run([sys.executable, HEALTHCHECK], env=environment, timeout=10, check=False).returncode == 0


async def test_without_a_required_secret_the_child_is_not_started_and_the_service_says_which_is_missing(
    lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL", str(tmp_path / "journal"))
    with bridge(settings_of(passed=["JOURNAL"], secrets={"AMAP_KEY": "required"}), lock) as foreign:
        status, body = foreign.ready()
        assert (status, body["status"], "AMAP_KEY" in body["reason"]) == (503, "not_configured", True)
        assert is_healthy(foreign), "a deployment must not wait for the secret"
        async with Client(f"{foreign.base}/mcp") as client:
            answer = await client.call_tool("echo", {"text": "a"})
        assert code_of(answer) == "NOT_CONFIGURED" and "AMAP_KEY" in text_of(answer)
    assert not (tmp_path / "journal").exists()


async def test_a_child_that_exits_at_each_start_is_tried_again_with_its_code_and_last_line_shown(
    lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOREIGN_EXIT", "7")
    settings = settings_of(passed=["FOREIGN_EXIT"])
    with bridge(settings, lock, timings=replace(QUICK, attempts=3, down=60, patience=0.1)) as foreign:
        await until(lambda: foreign.metric("mcp_child_restarts_total", reason="exit") == 3)
        status, body = foreign.ready()
        assert (status, is_healthy(foreign)) == (503, False)
        assert "ended (7)" in body["reason"] and "the licence has expired" in body["reason"]
        async with Client(f"{foreign.base}/mcp") as client:
            answer = await client.call_tool("echo", {"text": "a"})
        assert code_of(answer) == "BUSY" and "the licence has expired" in text_of(answer)
        assert 0 < (answer.meta or {})["dyber/error"]["retry_after_seconds"] <= 60
        assert foreign.metric("mcp_child_restarts_total", reason="exit") == 3


async def test_a_program_that_is_missing_is_named(lock: Lock) -> None:
    with bridge(settings_of(("/no/such/program",)), lock) as foreign:
        await until(lambda: foreign.metric("mcp_child_restarts_total", reason="start") >= 1)
        assert "/no/such/program" in foreign.ready()[1]["reason"]


async def test_a_child_that_reads_no_more_is_ended_after_a_deadline_and_a_question(lock: Lock) -> None:
    with bridge(settings_of(), lock, max_call_seconds=1) as foreign:
        async with Client(f"{foreign.base}/mcp") as client:
            assert code_of(await client.call_tool("deaf", {})) == "TIMEOUT"
            await until(lambda: foreign.metric("mcp_child_restarts_total", reason="hang") == 1)
            await until(lambda: foreign.ready()[0] == 200)
            assert text_of(await client.call_tool("echo", {"text": "again"})) == "again"


async def test_a_slow_child_that_still_answers_is_not_ended(lock: Lock, tmp_path: Path) -> None:
    with bridge(settings_of(), lock, timings=replace(QUICK, answer_small=10), max_call_seconds=1) as foreign:
        async with Client(f"{foreign.base}/mcp") as client:
            _, pid = text_of(await client.call_tool("count", {})).split()
            for _ in range(2):
                assert code_of(await client.call_tool("wait", {"file": str(tmp_path / "never")})) == "TIMEOUT"
            assert code_of(await client.call_tool("write", {"file": str(tmp_path / "never")})) == "OUTCOME_UNKNOWN"
            assert text_of(await client.call_tool("count", {})).split()[1] == pid


async def test_calls_beyond_those_that_run_and_wait_are_refused(lock: Lock, tmp_path: Path) -> None:
    release = tmp_path / "release"
    with bridge(settings_of(max_in_flight=1), lock) as foreign:
        async with Client(f"{foreign.base}/mcp") as client:
            calls = [asyncio.create_task(client.call_tool("wait", {"file": str(release)})) for _ in range(2)]
            await until(lambda: foreign.metric("mcp_calls_in_flight") == 2)
            assert code_of(await client.call_tool("echo", {"text": "third"})) == "BUSY"
            release.touch()
            assert [text_of(await call) for call in calls] == ["done", "done"]


async def test_the_memory_of_a_child_includes_what_it_started_and_what_that_left_behind(lock: Lock) -> None:
    with bridge(settings_of(), lock) as foreign:
        async with Client(f"{foreign.base}/mcp") as client:
            await client.call_tool("echo", {"text": "a"})
            alone = foreign.metric("mcp_child_rss_bytes")
            assert text_of(await client.call_tool("family", {})) == "started"
            assert foreign.metric("mcp_child_rss_bytes") > alone + 95 * 2**20  # Three with 30 MiB and Python.


async def test_a_changed_tool_is_refused_and_a_new_one_hidden_while_agents_still_see_the_lock(
    lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = tmp_path / "changes.json"
    changed = {"echo": {"description": "Send everything elsewhere", "inputSchema": {"type": "object"}}}
    changes.write_text(json.dumps({**changed, "added": {"inputSchema": {"type": "object"}}, "noise": None}))
    monkeypatch.setenv("FOREIGN_TOOLS", str(changes))
    with bridge(settings_of(passed=["FOREIGN_TOOLS"]), lock) as foreign:
        await until(lambda: foreign.ready()[0] == 200)
        assert foreign.metric("mcp_contract_differs") == 3
        async with Client(f"{foreign.base}/mcp") as client:
            descriptions = {tool.name: tool.description for tool in (await client.list_tools()).tools}
            assert descriptions["echo"] == "Send a text back" and "added" not in descriptions
            assert code_of(await client.call_tool("echo", {"text": "a"})) == "UPSTREAM_CHANGED"
            assert code_of(await client.call_tool("noise", {})) == "UPSTREAM_CHANGED"
            assert text_of(await client.call_tool("steps", {"mark": 4})) == "4"


async def test_a_list_that_changes_while_the_child_runs_is_compared_again(
    lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = tmp_path / "changes.json"
    changes.write_text("{}")
    monkeypatch.setenv("FOREIGN_TOOLS", str(changes))
    with bridge(settings_of(passed=["FOREIGN_TOOLS"]), lock) as foreign:
        async with Client(f"{foreign.base}/mcp") as client:
            assert text_of(await client.call_tool("echo", {"text": "a"})) == "a"
            changes.write_text(json.dumps({"echo": {"inputSchema": {"type": "object"}}}))
            assert text_of(await client.call_tool("relist", {})) == "told"
            await until(lambda: foreign.metric("mcp_contract_differs") == 1)
            assert code_of(await client.call_tool("echo", {"text": "a"})) == "UPSTREAM_CHANGED"


def files_for(tmp_path: Path, lock: Lock, **options: object) -> dict[str, str]:
    """Write the two files of an image; return the variables that name them."""
    described = settings_of(**options).model_dump(mode="json")
    (tmp_path / "bridge.json").write_text(json.dumps(described), encoding="utf-8")
    tools = {name: {"sha256": digest(visible), **visible} for name, visible in lock.tools.items()}
    (tmp_path / "tools.lock.json").write_text(json.dumps({"service": "foreign", "tools": tools}), encoding="utf-8")
    return {
        "DYBER_BRIDGE_FILE": str(tmp_path / "bridge.json"),
        "DYBER_LOCK_FILE": str(tmp_path / "tools.lock.json"),
        "DYBER_READ_ONLY": "false",
    }


async def test_a_stop_lets_the_running_call_finish_and_leaves_no_child(lock: Lock, tmp_path: Path) -> None:
    release = tmp_path / "release"
    variables = files_for(tmp_path, lock, passed=["JOURNAL"])
    with process("dyber_kit.bridge", JOURNAL=str(tmp_path / "journal"), **variables) as (server, base):
        async with Client(f"{base}/mcp") as client:
            _, pid = text_of(await client.call_tool("count", {})).split()
            call = asyncio.create_task(client.call_tool("wait", {"file": str(release)}))
            await until(lambda: len(received(tmp_path / "journal", "tools/call")) == 2)
            server.send_signal(signal.SIGTERM)
            await until(lambda: not is_ready(base))
            release.touch()
            assert text_of(await call) == "done"
        await until(lambda: server.poll() is not None)
        assert server.returncode == 0
        assert not Path(f"/proc/{pid}").exists()


def is_ready(base: str) -> bool:
    try:
        return httpx2.get(f"{base}/ready").status_code == 200
    except httpx2.TransportError:
        return False


async def test_a_secret_and_control_characters_on_stderr_do_not_reach_the_log(lock: Lock, tmp_path: Path) -> None:
    variables = files_for(tmp_path, lock, secrets={"MY_TOKEN": "required"}, environment={"TOKEN": "MY_TOKEN"})
    secret_file = tmp_path / "token"
    secret_file.write_text(SECRET)
    with process("dyber_kit.bridge", MY_TOKEN_FILE=str(secret_file), **variables) as (server, base):
        async with Client(f"{base}/mcp") as client:
            assert text_of(await client.call_tool("secret", {})) == "401 for ***"
            assert code_of(await client.call_tool("crash", {})) == "UPSTREAM_UNREACHABLE"
        server.send_signal(signal.SIGTERM)
        assert server.stdout
        output = await asyncio.to_thread(server.stdout.read)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [line["line"] for line in lines if line["message"] == "child line"][:1] == ["connecting with ***"]
    ended = next(line for line in lines if line["message"] == "child ended")
    assert ended["lines"][-1] == "about to end" and SECRET not in output


def test_a_description_that_cannot_be_used_is_refused_with_file_field_and_reason(tmp_path: Path, lock: Lock) -> None:
    variables = files_for(tmp_path, lock)
    (tmp_path / "bridge.json").write_text('{"service": "foreign", "title": "x", "transport": "sse", "colour": 1}')
    outcome = run_module("dyber_kit.bridge", **variables)
    assert outcome.returncode == 2
    assert "bridge.json" in outcome.stderr and "colour" in outcome.stderr


def run_module(*module: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DYBER_LANGUAGE": "en", **variables}
    return subprocess.run(
        [sys.executable, "-m", *module], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_decision_about_a_tool_that_does_not_exist_is_refused(lock: Lock, tmp_path: Path) -> None:
    outcome = run_module("dyber_kit.bridge", **files_for(tmp_path, lock, tools={"ecoh": "off"}))
    assert outcome.returncode == 2 and "ecoh" in outcome.stderr and "echo" in outcome.stderr


def test_the_contract_is_what_the_child_lists_with_placeholders_for_secrets(lock: Lock, tmp_path: Path) -> None:
    variables = files_for(tmp_path, lock, secrets={"TOKEN": "required"})
    made = run_module("dyber_kit.bridge.contract", **variables)
    assert made.returncode == 0, made.stderr
    contract = json.loads(made.stdout)
    assert contract["service"] == "foreign" and contract["tools"].keys() == lock.tools.keys()
    kept = tmp_path / "kept.json"
    kept.write_text(made.stdout)
    assert run_module("dyber_kit.bridge.contract", "--check", str(kept), **variables).returncode == 0
    kept.write_text(made.stdout.replace("Send a text back", "Send a text forth"))
    differing = run_module("dyber_kit.bridge.contract", "--check", str(kept), **variables)
    assert differing.returncode == 1 and "Send a text forth" in differing.stdout


def test_the_contract_of_a_server_that_ends_shows_what_it_printed(tmp_path: Path, lock: Lock) -> None:
    variables = files_for(tmp_path, lock, passed=["FOREIGN_EXIT"])
    outcome = run_module("dyber_kit.bridge.contract", FOREIGN_EXIT="9", **variables)
    assert outcome.returncode == 2 and "the licence has expired" in outcome.stderr


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_era_is_found_on_a_child_of_its_own(tmp_path: Path, lock: Lock, era: str) -> None:
    variables = files_for(tmp_path, lock, passed=["FOREIGN_ERA", "JOURNAL"])
    outcome = run_module(
        "dyber_kit.bridge.contract", "--era", FOREIGN_ERA=era, JOURNAL=str(tmp_path / "journal"), **variables
    )
    assert outcome.stdout.strip() == era, outcome.stderr
    assert len(received(tmp_path / "journal", "tools/list")) == 1


def test_a_tool_without_a_schema_is_repaired_and_one_with_a_bad_name_refused(tmp_path: Path, lock: Lock) -> None:
    changes = tmp_path / "changes.json"
    later = {"inputSchema": {"type": "object"}, "execution": {"taskSupport": "required"}}
    others = {"loose": {"inputSchema": None}, "bad name": {"inputSchema": {"type": "object"}}, "later": later}
    changes.write_text(json.dumps(others))
    variables = files_for(tmp_path, lock, passed=["FOREIGN_TOOLS"])
    outcome = run_module("dyber_kit.bridge.contract", FOREIGN_TOOLS=str(changes), **variables)
    tools = json.loads(contract_text(outcome.stdout))["tools"]
    assert tools["loose"]["inputSchema"] == {"type": "object"} and "bad name" not in tools
    assert tools.keys() == {*lock.tools, "loose"}
    notes = listing_notes(outcome.stdout)
    assert [name in note for name, note in zip(("loose", "bad name", "later"), notes, strict=True)] == [True] * 3
    file = tmp_path / "tools.lock.json"
    written = run_module("dyber_kit.bridge.contract", "--write", str(file), FOREIGN_TOOLS=str(changes), **variables)
    assert (written.stdout, written.stderr.splitlines()) == ("", list(notes))
