"""Tests what the program declares for the console, with Pulumi's mocks."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime.rpc import unwrap_rpc_secret

from infra.parts.console import CONSOLE_UID
from tests.unit.infra.mocked import in_clear
from tests.unit.infra.test_program import Recorder, declare, ordered

#: What only a stack with the console has.
ADDED = {"console-server", "console-loader", "console-secrets"}
#: The variables with the addresses for spans and logs.
SENDING = {"OTEL_EXPORTER_OTLP_ENDPOINT", "DYBER_LOGS_ENDPOINT"}


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return declare(monkeypatch, profiles=["dev"], console={})


def uploaded(recorder: Recorder, container: str) -> dict[str, str]:
    """Return the files that are uploaded to a one-shot container, by their names."""
    uploads = unwrap_rpc_secret(recorder.inputs("Container")[container]["uploads"])
    return {upload["file"].removeprefix("/staging/"): unwrap_rpc_secret(upload["content"]) for upload in uploads}


def changed(before: Recorder, after: Recorder) -> set[str]:
    """Return the names of the resources that exist in both but differ."""
    old = {(item.typ, item.name): item.inputs for item in ordered(before)}
    return {item.name for item in ordered(after) if old.get((item.typ, item.name), item.inputs) != item.inputs}


def variables(recorder: Recorder, container: str) -> dict[str, str]:
    """Return the environment of a container."""
    return dict(entry.partition("=")[::2] for entry in recorder.inputs("Container")[container]["envs"])


def test_the_stack_dev_has_the_console_without_a_word_about_it(fleet: Recorder) -> None:
    assert set(fleet.inputs("Container")) >= ADDED


def test_a_stack_without_the_console_has_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = declare(monkeypatch, profiles=["dev"])
    assert not [item.name for item in recorder.resources if "console" in item.name]
    gateway = recorder.inputs("Container")["gateway-nginx"]
    assert [mount["target"] for mount in gateway["mounts"]] == ["/etc/dyber"]
    assert not SENDING & variables(recorder, "template-server").keys()


def test_only_the_console_and_the_gateway_share_a_network_without_internet(fleet: Recorder) -> None:
    members = {
        name: [item.get("aliases") for item in inputs.get("networksAdvanced", []) if "console" in item["name"]]
        for name, inputs in fleet.inputs("Container").items()
    }
    assert {name: found for name, found in members.items() if found} == {
        "console-server": [["console"]],
        "gateway-nginx": [["gateway"]],
    }
    assert fleet.inputs("Network")["console-network"]["internal"] is True
    assert len(fleet.inputs("Container")["console-server"]["networksAdvanced"]) == 1


def test_its_containers_are_confined(fleet: Recorder) -> None:
    for name in ADDED:
        inputs = fleet.inputs("Container")[name]
        assert inputs["user"] == f"{CONSOLE_UID}:{CONSOLE_UID}", name
        assert inputs["capabilities"] == {"drops": ["ALL"]}, name
        assert inputs["securityOpts"] == ["no-new-privileges:true"], name
        assert inputs["memory"] == inputs["memorySwap"] > 0, name
    server = fleet.inputs("Container")["console-server"]
    assert server["readOnly"] is True
    assert server["healthcheck"]["tests"]
    assert not server.get("ports")


def test_it_writes_only_its_records_and_the_folder_of_its_socket(fleet: Recorder) -> None:
    mounts = fleet.inputs("Container")["console-server"]["mounts"]
    writable = {mount["target"] for mount in mounts if not mount.get("readOnly")}
    assert writable == {"/data", "/run/dyber-console"}
    assert {mount["target"] for mount in mounts} - writable == {"/files", "/run/dyber-secrets"}


def test_the_gateway_only_finds_the_socket(fleet: Recorder) -> None:
    mounts = {mount["target"]: mount for mount in fleet.inputs("Container")["gateway-nginx"]["mounts"]}
    assert mounts["/run/dyber-console"]["readOnly"] is True


def test_an_update_does_not_wait_for_it(fleet: Recorder) -> None:
    assert fleet.inputs("Container")["console-server"]["wait"] is False


def test_the_password_is_nowhere_but_in_the_outputs_and_its_hash_in_one_upload(fleet: Recorder) -> None:
    password = "the result of console-password"
    assert [item.name for item in fleet.resources if password in json.dumps(item.inputs, default=str)] == []
    stored = uploaded(fleet, "console-secrets")["secrets/DYBER_PASSWORD_HASH"]
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    holders = {item.name for item in fleet.resources if stored in json.dumps(item.inputs, default=str)}
    assert holders == {"console-secrets", "console-secrets-revision"}


def test_the_hash_is_a_secret_of_the_state(fleet: Recorder) -> None:
    for item in fleet.resources:
        assert "$argon2id$" not in json.dumps(in_clear(item.inputs), default=str), item.name


def test_a_new_generation_is_another_password_and_replaces_only_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    before = declare(monkeypatch, console={"enabled": True})
    after = declare(monkeypatch, console={"enabled": True, "passwordGeneration": 2})
    assert set(before.inputs("RandomPassword")) == {"console-password"}
    assert set(after.inputs("RandomPassword")) == {"console-password-2"}
    assert changed(before, after) == {"console-secrets", "console-secrets-revision"}


def test_the_gateway_gets_the_hash_of_the_token_and_may_call_reading_tools_and_logins(fleet: Recorder) -> None:
    token = uploaded(fleet, "console-secrets")["secrets/DYBER_TOKEN"]
    files = uploaded(fleet, "gateway-loader")
    assert token not in json.dumps(files)
    scopes = json.loads(files["njs/scopes.json"])["clients"]["console"]
    assert scopes == {"template": "read", "xiaohongshu": "read"}
    assert "\nxhs_login_qrcode\n" in json.loads(files["njs/scopes.json"])["read_tools"]["xiaohongshu"]


def test_its_files_say_what_runs_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"template": {"secrets": {"TEMPLATE_TOKEN": "hush"}, "memoryMib": 300}}
    recorder = declare(
        monkeypatch,
        {"secrets": {"TEMPLATE_TOKEN": "required"}},
        ["services"],
        profiles=["dev"],
        console={},
        clients={"desktop-pet": {}, "phone": {"services": {"xiaohongshu": "read"}}},
        tokens={"phone": {"generation": 3}},
        services=secrets,
    )
    files = uploaded(recorder, "console-loader")
    document = json.loads(files["files/deployment.json"])
    assert document["stack"] == "dev"
    assert document["addresses"][0] == "http://127.0.0.1"
    template = document["services"]["template"]
    assert (template["memory_mib"], template["digest"]) == (300, "sha256:template-image")
    assert template["secrets"] == ["TEMPLATE_TOKEN"]
    assert document["clients"] == {
        "desktop-pet": {"services": None, "generation": 1, "old_token_works": False},
        "phone": {"services": {"xiaohongshu": "read"}, "generation": 3, "old_token_works": False},
    }
    assert "hush" not in json.dumps(files)
    assert "template_echo" in json.loads(files["files/contracts/template.json"])["tools"]


def test_a_contract_that_is_not_what_runs_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = {"template": {"contract": {"sha256": "0" * 64, "tools": {"template_echo": "read"}}}}
    recorder = declare(monkeypatch, profiles=["dev"], console={}, services=contract)
    files = uploaded(recorder, "console-loader")
    assert "files/contracts/template.json" not in files
    assert "files/contracts/xiaohongshu.json" in files


def test_changed_files_do_not_replace_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    before = declare(monkeypatch, profiles=["dev"], console={})
    after = declare(monkeypatch, profiles=["dev"], console={}, services={"template": {"cpus": 0.75}})
    assert changed(before, after) == {"template-server", "console-loader"}


def test_services_and_the_hub_send_spans_and_logs_to_the_gateway_unless_switched_off(
    monkeypatch: pytest.MonkeyPatch, fleet: Recorder
) -> None:
    sending = {"template-server", "xiaohongshu-server", "hub-server"}
    for name in sending:
        assert {variables(fleet, name)[variable] for variable in SENDING} == {"http://gateway:10318"}
    networks = fleet.inputs("Container")["gateway-nginx"]["networksAdvanced"]
    assert all("gateway" in item["aliases"] for item in networks)
    quiet = declare(monkeypatch, profiles=["dev"], console={"traces": False})
    for name in sending:
        assert not SENDING & variables(quiet, name).keys()
    assert "listen 10318" not in uploaded(quiet, "gateway-loader")["console.conf"]


def test_a_service_may_send_its_spans_elsewhere_and_its_logs_still_to_the_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = {"environment": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}}
    recorder = declare(monkeypatch, elsewhere, profiles=["dev"], console={})
    given = variables(recorder, "template-server")
    assert given["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"
    assert given["DYBER_LOGS_ENDPOINT"] == "http://gateway:10318"


def test_the_records_outlive_a_console_that_is_switched_off(monkeypatch: pytest.MonkeyPatch, fleet: Recorder) -> None:
    from infra.parts.data_volumes import LabelledVolume

    assert fleet.inputs("Volume")["console-data"]["name"] == "dyber-dev-console-data"
    off: Any = declare(monkeypatch, volumes=[LabelledVolume("dyber-dev-console-data", "dev", "console")])
    assert "console-data" in off.inputs("Volume")


def test_a_pinned_stack_needs_its_image_or_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match="consoleImage: needed while images is pinned.*console.enabled false"):
        declare(monkeypatch, profiles=["dev"], console={}, images="pinned")


def test_a_collector_of_the_users_gets_its_address_and_its_headers_in_a_secret_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export = {"endpoint": "https://otlp.example.com", "headers": {"x-key": "secret-words"}}
    recorder = declare(monkeypatch, profiles=["dev"], console={"export": export}, encrypted=["console"])
    found = variables(recorder, "console-server")
    assert found["DYBER_EXPORT_ENDPOINT"] == "https://otlp.example.com"
    assert found["DYBER_EXPORT_HEADERS_FILE"].startswith("/run/dyber-secrets/DYBER_EXPORT_HEADERS")
    assert recorder.inputs("Network")["console-network"]["internal"] is False
    clear = {
        item.name for item in recorder.resources if "secret-words" in json.dumps(in_clear(item.inputs), default=str)
    }
    assert clear == set()
    assert "secret-words" in "".join(uploaded(recorder, "console-secrets").values())


def test_without_a_collector_the_console_has_no_way_to_the_internet(fleet: Recorder) -> None:
    assert fleet.inputs("Network")["console-network"]["internal"] is True
    assert not [name for name in variables(fleet, "console-server") if "EXPORT" in name]
