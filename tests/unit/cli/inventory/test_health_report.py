"""`status` agrees with /api/status, and with the engine where the gateway says nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.commands.operation import status
from cli.configuration.selection import SelectionError
from cli.engine.usage import from_statistics
from cli.inventory import notices
from cli.inventory.health_report import ServiceHealth, as_json, last_error, report, usage
from cli.inventory.members import Member, as_member, chosen, in_order
from cli.inventory.notices import Concerns

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def container(service: str, *, number: str = "1", aliases: list[str] | None = None, **state: Any) -> dict[str, Any]:
    """Return the parts of a `docker inspect` that the program reads."""
    return {
        "Id": f"{service}-{number}", "Name": f"/dyber-dev-{service}-{number}", "RestartCount": 0,
        "Config": {"Labels": {"dyber.service": service}, "Image": "dyber-x:1", "StopTimeout": 70},
        "State": {
            "Status": "running", "StartedAt": "2026-11-24T11:59:00.123456789Z", "Health": {"Status": "healthy"}, **state,
        },
        "HostConfig": {"Memory": 256 * 2**20, "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}},
        "NetworkSettings": {"Networks": {"n": {"Aliases": aliases or []}}},
    }  # fmt: skip


def member_of(service: str, **state: Any) -> Member:
    return as_member(container(service, **state), {"template"})


TEMPLATE, GATEWAY, FRONT = member_of("template"), member_of("gateway"), member_of("gateway-front")


def status_document(**changes: Any) -> dict[str, Any]:
    """Return a document of /api/status."""
    details = {"state": "up", "code": 200, "latency_ms": 2, "version": "1.0.0", "tools": 2, "breaker": "closed",
               "replicas": {"ready": 1, "total": 1}, **changes}  # fmt: skip
    return {"details": {"template": details}}


def health(result: list[Member], status: dict[str, Any] | None) -> ServiceHealth:
    return report(result, ["template"], status, {"template-1": (12.5, 2**20)}, {"template-1": "boom"}, NOW)[0]


def test_a_service_that_is_down_as_it_lacks_a_secret_says_so() -> None:
    report = [health([TEMPLATE], status_document(state=state)) for state in ("down", "up")]
    table = status._status_table(report, {}, {"template": ("API_KEY",)}, {})
    assert [str(cell) for cell in table.columns[1]._cells] == ["缺机密 API_KEY", "正常"]


@pytest.mark.parametrize(
    ("concerns", "words"),
    [(Concerns(differs="add"), "正常，工具与契约不同"), (Concerns(unreachable="HTTP 502"), "正常，连不上背后的服务器")],
)
def test_a_service_whose_server_behind_is_not_as_it_should_be_says_so(concerns: Concerns, words: str) -> None:
    behind = {"template": concerns}
    table = status._status_table([health([TEMPLATE], status_document())], {}, {}, behind)
    assert [str(cell) for cell in table.columns[1]._cells] == [words]
    (line,) = notices.behind("test", behind)
    assert (concerns.differs or concerns.unreachable) in line
    assert ("tools diff template -s test" in line) == bool(concerns.differs)


@pytest.mark.parametrize("state", ["up", "degraded", "down", "unknown"])
def test_a_running_service_has_the_state_that_the_gateway_reports(state: str) -> None:
    assert health([TEMPLATE], status_document(state=state)).state == state


def test_figures_of_gateway_and_engine_are_joined() -> None:
    result = health([TEMPLATE], status_document())
    assert (result.version, result.tools, result.ready, result.replicas) == ("1.0.0", 2, 1, 1)
    assert (result.cpu_percent, result.memory_mib, result.memory_limit_mib, result.uptime_seconds) == (12.5, 1, 256, 60)
    assert result.last_error == "boom"
    assert as_json(result)["replicas"] == {"ready": 1, "total": 1}


def test_a_stopped_service_is_stopped_whatever_the_gateway_remembers() -> None:
    assert health([replace(TEMPLATE, state="exited")], status_document()).state == "stopped"


def test_a_paused_service_is_not_called_stopped() -> None:
    paused = health([replace(TEMPLATE, state="paused")], status_document(state="down", code=504))
    assert (paused.state, paused.ready) == ("paused", 0)
    assert health([replace(TEMPLATE, state="paused"), TEMPLATE], status_document(state="degraded")).state == "degraded"


def test_a_service_without_containers_is_gone_and_not_stopped() -> None:
    assert health([], status_document()).state == "gone"
    assert health([replace(TEMPLATE, state="gone")], status_document()).state == "gone"
    assert health([replace(TEMPLATE, state="gone"), replace(TEMPLATE, state="exited")], None).state == "stopped"


def test_without_the_gateway_the_state_of_a_service_is_unknown() -> None:
    assert health([TEMPLATE], None).state == "unknown"


def test_the_state_of_the_gateway_is_that_of_its_containers() -> None:
    sick = member_of("gateway", Health={"Status": "unhealthy"})
    assert [entry.state for entry in report([GATEWAY], [], None, {}, {}, NOW)] == ["up"]
    assert [entry.state for entry in report([sick], [], None, {}, {}, NOW)] == ["down"]


def test_the_state_of_the_hub_is_what_the_gateway_says_of_it() -> None:
    said = {"state": "degraded", "replicas": {"ready": 1, "total": 2}, "version": "1.0.0", "tools": None}
    (entry,) = report([member_of("hub")], [], {"details": {}, "hub": said}, {}, {}, NOW)
    assert (entry.state, entry.ready, entry.replicas, entry.version) == ("degraded", 1, 2, "1.0.0")
    assert [entry.state for entry in report([member_of("hub")], [], {"details": {}}, {}, {}, NOW)] == ["up"]


def test_containers_get_their_kind_from_their_service() -> None:
    assert [entry.kind for entry in (TEMPLATE, GATEWAY, FRONT, member_of("cache"), member_of("hub"))] == [
        "server",
        "gateway",
        "front",
        "data",
        "hub",
    ]
    third = as_member(container("template", aliases=["template-mcp", "template-mcp-3"]), {"template"})
    assert third.replica == 3
    assert third.ports == ("127.0.0.1:80",)
    assert as_member(container("hub", aliases=["hub", "hub-2"]), {"template"}).replica == 2


def test_the_hub_starts_after_the_services_and_before_what_passes_calls_to_it() -> None:
    started = in_order([FRONT, GATEWAY, member_of("hub"), TEMPLATE, member_of("cache")])
    assert [entry.service for entry in started] == ["cache", "template", "hub", "gateway", "gateway-front"]


@pytest.mark.parametrize(
    ("word", "service"),
    [
        ("template", "template"), ("template-mcp", "template"), ("template-mcp-server", "template"),
        ("api-gateway", "gateway"), ("mcp-api-gateway", "gateway"), ("gateway", "gateway"),
        ("redis-cache", "cache"), ("mcp-redis-cache", "cache"), ("dyber-dev-cache-1", "cache"),
    ],
)  # fmt: skip
def test_container_names_of_the_first_version_are_accepted(word: str, service: str) -> None:
    assert [entry.service for entry in chosen([TEMPLATE, GATEWAY, member_of("cache")], word)] == [service]


def test_an_unknown_name_is_an_error_with_the_known_ones() -> None:
    with pytest.raises(SelectionError, match="template-mcp, api-gateway"):
        chosen([TEMPLATE, GATEWAY, FRONT], "weibo")


def engine_stats(cpu_used: int, system_cpu: int, **memory: int) -> dict[str, Any]:
    """Return the engine's statistics of a container, with CPU times in nanoseconds."""
    return {
        "cpu_stats": {"cpu_usage": {"total_usage": cpu_used}, "system_cpu_usage": system_cpu, "online_cpus": 2},
        "memory_stats": {"usage": 2**20, "stats": memory},
    }


def measured(*given: Any, **memory: int) -> Any:
    result = from_statistics(engine_stats(*given, **memory))
    assert result is not None
    return result


def test_cpu_between_two_measurements_is_in_percent_of_one_core() -> None:
    earlier, later = measured(1_000, 10_000), measured(1_500, 12_000)
    assert usage({"a": earlier}, {"a": later}) == {"a": (50.0, 2**20)}
    assert usage({"a": earlier}, {"a": earlier}) == {"a": (0.0, 2**20)}


@pytest.mark.parametrize("name", ["inactive_file", "total_inactive_file"])
def test_cached_files_do_not_count_as_used_memory(name: str) -> None:
    assert measured(1, 1, **{name: 2**19}).memory_bytes == 2**19
    assert measured(1, 1, **{name: 2**21}).memory_bytes == 2**20


def test_a_container_that_does_not_run_has_no_figures() -> None:
    assert from_statistics({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}) is None


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
