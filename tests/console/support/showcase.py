"""Runs a console with a day of realistic calls: of eight services, three want something done and one waits.

The pictures of the documents are of this console, and tests look at its pages. Tools are those of the contracts in
`mcp-servers/`.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dyber_console.intake.metrics import Samples
from dyber_console.records import changes, logs
from dyber_console.records.logs import LogLine
from dyber_console.records.model import Call, Span
from dyber_console.records.store import Store
from dyber_console.tools.calling import Listing
from dyber_console.tools.contracts import digest
from mcp.types import Tool

from tests.console.support import showcase_files
from tests.console.support.gateway import StandInGateway, status_entry
from tests.console.support.running import RunningConsole, console_on, wait_until
from tests.stand_in.running import SERVERS

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: The time at which the showcase begins.
BEGIN = datetime(2026, 11, 28, 21, 45, 30, tzinfo=SHANGHAI).timestamp()
#: The request whose waterfall is shown.
SLOW = "b7c1e0f4a92d4c5d8f16"


@dataclass(frozen=True)
class Member:
    """Holds a service of the showcase.

    Attributes:
        calls: Calls on a day.
        middle: The usual duration in seconds.
        tools: Its most used tools, with the share of each.
        clients: Which clients call it, with the share of each.
    """

    name: str
    calls: int
    middle: float
    tools: dict[str, int]
    clients: dict[str, int]
    status: dict[str, Any]
    memory_mib: float
    login_days: float | None = None


_PET = {"desktop-pet": 8, "phone": 2}
_DEVELOPER = {"desktop-pet": 3, "claude-code": 5}

MEMBERS = (
    Member(
        "douyin", 96, 2.2, {"douyin_search": 5, "douyin_get_video": 3, "douyin_get_comments": 1}, {"desktop-pet": 1},
        status_entry("down", ready=0, version="0.6.2", breaker="open", code="unreachable"), 0,
    ),
    Member(
        "xiaohongshu", 214, 5.1, {"xhs_search_notes": 6, "xhs_get_note": 4, "xhs_get_comments": 1, "xhs_home_feed": 1},
        {"desktop-pet": 6, "phone": 3, "cherry-studio": 1}, status_entry("up", version="1.0.0"), 412,
    ),
    Member(
        "huggingface-papers-and-models", 6, 1.9, {"hf_search_papers": 3, "hf_get_model": 1}, {"desktop-pet": 1},
        status_entry("up", version="2.3.1"), 131,
    ),
    Member(
        "zhihu", 58, 1.7, {"zhihu_search_content": 3, "zhihu_get_content": 1, "zhihu_list_hot": 1},
        {"desktop-pet": 4, "cherry-studio": 1}, status_entry("up", version="0.4.0"), 96, 21,
    ),
    Member(
        "weibo", 321, 0.5, {"weibo_search_posts": 4, "weibo_hot_list": 5, "weibo_get_post": 1}, _PET,
        status_entry("up", version="0.8.1"), 188, 9,
    ),
    Member(
        "bilibili", 187, 0.4, {"bilibili_search_content": 3, "bilibili_list_hot": 2, "bilibili_get_subtitle": 1}, _PET,
        status_entry("up", version="0.5.3"), 104, 12,
    ),
    Member(
        "github", 402, 0.2, {"github_search_issues": 4, "github_read_file": 6, "github_get_pull": 2}, _DEVELOPER,
        status_entry("up", ready=2, total=2, version="1.2.0"), 142,
    ),
    Member(
        "amap-maps", 73, 0.15, {"maps_weather": 5, "maps_direction_driving": 1}, {"desktop-pet": 3, "phone": 1},
        status_entry("up", version="0.0.8"), 78,
    ),
)  # fmt: skip
#: Calls by hour of the day, relative to each other.
_HOURS = (4, 2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 12, 14, 12, 10, 10, 11, 12, 14, 16, 18, 20, 18, 10)
_AGENTS = {
    "desktop-pet": "DyberPet/0.7.2",
    "phone": "CherryStudio/1.5.1 (iPhone)",
    "claude-code": "claude-code/2.9.1",
    "cherry-studio": "CherryStudio/1.9.4",
    "console": "python-httpx2",
}


def share_of_day(at: float) -> float:
    """Return how busy the minute of a time is, relative to others."""
    moment = datetime.fromtimestamp(at, SHANGHAI)
    return _HOURS[moment.hour] * (0.8 + 0.4 * math.sin(moment.minute))


def calls_of(member: Member, now: float, source: random.Random) -> list[Call]:
    """Return a day of calls of a service, with what failed."""
    times: list[float] = []
    while len(times) < member.calls:
        at = now - 60 - source.random() * 86_100
        if source.random() * 24 < share_of_day(at):
            times.append(at)
    return [_call(member, at, now, source) for at in sorted(times)]


def _call(member: Member, at: float, now: float, source: random.Random) -> Call:
    tool = source.choices([*member.tools], [*member.tools.values()])[0]
    client = source.choices([*member.clients], [*member.clients.values()])[0]
    seconds = member.middle * source.lognormvariate(0, 0.45)
    outcome, status, upstreams = "ok", 200, (f"172.20.0.{3 + len(member.name)}:8000",)
    age = now - at
    if member.name == "douyin" and age < 3400:
        outcome, status, seconds, upstreams = "circuit_open", 503, 0.001, ()
    elif member.name == "xiaohongshu" and age < 13_300:
        outcome, seconds = "LOGIN_EXPIRED", 0.25 + source.random() * 0.1
    elif member.name == "zhihu" and age < 1300:
        outcome, seconds = "RATE_LIMITED", 0.4
    elif member.name == "weibo" and source.random() < 0.006 and age > 20_000:
        outcome, seconds = "TIMEOUT", 30.0
    elif member.name == "github" and source.random() < 0.01:
        upstreams = (upstreams[0], "172.20.0.9:8003")
    identifier = f"{source.getrandbits(80):020x}"
    return Call(
        at, identifier, f"{source.getrandbits(128):032x}", client, member.name, tool, outcome, seconds, status,
        mcp_method="tools/call", path=f"/api/{member.name}/mcp", protocol="HTTP/1.1", bytes_in=412,
        bytes_out=int(1200 + 9000 * source.random()), upstreams=upstreams,
        upstream_seconds=(0.05, seconds) if len(upstreams) > 1 else (seconds,) * len(upstreams),
        breaker="success", remote="192.168.1.20", user_agent=_AGENTS[client], via="direct",
    )  # fmt: skip


def slow_call(now: float) -> tuple[Call, list[Span]]:
    """Return a call of `xiaohongshu` that opened a page, and its spans."""
    at, trace = now - 13_420, f"{random.Random(5).getrandbits(128):032x}"
    call = Call(
        at, SLOW, trace, "desktop-pet", "xiaohongshu", "xhs_search_notes", "ok", 8.42, 200, mcp_method="tools/call",
        path="/api/xiaohongshu/mcp", protocol="HTTP/1.1", bytes_in=398, bytes_out=9120, upstreams=("172.20.0.4:8001",),
        upstream_seconds=(8.418,), breaker="success", remote="192.168.1.20", user_agent=_AGENTS["desktop-pet"],
        via="direct",
    )  # fmt: skip

    def part(number: int, parent: int, name: str, begin: float, seconds: float, **details: str) -> Span:
        is_call = name.startswith("call ")
        return Span(
            trace, f"{number:016x}", f"{parent:016x}", "xiaohongshu", name, at + begin, seconds,
            tool="xhs_search_notes" if is_call else "", outcome="ok" if is_call else "",
            details={key.replace("_", "."): value for key, value in details.items()},
        )  # fmt: skip

    return call, [
        part(2, 1, "POST /mcp", 0.001, 8.417),
        part(3, 2, "tools/call xhs_search_notes", 0.003, 8.413),
        part(4, 3, "call xhs_search_notes", 0.004, 8.411),
        part(5, 4, "queue pages", 0.006, 3.08),
        part(6, 4, "browser page", 3.09, 5.25),
        part(7, 6, "upstream search_notes", 3.4, 1.89, http_response_status_code="200"),
        part(8, 6, "browser wait", 5.3, 2.2),
        part(9, 4, "cache write", 8.36, 0.004),
    ]


def fill_store(folder: Path, now: float) -> None:
    """Write a day of calls, the sums of 30 days, and changes of states and logins into the console's store."""
    folder.mkdir(parents=True, exist_ok=True)
    source = random.Random(20)
    store = Store(folder / "console.sqlite")
    for days in range(30, 0, -1):
        for member in MEMBERS:
            shift = days * 86_400
            store.add_calls(
                replace(call, at=call.at - shift)
                for call in calls_of(member, now, source)[:: 4 if member.calls > 20 else 2]
            )
        store.roll_up(now - (days - 1) * 86_400, halves=50)
        store.prune(now - (days - 1) * 86_400)
    day = [call for member in MEMBERS for call in calls_of(member, now, source)]
    slow, spans = slow_call(now)
    strangers = [
        Call(now - 3600 * hour, f"stranger-{hour}", "", "", "weibo", "", "unauthorized", 0.001, 401,
             path="/api/weibo/mcp", remote="192.168.1.77", user_agent="curl/8.5")
        for hour in range(4, 16)
    ]  # fmt: skip
    day.sort(key=lambda call: call.at)
    store.add_calls(sorted([*day, slow, *strangers], key=lambda call: call.at + call.seconds))
    store.add_spans(spans)
    logs.add(store, log_lines(day, now))
    store.roll_up(now, halves=50)
    for member in MEMBERS:
        changes.note_state(store, changes.StateChange(now - 520_000, member.name, "up", ""))
        if member.login_days:
            at = now - member.login_days * 86_400
            changes.note_login(store, changes.LoginChange(at, member.name, "main", True))
    for hours, logged_in in ((440, True), (344, False), (343, True), (223, False), (97, True), (3.7, False)):
        change = changes.LoginChange(now - hours * 3600, "xiaohongshu", "main", logged_in)
        changes.note_login(store, change)
    changes.note_state(store, changes.StateChange(now - 3390, "douyin", "down", "unreachable"))
    store.close()


