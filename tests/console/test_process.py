"""Runs the console as its container does: as a process with settings from the environment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import uvicorn

from tests.console.support import records
from tests.console.support.gateway import TOKEN, StandInGateway
from tests.console.support.running import HASH, PASSWORD, send_datagram, wait_until
from tests.stand_in.running import ROOT, free_port, running

MOST_MIB = 96
DOCKERFILE = (ROOT / "console" / "Dockerfile").read_text(encoding="utf-8")
#: What the image sets so that memory stays small.
ALLOCATION = dict(re.findall(r"(MALLOC_\w+)=(\d+)", DOCKERFILE))


@dataclass
class Running:
    process: subprocess.Popen[str]
    base: str
    log: Path


def environment(folder: Path, **changes: str) -> dict[str, str]:
    (folder / "hash").write_text(HASH)
    (folder / "token").write_text(TOKEN)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "console"),
        **ALLOCATION,
        "PORT": str(free_port()),
        "DYBER_OTLP_PORT": str(free_port()),
        "DYBER_SYSLOG_SOCKET": str(folder / "log"),
        "DYBER_PASSWORD_HASH_FILE": str(folder / "hash"),
        "DYBER_TOKEN_FILE": str(folder / "token"),
        "DYBER_DATA": str(folder / "data"),
        **changes,
    }


@contextmanager
def console_process(folder: Path, **changes: str) -> Iterator[Running]:
    variables = environment(folder, **changes)
    child = subprocess.Popen(
        [sys.executable, "-m", "dyber_console"],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    base = f"http://localhost:{variables['PORT']}"
    try:
        wait_until(lambda: _answers(f"{base}/ready"), "the console is ready")
        yield Running(child, base, Path(variables["DYBER_SYSLOG_SOCKET"]))
    finally:
        child.kill()
        child.communicate()


def _answers(address: str) -> bool:
    try:
        return httpx2.get(address, timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


def resident_mib(process: subprocess.Popen[str]) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def test_the_memory_stays_small_after_a_day_of_calls_logins_and_pages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = uvicorn.Server(uvicorn.Config(StandInGateway().app(), port=free_port(), log_level="warning"))
    with running(server) as gateway:
        with console_process(tmp_path, DYBER_GATEWAY_URL=gateway, DYBER_METRICS_URL=gateway) as target:
            for _ in range(10):
                for line in records.a_day(records.now()):
                    send_datagram(line, target.log)
                time.sleep(0.6)
            with httpx2.Client(base_url=target.base, headers={"Origin": target.base}, timeout=30) as opened:
                for _ in range(3):
                    answer = opened.post("/console/login", data={"password": PASSWORD})
                    cookie = answer.headers["set-cookie"].partition(";")[0]
                    for path in ("", "calls", "services/notes", "tools", "clients", "changes"):
                        assert opened.get(f"/console/{path}", headers={"Cookie": cookie}).status_code == 200
            used = resident_mib(target.process)
    with capsys.disabled():
        print(f"\nresident memory of the console: {used:.0f} MiB")
    assert used < MOST_MIB


def test_it_ends_at_once_and_keeps_what_it_knows(tmp_path: Path) -> None:
    with console_process(tmp_path) as target:
        with httpx2.Client(base_url=target.base, headers={"Origin": target.base}, timeout=30) as opened:
            answer = opened.post("/console/login", data={"password": PASSWORD})
            cookie = answer.headers["set-cookie"].partition(";")[0]
        send_datagram(records.log_line(time.time(), 0.1, "notes", "notes_search", "phone"), target.log)
        wait_until(lambda: "notes_search" in _page(target, cookie), "the call is shown")
        target.process.send_signal(signal.SIGTERM)
        assert target.process.wait(20) in (0, -signal.SIGTERM)
    with console_process(tmp_path) as target:
        assert "notes_search" in _page(target, cookie)


def _page(target: Running, cookie: str) -> str:
    return httpx2.get(f"{target.base}/console/calls", headers={"Cookie": cookie}, timeout=30).text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PORT": "many"}, "PORT=many: write a whole number from 1 to 65535"),
        ({"DYBER_LANGUAGE": "fr"}, "DYBER_LANGUAGE=fr: write zh or en"),
        ({"DYBER_TIMEZONE": "Mars/Crater"}, "DYBER_TIMEZONE=Mars/Crater: write a name"),
        ({"DYBER_PASSWORD_HASH_FILE": "/nonexistent"}, "DYBER_PASSWORD_HASH_FILE=/nonexistent"),
        ({"DYBER_PASSWORD_HASH_FILE": ""}, "DYBER_PASSWORD_HASH_FILE is not set"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "dyber_console"],
        env=environment(tmp_path, **changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_hash_of_another_kind_is_refused_without_showing_it(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    (tmp_path / "hash").write_text("5f4dcc3b5aa765d61d8327deb882cf99")
    result = subprocess.run(
        [sys.executable, "-m", "dyber_console"], env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert "argon2id" in result.stderr
    assert "5f4dcc3b" not in result.stderr + result.stdout
