"""Runs a console with everything that it takes in, on free ports of this machine."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from dyber_console.app import build_app
from dyber_console.identity.passwords import hash_password
from dyber_console.settings import Settings
from dyber_console.state import Console

from tests.console.support import records
from tests.console.support.gateway import TOKEN, StandInGateway
from tests.stand_in.running import free_port, running

PASSWORD = "correct horse battery staple"
HASH = hash_password(PASSWORD)


@dataclass
class RunningConsole:
    """Holds a running console, its address, and the gateway that it reads."""

    base: str
    console: Console
    gateway: StandInGateway
    settings: Settings

    def send_line(self, line: str) -> None:
        """Send a line of the access log as a datagram of syslog."""
        assert self.settings.syslog_socket
        send_datagram(line, self.settings.syslog_socket)

    def send_spans(self, body: bytes) -> None:
        """Send an OTLP export."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.settings.spans_port}/v1/traces",
            body,
            {"Content-Type": "application/x-protobuf"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    def send_logs(self, service: str, message: str, **fields: str) -> None:
        """Send a line of a service's log as an OTLP export."""
        record = {
            "timeUnixNano": str(time.time_ns()),
            "severityNumber": 9,
            "severityText": "INFO",
            "body": {"stringValue": json.dumps({"message": message, **fields})},
        }
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": f"{service}-mcp"}}]}
        content = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.settings.spans_port}/v1/logs",
            json.dumps(content).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()


def send_datagram(line: str, path: Path) -> None:
    """Send a line as Nginx sends it over syslog."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(f"<190>Nov 29 18:00:00 gateway: {line}".encode(), str(path))


def wait_until(fact: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a fact; fail with its name."""
    give_up = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < give_up, f"it did not happen in {seconds} s: {what}"
        time.sleep(0.05)


def deployment_files(folder: Path, now: float) -> None:
    """Write the files that a deployment writes for the console."""
    stamp = datetime.fromtimestamp(now - 30_000, UTC).isoformat()
    titles = {
        "clips": "抖音",
        "notes": "小红书",
        "papers": "Hugging Face 论文与模型检索（社区维护的第三方服务器）",
        "answers": "知乎",
        "posts": "微博",
        "code": "GitHub",
    }
    services = {
        name: {
            "title": title,
            "digest": "sha256:" + name.encode().hex().ljust(64, "7"),
            "memory_mib": 512,
            "cpus": 1.5,
            "max_call_seconds": 120,
            "requests_per_second": 50,
            "burst": 100,
            "is_foreign": name == "papers",
            "secrets": ["GITHUB_TOKEN"] if name == "code" else [],
        }
        for name, title in titles.items()
    }
    clients = {
        "desktop-pet": {"services": None, "generation": 2},
        "phone": {"services": {"notes": "read", "posts": "read", "code": ["search_issues"]}, "generation": 1},
        "claude-code": {"services": {"code": "all"}, "generation": 3},
        "console": {"services": dict.fromkeys(titles, "read"), "generation": 1},
    }
    content = {
        "stack": "prod",
        "version": "1.4.0",
        "deployed_at": stamp,
        "addresses": ["https://pet.home.arpa"],
        "services": services,
        "clients": clients,
        "profiles": ["cache"],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deployment.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    history = [
        {
            "kind": "deployment",
            "at": stamp,
            "seconds": 14,
            "outcome": "ok",
            "operations": {"create": 1},
            "commit": "8ac4140",
        },
        {
            "kind": "drift",
            "at": stamp,
            "differences": [{"resource": "posts-mcp", "details": "memory: 256 MiB → 512 MiB"}],
        },
        {"kind": "backup", "at": stamp, "bytes": 118_000_000},
    ]
    lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in history)
    (folder / "history.jsonl").write_text(lines, encoding="utf-8")
    (folder / "contracts").mkdir(exist_ok=True)


@contextmanager
def console_on(
    folder: Path, gateway: StandInGateway, clock: Callable[[], float] = time.time, **changes: Any
) -> Iterator[RunningConsole]:
    """Run a console whose data and files are in a folder; `changes` are other values of its settings."""
    server = uvicorn.Server(uvicorn.Config(gateway.app(), port=free_port(), log_level="warning"))
    with running(server) as gateway_base:
        settings = Settings(
            password_hash=HASH,
            port=free_port(),
            spans_port=free_port(),
            syslog_socket=folder / "gateway.sock",
            data_dir=folder / "data",
            files_dir=folder / "files",
            stack="prod",
            gateway_url=gateway_base,
            metrics_url=gateway_base,
            token=TOKEN,
        )
        settings = replace(settings, **changes)
        made: list[Console] = []

        class Server(uvicorn.Server):
            """Makes the console on the thread that serves it, as its store belongs to that thread."""

            async def serve(self, sockets: list[socket.socket] | None = None) -> None:
                console = Console.create(settings)
                console.live.clock = clock
                made.append(console)
                self.config.app = build_app(console)
                await super().serve(sockets)

        config = uvicorn.Config("unused", port=settings.port, log_level="warning", timeout_graceful_shutdown=1)
        with running(Server(config)) as base:
            yield RunningConsole(base.replace("127.0.0.1", "localhost"), made[0], gateway, settings)


def fill(target: RunningConsole) -> str:
    """Send a day of logs and some spans; return the request id of the slow call."""
    now = records.now()
    for line in records.a_day(now):
        target.send_line(line)
        time.sleep(0.0005)
    slow_line, slow_spans, request = records.slow_call(now - 600)
    target.send_line(slow_line)
    target.send_spans(slow_spans)
    for index in range(5):
        line, spans = records.failing_call("notes", "notes_get", "LOGIN_EXPIRED", now - 300 + index * 20, 0.31)
        target.send_line(line)
        target.send_spans(spans)
    line, spans = records.failing_call("answers", "answers_search", "RATE_LIMITED", now - 30, 2.9)
    target.send_line(line)
    target.send_spans(spans)
    return request
