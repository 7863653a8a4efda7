"""`status` agrees with /api/status, and with the engine where the gateway says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.configuration.selection import SelectionError
from cli.engine.engine import usage_from
from cli.inventory.health_report import ServiceHealth, as_json, last_error, report, usage
from cli.inventory.members import Member, chosen, member

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def container(service: str, *, number: str = "1", aliases: list[str] | None = None, **state: Any) -> dict[str, Any]:
    """The parts of `docker inspect` that are read."""
    return {
        "Id": f"{service}-{number}", "Name": f"/dyber-dev-{service}-{number}", "RestartCount": 0,
        "Config": {"Labels": {"dyber.service": service}, "Image": "dyber-x:1", "StopTimeout": 70},
        "State": {
            "Status": "running", "StartedAt": "2026-11-24T11:59:00.123456789Z", "Health": {"Status": "healthy"}, **state,
        },
        "HostConfig": {"Memory": 256 * 2**20, "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}},
        "NetworkSettings": {"Networks": {"n": {"Aliases": aliases or []}}},
    }  # fmt: skip


def one(service: str, **state: Any) -> Member:
    return member(container(service, **state), {"template"})


TEMPLATE, GATEWAY, FRONT = one("template"), one("gateway"), one("gateway-front")


def said(**changes: Any) -> dict[str, Any]:
    """A document of /api/status."""
    details = {"state": "up", "code": 200, "latency_ms": 2, "version": "1.0.0", "tools": 2, "breaker": "closed",
               "replicas": {"ready": 1, "total": 1}, **changes}  # fmt: skip
    return {"details": {"template": details}}


def health(found: list[Member], status: dict[str, Any] | None) -> ServiceHealth:
    return report(found, ["template"], status, {"template-1": (12.5, 2**20)}, {"template-1": "boom"}, NOW)[0]


@pytest.mark.parametrize("state", ["up", "degraded", "down", "unknown"])
def test_a_running_service_is_what_the_gateway_says(state: str) -> None:
    assert health([TEMPLATE], said(state=state)).state == state


def test_figures_come_together() -> None:
    found = health([TEMPLATE], said())
    assert (found.version, found.tools, found.ready, found.replicas) == ("1.0.0", 2, 1, 1)
    assert (found.cpu_percent, found.memory_mib, found.memory_limit_mib, found.uptime_seconds) == (12.5, 1, 256, 60)
    assert found.last_error == "boom"
    assert as_json(found)["replicas"] == {"ready": 1, "total": 1}


def test_a_stopped_service_is_stopped_whatever_the_gateway_remembers() -> None:
    assert health([replace(TEMPLATE, state="exited")], said()).state == "stopped"


def test_a_service_without_containers_is_gone_and_not_stopped() -> None:
    assert health([], said()).state == "gone"
    assert health([replace(TEMPLATE, state="gone")], said()).state == "gone"
    assert health([replace(TEMPLATE, state="gone"), replace(TEMPLATE, state="exited")], None).state == "stopped"


def test_without_the_gateway_a_service_is_not_called_up() -> None:
    assert health([TEMPLATE], None).state == "unknown"


def test_the_gateway_itself_is_as_well_as_its_containers() -> None:
    sick = one("gateway", Health={"Status": "unhealthy"})
    assert [entry.state for entry in report([GATEWAY], [], None, {}, {}, NOW)] == ["up"]
    assert [entry.state for entry in report([sick], [], None, {}, {}, NOW)] == ["down"]


def test_containers_are_told_apart_by_what_they_are() -> None:
    assert [entry.kind for entry in (TEMPLATE, GATEWAY, FRONT, one("cache"))] == ["server", "gateway", "front", "data"]
    third = member(container("template", aliases=["template-mcp", "template-mcp-3"]), {"template"})
    assert third.replica == 3
    assert third.ports == ("127.0.0.1:80",)


@pytest.mark.parametrize(
    ("word", "service"),
    [
        ("template", "template"), ("template-mcp", "template"), ("template-mcp-server", "template"),
        ("api-gateway", "gateway"), ("mcp-api-gateway", "gateway"), ("gateway", "gateway"),
        ("redis-cache", "cache"), ("mcp-redis-cache", "cache"), ("dyber-dev-cache-1", "cache"),
    ],
)  # fmt: skip
def test_names_of_the_first_version_name_the_same_things(word: str, service: str) -> None:
    assert [entry.service for entry in chosen([TEMPLATE, GATEWAY, one("cache")], word)] == [service]


def test_an_unknown_name_is_an_error_naming_what_there_is() -> None:
    with pytest.raises(SelectionError, match="template-mcp, api-gateway"):
        chosen([TEMPLATE, GATEWAY, FRONT], "weibo")


def told(own: int, everything: int, **memory: int) -> dict[str, Any]:
    """What the engine tells of a container that used the processors for so many nanoseconds."""
    return {
        "cpu_stats": {"cpu_usage": {"total_usage": own}, "system_cpu_usage": everything, "online_cpus": 2},
        "memory_stats": {"usage": 2**20, "stats": memory},
    }


def measured(*given: Any, **memory: int) -> Any:
    found = usage_from(told(*given, **memory))
    assert found is not None
    return found


def test_the_use_of_the_processors_between_two_looks_is_in_percent_of_one_core() -> None:
    earlier, now = measured(1_000, 10_000), measured(1_500, 12_000)
    assert usage({"a": earlier}, {"a": now}) == {"a": (50.0, 2**20)}
    assert usage({"a": earlier}, {"a": earlier}) == {"a": (0.0, 2**20)}


@pytest.mark.parametrize("name", ["inactive_file", "total_inactive_file"])
def test_files_that_memory_may_drop_do_not_count_as_used(name: str) -> None:
    assert measured(1, 1, **{name: 2**19}).memory_bytes == 2**19
    assert measured(1, 1, **{name: 2**21}).memory_bytes == 2**20


def test_a_container_that_does_not_run_has_no_figures() -> None:
    assert usage_from({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}) is None


def test_the_newest_error_of_a_log_is_found() -> None:
    log = '\n'.join([
        '{"level": "ERROR", "message": "old", "time": "2026-11-24T10:00:00.5+00:00"}',
        '{"level": "ERROR", "message": "new", "time": "2026-11-24T11:00:00.5+00:00"}',
        '{"level": "INFO", "message": "fine"}', "no json", "[]",
    ])  # fmt: skip
    assert last_error(log) == "2026-11-24T11:00:00 new"
    assert last_error("2026/11/24 11:00:00 [error] 8#8: upstream") == "2026/11/24 11:00:00 8#8: upstream"
    assert last_error("all is well") is None
    event = '{"time":"2026-11-24T11:00:00Z","level":"ERROR","event":"damaged","zh":"损坏","en":"damaged"}'
    assert last_error(event) in ("2026-11-24T11:00:00 损坏", "2026-11-24T11:00:00 damaged")
