"""`logs` leaves the product's own polling out unless it is asked for."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.commands.operation import logs

POLLING = json.dumps({"level": "INFO", "message": "request", "client": "_hub", "status": 200}, separators=(",", ":"))
FAILED = POLLING.replace("200", "503")
CALL = POLLING.replace("_hub", "phone")


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that shows lines of a container and returns those that were printed."""
    content = tmp_path / "lines"
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$2" = --tail ] && tail -n "$3" {content}\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def show(lines: list[str], *, tail: int, follow: bool = False, polling: bool = False) -> list[str]:
        content.write_text("".join(f"{line}\n" for line in lines))
        member: Any = SimpleNamespace(id="c1", service="zhihu", replica=1)
        process, reader = logs._stream(
            member, "", "cyan", follow=follow, tail=tail, polling=polling, lock=threading.Lock()
        )
        reader.join()
        process.wait()
        return capsys.readouterr().out.replace("\n", "").replace("}", "}\n").splitlines()

    return show


def test_the_last_lines_that_say_something_are_shown(printed: Any) -> None:
    assert printed([CALL, FAILED, *[POLLING] * 90], tail=2) == [CALL, FAILED]
    assert printed([CALL, FAILED, *[POLLING] * 90], tail=1) == [FAILED]
    assert printed([CALL], tail=0) == []


def test_polling_is_shown_when_it_is_asked_for(printed: Any) -> None:
    assert printed([CALL, POLLING, POLLING], tail=2, polling=True) == [POLLING, POLLING]


def test_followed_lines_leave_it_out_too(printed: Any) -> None:
    assert printed([POLLING, CALL, POLLING], tail=10, follow=True) == [CALL]


def test_following_begins_with_the_last_lines_that_say_something(printed: Any) -> None:
    assert printed([CALL, FAILED, *[POLLING] * 90], tail=1, follow=True) == [FAILED]
    assert printed([CALL, FAILED, *[POLLING] * 90], tail=2, follow=True) == [CALL, FAILED]
    assert printed([POLLING] * 9, tail=2, follow=True) == []