def log_lines(day: list[Call], now: float) -> list[LogLine]:
    """Return the last lines of the log of `xiaohongshu`."""
    lines = [
        LogLine(
            call.at + call.seconds, call.service, 9, "INFO", "call", call.request_id,
            {"tool": call.tool, "outcome": call.outcome, "seconds": f"{call.seconds:.4f}", "client": call.client},
        )
        for call in day
        if call.service == "xiaohongshu"
    ]  # fmt: skip
    lines.append(
        LogLine(now - 13_310, "xiaohongshu", 13, "WARNING", "login expired", "", {"account": "main", "age_hours": "93"})
    )
    failed = {"backend": "redis", "reason": "timeout", "retry_in": "2s"}
    lines.append(LogLine(now - 19_400, "xiaohongshu", 17, "ERROR", "cache write failed", "", failed))
    lines.append(LogLine(now - 19_398, "xiaohongshu", 9, "INFO", "cache up", "", {"backend": "redis"}))
    return sorted(lines, key=lambda line: line.at)[-120:]


def lock_of(name: str) -> dict[str, Any]:
    """Return the contract of a service: the one of the repository, or one for the services that it does not have."""
    file = SERVERS / name / "tools.lock.json"
    if file.is_file():
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return content
    tools = showcase_files.FOREIGN_TOOLS[name]
    return {
        "service": name,
        "sha256": digest(tools),
        "tools": {tool: {"sha256": digest(entry), **entry} for tool, entry in tools.items()},
    }


