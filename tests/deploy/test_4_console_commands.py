"""The console's commands on a real deployment: its address and password, the calls, and what commands record for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli.records import history
from tests.deploy.checkout import BASE, STACK, Checkout, docker, inspect


@pytest.fixture(scope="module")
def console(deployed: Checkout) -> Iterator[Checkout]:
    """The stack with a console."""
    deployed.configure("console", {"enabled": True})
    deployed.deploy_sh(timeout=1500)
    yield deployed
    deployed.configure("console", None)
    deployed.behind = True


def wait_until(fact: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a fact; fail with its name."""
    give_up = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < give_up, f"it did not happen in {seconds} s: {what}"
        time.sleep(0.5)


def recorded(kind: str) -> list[dict[str, Any]]:
    (place,) = history.find(stack=STACK)
    return [entry for entry in place.read() if entry["kind"] == kind]


def answer_to(method: str, address: str, **sent: Any) -> httpx2.Response:
    """Send a request to the console, again while the gateway does not reach it yet."""
    answers: list[httpx2.Response] = []

    def answered() -> bool:
        answers.append(httpx2.request(method, address, verify=False, timeout=30, **sent))
        return answers[-1].status_code not in (502, 503, 504)

    wait_until(answered, "the console answers")
    return answers[-1]


def get(address: str, cookie: str = "") -> int:
    return answer_to("GET", address, headers={"Cookie": cookie}).status_code


def sign_in(address: str, password: str) -> tuple[int, str]:
    """Send the form with the password; return the status, which is 303 once it is right, and the cookie."""
    origin = {"Origin": address.removesuffix("/console/")}
    answer = answer_to("POST", f"{address}login", data={"password": password}, headers=origin)
    return answer.status_code, answer.headers.get("set-cookie", "").partition(";")[0]


def test_a_new_password_opens_the_console_and_ends_sessions_and_the_old_password(console: Checkout) -> None:
    address = console.deploy_sh("console").stdout.strip()
    old = console.deploy_sh("console", "password").stdout.strip()
    status, cookie = sign_in(address, old)
    assert status == 303
    assert get(address, cookie) == 200
    changed = console.deploy_sh("console", "password", "--new")
    new = changed.stdout.strip()
    assert new not in ("", old) and old not in changed.stderr and new not in changed.stderr
    assert console.configured("console")["passwordGeneration"] > 1
    assert get(address, cookie) == 303
    assert sign_in(address, old)[0] == 403
    assert sign_in(address, new)[0] == 303


def test_calls_are_shown_with_client_tool_outcome_and_seconds_but_without_arguments(console: Checkout) -> None:
    headers = {"Authorization": f"Bearer {console.token}"}
    body = {"message": "kept out of every record"}

    def calls(*arguments: str) -> list[dict[str, Any]]:
        lines = console.deploy_sh("calls", "--json", *arguments).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def recorded_call() -> bool:
        # The gateway tells the console nothing of calls until it has seen that a new console answers.
        assert httpx2.post(f"{BASE}/api/template/test", json=body, headers=headers).status_code == 200
        return bool(calls("--service", "template", "--since", "5m"))

    wait_until(recorded_call, "a call is recorded")
    call = calls("--service", "template-mcp", "--limit", "1")[0]
    assert (call["client"], call["outcome"], call["result"]) == ("desktop-pet", "ok", "ok")
    assert call["seconds"] > 0 and call["request_id"]
    refused = httpx2.post(f"{BASE}/api/template/test", json=body)
    assert refused.status_code == 401
    wait_until(lambda: calls("--outcome", "unauthorized"), "the refusal is recorded")
    assert {call["result"] for call in calls("--outcome", "refused")} == {"refused"}
    assert calls("--service", "template", "--before", "1d") == []
    table = console.deploy_sh("calls", "--service", "template").stdout
    assert "desktop-pet" in table
    assert body["message"] not in table + json.dumps(calls())


def test_calls_of_a_stopped_console_name_the_next_step(console: Checkout) -> None:
    container = inspect("console")["Id"]
    docker("stop", container)
    try:
        for arguments in (["calls"], ["console"]):
            result = console.deploy_sh(*arguments, check=False)
            assert result.returncode == 1
            assert "./deploy.sh start" in result.stderr
    finally:
        docker("start", container)


def test_deployments_refusals_drift_and_backups_are_recorded_for_the_console(
    console: Checkout, restored_file: Checkout, tmp_path: Path
) -> None:
    console.deploy_sh()
    newest = recorded("deployment")[-1]
    assert newest["outcome"] == "ok" and newest["seconds"] > 0 and newest["operations"]["same"] > 0
    right = console.configured("services")
    console.configure("services", {**right, "template": {"memoryMib": 1}})
    assert console.deploy_sh(check=False).returncode == 2
    console.configure("services", right)
    refused = recorded("deployment")[-1]
    assert refused["outcome"] == "refused" and "memoryMib" in refused["reason"]
    console.deploy_sh("drift")
    assert recorded("drift")[-1]["differences"] == []
    console.deploy_sh("backup", str(tmp_path / "backup.age"), DYBER_BACKUP_PASSWORD="correct horse")
    assert recorded("backup")[-1]["bytes"] == (tmp_path / "backup.age").stat().st_size
    shown = docker("exec", inspect("console")["Id"], "cat", "/files/history.jsonl")
    assert console.token not in shown
