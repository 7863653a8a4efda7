"""Settings of the profiles cache and monitoring."""

from __future__ import annotations

from typing import Any

import pytest

from infra.parts.published_ports import gateway_ports, published_ports
from infra.schema.problems import ConfigurationError
from tests.unit.infra.settings.test_settings import catalog, refusal, settings


@pytest.mark.parametrize("retention", ["15d", "2h30m", "1h", "60m", "1y6w", "10y"])
def test_a_retention_is_a_duration_as_prometheus_writes_it(retention: str) -> None:
    assert settings(monitoring={"retention": retention}).monitoring.retention == retention


@pytest.mark.parametrize("retention", ["", "15", "15 days", "30m2h", "59m", "11y", "-1d", "1.5d", "15d; rm"])
def test_another_retention_is_refused_with_examples(retention: str) -> None:
    message = refusal(monitoring={"retention": retention})
    assert f"Pulumi.dev.yaml: monitoring.retention = {retention!r}" in message
    assert "15d or 2h30m" in message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"cache": {"memoryMib": 32}}, "cache.memoryMib = 32"),
        ({"cache": {"memory": 128}}, "cache.memory: no such key"),
        ({"cache": {"generation": 0}}, "cache.generation = 0"),
        ({"monitoring": {"diskMib": 1}}, "monitoring.diskMib = 1"),
        ({"monitoring": {"memoryMib": 64}}, "monitoring.memoryMib = 64"),
    ],
)
def test_a_wrong_value_is_repeated_with_its_key(values: dict[str, Any], expected: str) -> None:
    assert expected in refusal(**values)


@pytest.mark.parametrize(
    "password", ["short", "with a space in the middle", "x" * 129, 12345, "密码密码密码密码密码密码密码密码"]
)
def test_a_refused_password_is_not_repeated(password: object) -> None:
    message = refusal(cache={"password": password})
    assert "cache.password: " in message
    assert str(password) not in message


def test_a_password_is_not_shown_by_accident() -> None:
    chosen = settings(cache={"password": "correct-horse-battery"})
    assert "correct-horse" not in repr(chosen) + str(chosen.model_dump())


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="profiles: 'caches': .*cache, dev, monitoring"):
        settings(profiles=["caches"]).select(catalog())


def test_the_ports_of_the_profiles_are_published_with_them_and_on_loopback_only() -> None:
    gateway = {"bind": "0.0.0.0", "portOffset": 10000}
    assert {6379, 9090}.isdisjoint(published_ports(settings(gateway=gateway), []))
    chosen = settings(gateway=gateway, profiles=["cache", "monitoring"])
    assert published_ports(chosen, [])[6379] == (16379, ("127.0.0.1",))
    assert published_ports(chosen, [])[9090] == (19090, ("127.0.0.1", "::1"))
    assert 6379 not in gateway_ports(chosen, [])


def test_redis_has_half_of_its_memory_for_data() -> None:
    assert settings(cache={"memoryMib": 256}).cache.max_data_mib == 128
