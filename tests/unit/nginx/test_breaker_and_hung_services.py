"""Tests when calls that wait long for nothing open a breaker: only if the service answered nothing else meanwhile."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

BREAKER = Path(__file__).resolve().parents[3] / "nginx" / "njs" / "breaker.js"
#: Lets calls fail that waited 75 seconds. Meanwhile there is what the argument says. Prints the states after each.
SCRIPT = """
let clock = Date.UTC(2026, 0, 1);
Date.now = () => clock;
const values = new Map();
globalThis.ngx = {shared: {breakers: {
    get: (key) => values.get(key),
    set: (key, value) => values.set(key, value),
    has: (key) => values.has(key),
    delete: (key) => values.delete(key),
    add: (key, value) => !values.has(key) && Boolean(values.set(key, value)),
    incr: (key, by, first) => values.set(key, (values.get(key) ?? first) + by).get(key),
}}};
const story = JSON.parse(process.argv[2]);
globalThis.topology = {breaker: {failures: story.failures ?? 5, seconds: 10}};
const {default: breaker} = await import(process.argv[1]);
const call = (seconds) => ({variables: {msec: clock / 1000, request_time: seconds}});
const seen = [];
for (let number = 0; number < 2; number++) {
    const seconds = story.seconds ?? 75;
    for (let second = 0; second < seconds; second++) {
        clock += 1000;
        if (story.checks !== false) {
            breaker.checked('alpha', second === story.checkAnsweredAt);
        }
        if (number === 1 && second === story.callAnsweredAt) {
            breaker.succeeded('alpha', call(1));
        }
    }
    breaker.failed('alpha', call(seconds));
    seen.push(breaker.state('alpha'));
}
console.log(JSON.stringify(seen));
"""


def states(**story: object) -> list[str]:
    """Return the breaker's states after the first and the second call."""
    node, _ = compute_driver_executable()
    command = [node, "--input-type=module", "--eval", SCRIPT, BREAKER.as_uri(), json.dumps(story)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    return json.loads(result.stdout)


def test_the_second_call_of_a_silent_service_opens_the_breaker() -> None:
    assert states() == ["closed", "open"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"checkAnsweredAt": 1}, id="a check was answered"),
        pytest.param({"callAnsweredAt": 70}, id="another call was answered"),
        pytest.param({"checks": False}, id="there were no checks"),
        pytest.param({"seconds": 5}, id="the calls waited for a short time"),
    ],
)
def test_a_service_that_may_be_busy_is_called_again(story: dict[str, object]) -> None:
    assert states(**story) == ["closed", "closed"]


def test_fewer_failures_in_the_settings_are_enough() -> None:
    assert states(failures=1)[0] == "open"
