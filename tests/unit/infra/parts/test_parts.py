"""The parts of a stack are decided without an engine: networks, mounts, and how containers stop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.parts import cache, gateway, monitoring, service
from infra.parts.containers import Membership, Mount
from infra.services.catalog import ServiceSpec
from infra.settings.gateway import GatewaySettings
from infra.settings.profiles import CacheSettings, MonitoringSettings
from infra.settings.stack import StackSettings
from infra.settings.subnets import Subnets

SPEC = ServiceSpec(
    name="weibo",
    folder=Path("/nowhere"),
    title="微博",
    port=8003,
    package="weibo_server",
    replicas=2,
    data=True,
    max_call_seconds=90,
)
SLOW = SPEC.model_copy(update={"name": "slow", "port": 8004, "max_call_seconds": 300})


def weibo(secrets: tuple[str, ...] = (), cache_user: str | None = None) -> service.Service:
    return service.service(SPEC, log_level="info", subnets=Subnets(), data=True, secrets=secrets, cache_user=cache_user)


def test_a_service_is_reached_in_its_network_by_its_name_and_each_replica_by_a_name_of_its_own() -> None:
    first, second = weibo().servers
    assert first.memberships == (Membership("weibo-network", ("weibo-mcp", "weibo-mcp-1")),)
    assert second.memberships == (Membership("weibo-network", ("weibo-mcp", "weibo-mcp-2")),)
    assert (first.stop.seconds, first.stop.signal, first.replaced) == (100, "SIGTERM", "new first")


def test_secrets_are_files_that_a_service_can_only_read() -> None:
    made = weibo(("API_KEY",), cache_user="service-weibo")
    assert made.secrets == ("API_KEY", "DYBER_REDIS_PASSWORD", "DYBER_STATE_KEY")
    assert made.servers[0].mounts == (
        Mount("weibo-data", "/data"),
        Mount("weibo-secrets", "/run/dyber-secrets", read_only=True),
    )
    assert made.servers[0].environment[-1] == ("DYBER_REDIS_USER", "service-weibo")
    alone = service.service(
        SPEC.model_copy(update={"replicas": 1}),
        log_level="info", subnets=Subnets(), data=True, secrets=(), cache_user=None,
    )  # fmt: skip
    assert alone.secrets == ()
    assert "weibo-secrets" not in {mount.volume for mount in alone.servers[0].mounts}


def test_replicas_share_a_key_for_the_states_of_questions() -> None:
    made = weibo()
    assert made.secrets == ("DYBER_STATE_KEY",)
    assert all(Mount("weibo-secrets", "/run/dyber-secrets", read_only=True) in server.mounts for server in made.servers)


def test_replicas_with_redis_know_how_many_they_are() -> None:
    assert [dict(made.environment)["DYBER_REPLICAS"] for made in weibo(cache_user="service-weibo").servers] == [
        "2",
        "2",
    ]
    assert "DYBER_REPLICAS" not in dict(weibo().servers[0].environment)


def test_a_service_that_enforces_scopes_expects_them_whatever_a_stack_says() -> None:
    loose = {"DYBER_EXPECT_SCOPE": "false"}
    keeping = SPEC.model_copy(update={"enforces_scopes": True, "environment": loose})
    made = service.service(keeping, log_level="info", subnets=Subnets(), data=True, secrets=(), cache_user=None)
    assert dict(made.servers[1].environment)["DYBER_EXPECT_SCOPE"] == "true"
    assert "DYBER_EXPECT_SCOPE" not in dict(weibo().servers[0].environment)


def test_the_gateway_waits_for_the_longest_call_of_all_services() -> None:
    server = gateway.gateway(GatewaySettings(), [SPEC, SLOW], ["weibo-network", "slow-network"], None)
    assert (server.stop.seconds, server.stop.signal) == (310, "SIGQUIT")
    assert [item.network for item in server.memberships] == ["gateway-edge", "weibo-network", "slow-network"]


def test_a_front_is_in_no_network_but_that_of_the_gateway_and_no_two_ports_are_the_same_inside() -> None:
    fronts = gateway.fronts(StackSettings(stack="dev", profiles=["monitoring"]), [SPEC])
    assert [front.name for front in fronts] == ["gateway-front", "weibo-direct", "monitoring-direct"]
    for front in fronts:
        assert front.server.memberships == (Membership("gateway-edge"),)
        inside = [port for port, _, _ in front.ports]
        assert len(inside) == len(set(inside)) > 0


def test_containers_with_data_are_replaced_old_first() -> None:
    redis = cache.redis(CacheSettings(), ["weibo-network"])
    prometheus = monitoring.prometheus(MonitoringSettings())
    assert {redis.replaced, prometheus.replaced} == {"old first"}
    assert cache.exporter("monitoring-network").replaced == "new first"
    assert [item.aliases for item in redis.memberships] == [("cache",), ("cache",)]


def test_deciding_needs_neither_pulumi_nor_docker() -> None:
    modules = ("cache", "containers", "gateway", "monitoring", "service")
    program = "".join(f"import infra.parts.{name}\n" for name in modules)
    program += "import sys\nassert not {'pulumi', 'pulumi_docker', 'docker'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(("memory", "expected"), [(64, 128), (768, 384), (8192, 4096)])
def test_the_loader_may_use_half_of_the_gateways_memory_to_check_a_configuration(memory: int, expected: int) -> None:
    assert gateway.loader(GatewaySettings(memory_mib=memory)).confinement.memory_mib == expected
