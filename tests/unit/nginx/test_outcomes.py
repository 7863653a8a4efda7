"""Tests how requests are counted, also those whose error the gateway answers with status 200."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

OUTCOMES = Path(__file__).resolve().parents[3] / "nginx" / "njs" / "outcomes.js"
ERRORS = Path(__file__).resolve().parents[3] / "nginx" / "errors.json"
SCRIPT = """
const {default: outcomes} = await import(process.argv[1]);
const v = JSON.parse(process.argv[2]);
console.log(JSON.stringify([outcomes.status(v), outcomes.outcome(v)]));
"""


def counted(status: str, error: str = "", streaming_client: str = "") -> list[str]:
    """Return the status and the outcome with which a request is counted."""
    node, _ = compute_driver_executable()
    variables = json.dumps({"status": status, "gateway_error": error, "streaming_client": streaming_client})
    command = [node, "--input-type=module", "--eval", SCRIPT, OUTCOMES.as_uri(), variables]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        ("200", "", "ok"),
        ("202", "", "ok"),
        ("308", "", "ok"),
        ("404", "", "refused"),
        ("401", "unauthorized", "refused"),
        ("429", "rate_limited", "refused"),
        ("499", "", "cancelled"),
        ("500", "", "failed"),
        ("502", "service_down", "failed"),
    ],
)
def test_a_request_is_counted_with_its_status(status: str, error: str, outcome: str) -> None:
    assert counted(status, error) == [status, outcome]


@pytest.mark.parametrize("error", ["circuit_open", "overloaded", "rate_limited", "service_down", "service_timeout"])
def test_an_error_that_is_answered_as_a_result_is_counted_with_its_usual_status(error: str) -> None:
    status = str(json.loads(ERRORS.read_text(encoding="utf-8"))[error]["status"])
    assert counted("200", error) == [status, "failed" if status[0] == "5" else "refused"]


def test_an_event_stream_that_ended_is_told_apart_from_a_refused_one() -> None:
    assert counted("200", streaming_client="pet") == ["200", "stream"]
    assert counted("405", streaming_client="pet") == ["405", "refused"]
    assert counted("502", "service_down", streaming_client="pet") == ["502", "failed"]
