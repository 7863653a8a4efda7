"""The program declares the hub beside the services, with a token that only the hub's files hold."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from pulumi.runtime.rpc import unwrap_rpc_secret

from tests.unit.infra.mocked import in_clear
from tests.unit.infra.test_program import TOKEN, Recorder, declare

HUB_TOKEN = TOKEN[::-1]
GROUP = {"pet": {"title": "宠物", "services": ["template"], "tools": {"template_echo": {"name": "echo"}}}}


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return declare(monkeypatch, profiles=["dev"])


def changed(before: Recorder, after: Recorder) -> set[str]:
    old, new = ({item.name: item.inputs for item in recorder.resources} for recorder in (before, after))
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


def catalogue(recorder: Recorder) -> dict[str, Any]:
    uploads = unwrap_rpc_secret(recorder.inputs("Container")["hub-secrets"]["uploads"])
    (text,) = [upload["content"] for upload in uploads if upload["file"] == "/staging/secrets/hub.json"]
    return dict(json.loads(text))


def configuration(recorder: Recorder) -> str:
    uploads = unwrap_rpc_secret(recorder.inputs("Container")["gateway-loader"]["uploads"])
    return "\n".join(upload["content"] for upload in uploads)


def test_only_the_hub_and_the_gateway_share_a_network_without_internet(fleet: Recorder) -> None:
    members = {
        name: {item["name"]: item.get("aliases") for item in inputs.get("networksAdvanced") or []}
        for name, inputs in fleet.inputs("Container").items()
    }
    assert {name for name, networks in members.items() if "hub-network-name" in networks} == {
        "hub-server",
        "gateway-nginx",
    }
    assert members["hub-server"] == {"hub-network-name": ["hub", "hub-1"]}
    assert members["gateway-nginx"]["hub-network-name"] == ["gateway"]
    assert fleet.inputs("Network")["hub-network"]["internal"] is True


def test_the_hub_reads_its_catalogue_from_a_file(fleet: Recorder) -> None:
    assert [entry["name"] for entry in catalogue(fleet)["services"]] == ["template", "xiaohongshu"]
    inputs = fleet.inputs("Container")["hub-server"]
    assert inputs["readOnly"] is True
    assert "DYBER_HUB_FILE=/run/dyber-secrets/hub.json-0123456789ab" in inputs["envs"]
    mounts = [(mount["source"], mount["target"], mount["readOnly"]) for mount in inputs["mounts"]]
    assert mounts == [("hub-secrets-name", "/run/dyber-secrets", True)]


def test_the_hubs_token_is_in_one_upload_and_the_gateway_has_only_its_hash(fleet: Recorder) -> None:
    assert HUB_TOKEN not in json.dumps([in_clear(item.inputs) for item in fleet.resources], default=str)
    holders = {item.name for item in fleet.resources if HUB_TOKEN in json.dumps(item.inputs, default=str)}
    assert holders == {"hub-secrets", "hub-secrets-revision"}
    environment = fleet.inputs("Container")["hub-server"]["envs"]
    assert "DYBER_HUB_TOKEN_FILE=/run/dyber-secrets/DYBER_HUB_TOKEN-0123456789ab" in environment
    assert "DYBER_GATEWAY_URL=http://gateway:10070" in environment
    assert hashlib.sha256(HUB_TOKEN.encode()).hexdigest() in configuration(fleet)


def test_a_group_changes_the_hubs_catalogue_and_the_gateways_configuration_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, after = declare(monkeypatch, profiles=["dev"]), declare(monkeypatch, profiles=["dev"], groups=GROUP)
    # With the mocks the revision, and so the name of the file that the hub reads, stays the same.
    assert changed(before, after) == {"hub-secrets-revision", "hub-secrets", "gateway-loader"}
    assert next(tool["exposed"] for tool in catalogue(after)["groups"][0]["tools"]) == "echo"


def test_a_setting_of_a_service_that_agents_do_not_see_leaves_the_hub_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = declare(monkeypatch, profiles=["dev"])
    after = declare(monkeypatch, profiles=["dev"], services={"template": {"memoryMib": 512}})
    assert changed(before, after) == {"template-server"}


def test_each_replica_of_the_hub_has_a_name_and_reads_the_same_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = declare(monkeypatch, hub={"replicas": 2})
    second = fleet.inputs("Container")["hub-server-2"]
    assert second["networksAdvanced"][0]["aliases"] == ["hub", "hub-2"]
    assert second["envs"] == fleet.inputs("Container")["hub-server"]["envs"]


def test_the_hub_drains_as_long_as_the_longest_call(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = declare(monkeypatch, profiles=["dev"], services={"template": {"maxCallSeconds": 300}})
    inputs = fleet.inputs("Container")["hub-server"]
    assert (inputs["stopTimeout"], inputs["destroyGraceSeconds"]) == (310, 310)


def test_a_stack_without_the_hub_has_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = declare(monkeypatch, profiles=["dev"], hub={"enabled": False})
    assert [item.name for item in fleet.resources if "hub" in item.name] == []
    assert len(fleet.inputs("Container")["gateway-nginx"]["networksAdvanced"]) == 3


def test_a_pinned_stack_runs_the_hubs_image_by_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "sha256:" + "b" * 64
    fleet = declare(monkeypatch, hubImage=digest, imagesInterface=3)
    assert fleet.inputs("Container")["hub-server"]["image"] == digest
    assert "hub-image" not in fleet.inputs("RemoteImage")
