"""Tests that a breaker closes in time even if the clock is set while it is open."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

BREAKER = Path(__file__).resolve().parents[3] / "nginx" / "njs" / "breaker.js"
SECONDS = 10
#: Opens a breaker, moves the clock by the seconds of the argument, and prints the breaker's answers until a trial has
#: succeeded.
SCRIPT = f"""
let clock = Date.UTC(2026, 0, 1);
Date.now = () => clock;
const values = new Map();
globalThis.ngx = {{shared: {{breakers: {{
    get: (key) => values.get(key),
    set: (key, value) => values.set(key, value),
    has: (key) => values.has(key),
    delete: (key) => values.delete(key),
    add: (key, value) => !values.has(key) && Boolean(values.set(key, value)),
    incr: (key, by, first) => values.set(key, (values.get(key) ?? first) + by).get(key),
}}}}}};
globalThis.topology = {{breaker: {{failures: 1, seconds: {SECONDS}}}}};
const {{default: breaker}} = await import(process.argv[1]);
const call = () => ({{variables: {{msec: clock / 1000, request_time: 0}}}});
const seen = [];
breaker.failed('alpha', call());
clock += Number(process.argv[2]) * 1000;
seen.push(breaker.state('alpha'));
clock += {SECONDS + 1} * 1000;
seen.push(breaker.refuses('alpha'));
breaker.succeeded('alpha', call());
seen.push(breaker.state('alpha'));
console.log(JSON.stringify(seen));
"""


@pytest.mark.parametrize(("moved_by", "state"), [(0, "open"), (-3600, "open"), (3600, "half-open")])
def test_a_breaker_closes_in_time_although_the_clock_was_set(moved_by: int, state: str) -> None:
    node, _ = compute_driver_executable()
    command = [node, "--input-type=module", "--eval", SCRIPT, BREAKER.as_uri(), str(moved_by)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert json.loads(result.stdout) == [state, 0, "closed"]
