"""Tests what the program declares where alerts are sent, with Pulumi's mocks."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
import yaml

from infra.rendering.alerts import alertmanager_configuration
from infra.settings.observing.alerts import AlertsSettings
from tests.unit.infra.mocked import in_clear
from tests.unit.infra.test_program import Recorder, declare
from tests.unit.infra.test_program_profiles import changed, networks, uploaded

URL = "https://open.feishu.cn/open-apis/bot/v2/hook/very-secret-key"
ALERTS = {"receivers": {"team": {"kind": "feishu", "url": URL, "secret": "signing-secret", "severities": ["critical"]}}}
PROFILES = ["dev", "cache", "monitoring"]


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return declare(monkeypatch, profiles=PROFILES, monitoring={"alerts": ALERTS}, encrypted=["monitoring"])


def test_alerts_add_only_their_own_parts_and_a_file_of_prometheus(
    monkeypatch: pytest.MonkeyPatch, declared: Recorder
) -> None:
    before = declare(monkeypatch, profiles=PROFILES)
    new = set(declared.inputs("Container")) - set(before.inputs("Container"))
    assert new == {"alerts-alertmanager", "alerts-sender", "alerts-secrets"}
    assert changed(before, declared) == {"monitoring-loader"}
    files = uploaded(declared, "monitoring-loader")
    assert "alertmanager:9093" in files["/staging/prometheus.yml"]
    assert "alertmanager" not in uploaded(before, "monitoring-loader")["/staging/prometheus.yml"]


def test_only_the_sender_reaches_the_internet(declared: Recorder) -> None:
    of = networks(declared)
    assert of["alerts-alertmanager"] == {"monitoring-network"}
    assert of["alerts-sender"] == {"monitoring-network", "alerts-network"}
    assert [name for name, members in of.items() if "alerts-network" in members] == ["alerts-sender"]
    internal = {name: bool(inputs.get("internal")) for name, inputs in declared.inputs("Network").items()}
    assert internal["monitoring-network"] and not internal["alerts-network"]


@pytest.mark.parametrize("name", ["alerts-alertmanager", "alerts-sender"])
def test_the_containers_are_confined(declared: Recorder, name: str) -> None:
    inputs = declared.inputs("Container")[name]
    assert int(inputs["user"].split(":")[0]) > 0
    assert inputs["capabilities"] == {"drops": ["ALL"]}
    assert inputs["securityOpts"] == ["no-new-privileges:true"]
    assert inputs["readOnly"] is True
    assert inputs["memory"] == inputs["memorySwap"] > 0
    assert inputs["healthcheck"]["tests"]
    assert not inputs.get("ports")


def test_address_and_secret_are_only_in_the_senders_volume_and_secret_for_pulumi(declared: Recorder) -> None:
    def holds(value: Any) -> bool:
        text = json.dumps(value, default=str)
        return "very-secret-key" in text or "signing-secret" in text

    holders = {item.name for item in declared.resources if holds(item.inputs)}
    assert holders == {"alerts-secrets", "alerts-secrets-revision"}
    assert not [item.name for item in declared.resources if holds(in_clear(item.inputs))]
    assert "very-secret-key" in uploaded(declared, "alerts-secrets")["/staging/secrets/receivers"]


def environment(recorder: Recorder, container: str) -> dict[str, str]:
    return dict(item.split("=", 1) for item in recorder.inputs("Container")[container]["envs"])


def test_a_receiver_gets_the_severities_that_it_wants(declared: Recorder) -> None:
    content = yaml.safe_load(environment(declared, "alerts-alertmanager")["ALERTMANAGER_CONFIGURATION"])
    (route,) = [route for route in content["route"]["routes"] if route["receiver"] == "team"]
    assert 'severity=~"critical"' in route["matchers"]
    urls = {item["name"]: [hook["url"] for hook in item.get("webhook_configs", [])] for item in content["receivers"]}
    assert urls["team"] == urls["test/team"] == ["http://alert-sender:8094/receivers/team"]


def test_a_change_of_an_address_replaces_the_sender_and_leaves_alertmanager(
    monkeypatch: pytest.MonkeyPatch, declared: Recorder
) -> None:
    receivers = {"team": {**ALERTS["receivers"]["team"], "url": URL.replace("very", "other")}}
    after = declare(
        monkeypatch, profiles=PROFILES, monitoring={"alerts": {"receivers": receivers}}, encrypted=["monitoring"]
    )
    assert changed(declared, after) == {"alerts-secrets", "alerts-secrets-revision"}


def test_a_receiver_without_an_address_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    incomplete = {"receivers": {"team": {"kind": "wecom"}}}
    command = "config set monitoring.alerts.receivers.team.url --secret -s dev"
    with pytest.raises(pulumi.RunError, match=command):
        declare(monkeypatch, profiles=PROFILES, monitoring={"alerts": incomplete})
    declare(monkeypatch, profiles=["dev"], monitoring={"alerts": incomplete})


def test_the_outputs_name_the_containers_and_the_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    exported: dict[str, Any] = {}
    monkeypatch.setattr("pulumi.export", exported.__setitem__)
    declare(monkeypatch, profiles=PROFILES, monitoring={"alerts": ALERTS}, encrypted=["monitoring"])
    alerts = exported["monitoring"]["alerts"]
    assert alerts["receivers"] == ["team"]
    assert {"alertmanager", "sender"} < set(alerts)


def test_the_routes_of_all_receivers_continue() -> None:
    kinds = {"a": ALERTS["receivers"]["team"], "b": {"kind": "bark", "url": "https://api.day.app/key"}}
    settings = AlertsSettings.model_validate({"receivers": kinds, "repeat": "1d"})
    content = yaml.safe_load(alertmanager_configuration(settings))
    assert all(route["continue"] for route in content["route"]["routes"])
    assert content["route"]["repeat_interval"] == "1d"


def test_what_another_alert_explains_is_not_sent_as_well() -> None:
    settings = AlertsSettings.model_validate(ALERTS)
    rules = yaml.safe_load(alertmanager_configuration(settings))["inhibit_rules"]
    explained = {(rule["source_matchers"][0], rule["target_matchers"][0]): rule.get("equal") for rule in rules}
    assert explained == {
        ('alertname="GatewayDown"', 'alertname="TargetDown"'): None,
        ('alertname="ServiceDown"', 'alertname="TargetDown"'): ["service"],
    }
