"""The health check runs often until it succeeds, then rarely, and often again after a failure."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.components.docker import defaults


@pytest.fixture
def check(tmp_path: Path) -> list[str]:
    """Return the check as the engine runs it, for the existence of the file `ready`, with a recorded sleep."""
    arguments = defaults.healthcheck("/usr/bin/test", "-e", str(tmp_path / "ready")).tests
    assert isinstance(arguments, list) and arguments[0] == "CMD"
    script = str(arguments[3]).replace("/tmp/.healthy", str(tmp_path / "mark"))
    slumber = f"sleep {defaults.HEALTHY_CHECK_SECONDS - defaults.CHECK_SECONDS}"
    assert slumber in script
    return [
        *map(str, arguments[1:3]),
        script.replace(slumber, f"echo slept >> {tmp_path}/slept"),
        *map(str, arguments[4:]),
    ]


def test_the_check_sleeps_only_after_it_has_succeeded(check: list[str], tmp_path: Path) -> None:
    def slept() -> int:
        file = tmp_path / "slept"
        return len(file.read_text().split()) if file.exists() else 0

    results = []
    for ready in (False, True, True, False, False, True):
        (tmp_path / "ready").touch() if ready else (tmp_path / "ready").unlink(missing_ok=True)
        results.append((subprocess.run(check, check=False).returncode, slept()))
    assert results == [(1, 0), (0, 0), (0, 1), (1, 2), (1, 2), (0, 2)]


def test_the_timeout_is_longer_than_the_sleep() -> None:
    arguments = defaults.healthcheck("true")
    assert isinstance(arguments.timeout, str)
    assert int(arguments.timeout.removesuffix("s")) > defaults.HEALTHY_CHECK_SECONDS - defaults.CHECK_SECONDS + 5
