"""The check of every container: often until it succeeds, then seldom, and often again after a failure."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.components.docker import defaults


@pytest.fixture
def check(tmp_path: Path) -> list[str]:
    """The check as the engine runs it, with a mark and a slumber of the test's own; it asks whether `ready` exists."""
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


def test_it_takes_its_time_only_once_it_has_succeeded(check: list[str], tmp_path: Path) -> None:
    def slept() -> int:
        file = tmp_path / "slept"
        return len(file.read_text().split()) if file.exists() else 0

    seen = []
    for ready in (False, True, True, False, False, True):
        (tmp_path / "ready").touch() if ready else (tmp_path / "ready").unlink(missing_ok=True)
        seen.append((subprocess.run(check, check=False).returncode, slept()))
    assert seen == [(1, 0), (0, 0), (0, 1), (1, 2), (1, 2), (0, 2)]


def test_what_it_may_take_is_more_than_it_sleeps() -> None:
    arguments = defaults.healthcheck("true")
    assert isinstance(arguments.timeout, str)
    assert int(arguments.timeout.removesuffix("s")) > defaults.HEALTHY_CHECK_SECONDS - defaults.CHECK_SECONDS + 5
