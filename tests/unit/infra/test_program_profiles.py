"""Tests what the profiles cache and monitoring declare, with Pulumi's mocks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.rpc import unwrap_rpc_secret

from infra.parts.image_interface import INTERFACE
from infra.services.catalog import ServiceSpec, load_catalog
from tests.unit.infra.mocked import in_clear
from tests.unit.infra.test_program import TOKEN, Recorder, declare, ordered

#: The value of every RandomBytes of the mocks, except for the token of desktop-pet.
PASSWORD = TOKEN[::-1]
ADDED = {
    "cache-redis",
    "cache-metrics",
    "cache-exporter",
    "monitoring-prometheus",
    "monitoring-loader",
    "monitoring-direct-nginx",
}
ONE_SHOT = {"gateway-loader", "monitoring-loader", "cache-metrics"}
ALL = ["dev", "cache", "monitoring"]


@pytest.fixture(autouse=True)
def template_uses_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(servers: Path) -> dict[str, ServiceSpec]:
        catalog = load_catalog(servers)
        return {name: spec.model_copy(update={"cache": name == "template"}) for name, spec in catalog.items()}

    monkeypatch.setattr("tests.unit.infra.test_program.load_catalog", load)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return declare(monkeypatch, profiles=ALL)


def networks(recorder: Recorder) -> dict[str, set[str]]:
    """Return the networks of each container."""
    return {
        name: {item["name"].removesuffix("-name") for item in inputs.get("networksAdvanced", [])}
        for name, inputs in recorder.inputs("Container").items()
    }


def changed(before: Recorder, after: Recorder) -> set[str]:
    """Return the names of the resources that exist in both but differ."""
    old = {(item.typ, item.name): item.inputs for item in ordered(before)}
    return {item.name for item in ordered(after) if old.get((item.typ, item.name), item.inputs) != item.inputs}


def test_each_part_comes_with_its_profile(monkeypatch: pytest.MonkeyPatch, full: Recorder) -> None:
    def containers(*profiles: str) -> set[str]:
        return set(declare(monkeypatch, profiles=["dev", *profiles]).inputs("Container"))

    assert containers().isdisjoint(ADDED)
    assert containers("cache") & ADDED == {"cache-redis", "cache-metrics"}
    assert containers("monitoring") & ADDED == {
        "monitoring-prometheus",
        "monitoring-loader",
        "monitoring-direct-nginx",
    }
    assert set(full.inputs("Container")) >= ADDED


def test_the_containers_of_the_profiles_are_confined(full: Recorder) -> None:
    containers = full.inputs("Container")
    users = [inputs["user"] for name, inputs in containers.items() if name in ADDED - ONE_SHOT]
    assert len(set(users)) == len(users)
    for name in ADDED:
        inputs = containers[name]
        assert int(inputs["user"].split(":")[0]) > 0, name
        assert inputs["capabilities"] == {"drops": ["ALL"]}, name
        assert inputs["securityOpts"] == ["no-new-privileges:true"], name
        assert inputs["memory"] == inputs["memorySwap"] > 0, name
        assert inputs["logOpts"]["max-size"], name
        if name not in ONE_SHOT:
            assert inputs["readOnly"] is True, name
            assert inputs["healthcheck"]["tests"], name
            assert inputs["destroyGraceSeconds"] > 0, name


def test_both_ports_stay_on_loopback_wherever_the_gateway_is_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    containers = declare(monkeypatch, profiles=ALL, gateway={"bind": "0.0.0.0", "portOffset": 100}).inputs("Container")
    published = {
        name: [(port["ip"], port["external"], port["internal"]) for port in inputs["ports"]]
        for name, inputs in containers.items()
        if name in ADDED and inputs.get("ports")
    }
    assert published == {
        "cache-redis": [("127.0.0.1", 6479, 6379)],
        "monitoring-direct-nginx": [("127.0.0.1", 9190, 9090), ("::1", 9190, 29090)],
    }


def test_redis_shares_a_network_with_the_services_that_use_it_and_they_share_none(full: Recorder) -> None:
    of = networks(full)
    assert of["cache-redis"] == {"cache-edge", "template-network"}
    assert of["template-server"] == {"template-network"}
    assert of["xiaohongshu-server"] == {"xiaohongshu-network"}


def test_prometheus_is_in_no_network_of_a_service_and_its_own_has_no_internet_access(full: Recorder) -> None:
    of = networks(full)
    assert of["monitoring-prometheus"] == {"monitoring-network"}
    assert "monitoring-network" in of["gateway-nginx"]
    assert of["cache-exporter"] == {"cache-edge", "monitoring-network"}
    assert full.inputs("Network")["monitoring-network"]["internal"] is True


def uploaded(recorder: Recorder, container: str) -> dict[str, str]:
    """Return the files that are uploaded to a one-shot container, by path."""
    uploads = unwrap_rpc_secret(recorder.inputs("Container")[container]["uploads"])
    return {upload["file"]: upload["content"] for upload in uploads}


def test_each_password_is_in_one_upload_and_pulumi_treats_it_as_a_secret(full: Recorder) -> None:
    holders = {item.name for item in full.resources if PASSWORD in json.dumps(item.inputs, default=str)}
    # The mocks make all random passwords equal.
    writers = {"cache-metrics", "hub-secrets", "template-secrets"}
    assert holders == {*writers, *(f"{name}-revision" for name in writers)}
    assert PASSWORD not in json.dumps([in_clear(item.inputs) for item in full.resources], default=str)
    for container, file in (("cache-metrics", "metrics"), ("template-secrets", "DYBER_REDIS_PASSWORD")):
        holding = [path for path, content in uploaded(full, container).items() if PASSWORD in content]
        assert holding == [f"/staging/secrets/{file}"]


def test_each_user_of_redis_has_a_password_of_its_own_and_another_generation_makes_others(
    monkeypatch: pytest.MonkeyPatch, full: Recorder
) -> None:
    names = {"cache-password", "cache-metrics-password", "cache-password-of-template"}
    made = {name: inputs for name, inputs in full.inputs("RandomBytes").items() if name.startswith("cache-")}
    assert set(made) == names
    others = declare(monkeypatch, profiles=ALL, cache={"generation": 2}).inputs("RandomBytes")
    assert all(others[name] != made[name] for name in names)


def test_the_hash_of_a_chosen_password_is_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = "correct-horse-battery"
    declared = declare(monkeypatch, profiles=ALL, cache={"password": chosen})
    accepted = hashlib.sha256(chosen.encode()).hexdigest()
    assert accepted in json.dumps(declared.inputs("Container")["cache-redis"], default=str)
    clear = json.dumps([in_clear(item.inputs) for item in declared.resources], default=str)
    assert chosen not in clear and accepted not in clear
    assert "cache-password" not in declared.inputs("RandomBytes")


def test_redis_has_the_hash_of_each_password_and_no_user_without_one(full: Recorder) -> None:
    command = " ".join(full.inputs("Container")["cache-redis"]["command"])
    accepted = hashlib.sha256(PASSWORD.encode()).hexdigest()
    assert f"--user default on #{accepted} " in command
    assert f"--user metrics on #{accepted} " in command
    assert f"--user service-template on #{accepted} ~dyber:template:* &dyber:template:* " in command
    assert "service-xiaohongshu" not in command
    assert "nopass" not in command
    assert "-@admin -@dangerous" in command


@pytest.mark.parametrize("name", ["cache-redis", "monitoring-prometheus"])
def test_an_update_waits_neither_for_redis_nor_for_prometheus(full: Recorder, name: str) -> None:
    container = full.inputs("Container")[name]
    assert container["wait"] is False
    assert "waitTimeout" not in container


def test_only_a_service_that_uses_the_cache_gets_its_address(full: Recorder) -> None:
    containers = full.inputs("Container")
    environment = dict(entry.split("=", 1) for entry in containers["template-server"]["envs"])
    assert (environment["DYBER_REDIS_HOST"], environment["DYBER_REDIS_PORT"]) == ("cache", "6379")
    assert environment["DYBER_REDIS_USER"] == "service-template"
    assert environment["DYBER_REDIS_PASSWORD_FILE"].startswith("/run/dyber-secrets/DYBER_REDIS_PASSWORD-")
    (mount,) = containers["template-server"]["mounts"]
    assert (mount["target"], mount["readOnly"]) == ("/run/dyber-secrets", True)
    assert "groupAdds" not in containers["template-server"]
    assert "REDIS" not in json.dumps(containers["xiaohongshu-server"])


def test_switching_the_cache_on_changes_only_the_services_that_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = declare(monkeypatch, profiles=["dev"])
    assert changed(before, declare(monkeypatch, profiles=["dev", "cache"])) == {"template-server"}


def test_switching_monitoring_on_changes_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    before = declare(monkeypatch, profiles=["dev"])
    after = declare(monkeypatch, profiles=["dev", "monitoring"])
    assert changed(before, after) == {"gateway-nginx", "gateway-loader"}


def test_the_data_is_in_volumes_of_a_fixed_name_that_no_setting_changes(
    monkeypatch: pytest.MonkeyPatch, full: Recorder
) -> None:
    other = declare(
        monkeypatch,
        profiles=ALL,
        cache={"memoryMib": 512, "generation": 2},
        monitoring={"retention": "30d", "memoryMib": 512},
        dataRetention="keep",
    )
    assert {"cache-data", "monitoring-data"} <= set(full.inputs("Volume"))
    for name in ("cache-data", "monitoring-data"):
        assert full.inputs("Volume")[name]["name"] == f"dyber-dev-{name}"
        assert other.inputs("Volume")[name] == full.inputs("Volume")[name]


def test_the_settings_arrive_where_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    containers = declare(
        monkeypatch,
        profiles=ALL,
        cache={"memoryMib": 512},
        monitoring={"retention": "2h30m", "diskMib": 512, "memoryMib": 300},
    ).inputs("Container")
    assert "--maxmemory 256mb" in " ".join(containers["cache-redis"]["command"])
    assert containers["cache-redis"]["memory"] == 512
    arguments = containers["monitoring-prometheus"]["command"]
    assert {"--storage.tsdb.retention.time=2h30m", "--storage.tsdb.retention.size=512MB"} < set(arguments)
    assert containers["monitoring-prometheus"]["memory"] == 300


def test_prometheus_no_longer_reads_a_removed_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(**values: Any) -> str:
        uploads = declare(monkeypatch, **values).inputs("Container")["monitoring-loader"]["uploads"]
        return next(upload["content"] for upload in uploads if upload["file"] == "/staging/prometheus.yml")

    assert "/services/template/1" in read(profiles=["dev", "monitoring"])
    assert "/services/template/1" not in read(profiles=["monitoring"])


def test_a_pinned_stack_needs_the_images_of_its_profiles_and_builds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "sha256:" + "a" * 64
    pinned = {
        "images": "pinned",
        "profiles": ["cache", "monitoring"],
        "services": {"xiaohongshu": {"image": digest}},
        "gatewayImage": digest,
        "frontImage": digest,
        "hubImage": digest,
        "imagesInterface": INTERFACE,
    }
    with pytest.raises(pulumi.RunError, match="(?s)cacheImage.*monitoringImage"):
        declare(monkeypatch, **pinned)
    complete = declare(monkeypatch, **pinned, cacheImage=digest, monitoringImage=digest)
    assert complete.inputs("RemoteImage") == {}
    assert {complete.inputs("Container")[name]["image"] for name in ADDED} == {digest}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A list to which a test adds the names of one-shot containers that fail."""
    names: list[str] = []
    answer = Recorder.new_resource

    def new_resource(self: Recorder, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        identity, outputs = answer(self, args)
        if args.name in names:
            outputs.update(exitCode=2, containerLogs="in its own words\n")
        return identity, outputs

    monkeypatch.setattr(Recorder, "new_resource", new_resource)
    return names


@pytest.mark.parametrize("name", ["monitoring-loader", "cache-metrics", "template-secrets"])
def test_a_failed_one_shot_container_fails_the_update_with_its_output(
    monkeypatch: pytest.MonkeyPatch, failing: list[str], name: str
) -> None:
    failing.append(name)
    with pytest.raises(pulumi.RunError, match="in its own words"):
        declare(monkeypatch, profiles=ALL)
