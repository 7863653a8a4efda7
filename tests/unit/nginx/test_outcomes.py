"""Tests how requests are counted, also those whose error the gateway answers with status 200."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

OUTCOMES = Path(__file__).resolve().parents[3] / "nginx" / "njs" / "outcomes.js"
SCRIPT = """
const {default: outcomes} = await import(process.argv[1]);
const v = JSON.parse(process.argv[2]);
console.log(JSON.stringify([outcomes.status(v), outcomes.outcome(v)]));
"""


def counted(status: str, failed_status: str = "", streaming_client: str = "") -> list[str]:
    """Return the status and the outcome with which a request is counted."""
    node, _ = compute_driver_executable()
    variables = json.dumps({"status": status, "failed_status": failed_status, "streaming_client": streaming_client})
    command = [node, "--input-type=module", "--eval", SCRIPT, OUTCOMES.as_uri(), variables]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("200", "ok"),
        ("202", "ok"),
        ("308", "ok"),
        ("404", "refused"),
        ("401", "refused"),
        ("429", "refused"),
        ("499", "cancelled"),
        ("500", "failed"),
        ("502", "failed"),
    ],
)
def test_a_request_is_counted_with_its_status(status: str, outcome: str) -> None:
    assert counted(status) == [status, outcome]


@pytest.mark.parametrize(("status", "outcome"), [("429", "refused"), ("503", "failed"), ("504", "failed")])
def test_a_failure_inside_a_successful_response_is_counted_with_its_own_status(status: str, outcome: str) -> None:
    assert counted("200", status) == [status, outcome]


def test_an_event_stream_that_ended_is_told_apart_from_a_refused_one() -> None:
    assert counted("200", streaming_client="pet") == ["200", "stream"]
    assert counted("405", streaming_client="pet") == ["405", "refused"]
    assert counted("502", streaming_client="pet") == ["502", "failed"]