def listing_of(name: str, at: float) -> Listing:
    """Return the tools that a service lists; those of the third-party service for papers have changed."""
    tools = {
        tool: {key: value for key, value in entry.items() if key != "sha256"}
        for tool, entry in lock_of(name)["tools"].items()
    }
    tools.update(showcase_files.CHANGED_TOOLS.get(name, {}))
    return Listing(tuple(Tool.model_validate({"name": tool, **entry}) for tool, entry in tools.items()), at)


def write_files(folder: Path, now: float) -> None:
    """Write the files that deployments and the command write for the console."""
    showcase_files.write(folder, now, {member.name: lock_of(member.name) for member in MEMBERS})


@contextmanager
def showcase(folder: Path) -> Iterator[RunningConsole]:
    """Run the console of the showcase, whose data and files are in a folder."""
    now, started = BEGIN, time.time()
    fill_store(folder / "data", now)
    write_files(folder / "files", now)
    gateway = StandInGateway()
    gateway.details = {member.name: dict(member.status) for member in MEMBERS}
    with console_on(folder, gateway, lambda: now + time.time() - started, metrics_url=None, token="") as running:
        live, console = running.console.live, running.console
        wait_until(lambda: live.services, "the status was read")
        live.metrics = Samples(
            {
                "dyber_gateway_build_info": [({"version": "1.4.0", "nginx": "1.30.6"}, 1.0)],
                "dyber_gateway_certificate_end_seconds": [({}, now + 83.4 * 86_400)],
            }
        )
        live.metrics_at = now + 86_400
        live.cores = {"xiaohongshu": 0.05}
        live.service_metrics = {member.name: [Samples(_metrics(member, now))] for member in MEMBERS}
        for member in MEMBERS:
            console.tools.listings[member.name] = listing_of(member.name, now - 300)
        yield running


def _metrics(member: Member, now: float) -> dict[str, list[tuple[dict[str, str], float]]]:
    values: dict[str, float] = {
        "process_resident_memory_bytes": member.memory_mib * 2**20,
        "process_start_time_seconds": now - 530_000,
        "cache_hits_total": 62,
        "cache_misses_total": 38,
    }
    if member.name == "douyin":
        return {}
    if member.name == "xiaohongshu":
        values |= {
            "queue_turns_today": 137,
            "queue_depth": 0,
            "breaker_state": 0,
            "browser_pages_open": 0,
            "quota_used_today": 137,
            "quota_per_day": 500,
        }
    return {name: [({}, value)] for name, value in values.items()}
