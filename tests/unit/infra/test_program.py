"""Tests what the whole program declares, with Pulumi's mocks in place of an engine."""

from __future__ import annotations

import json
import runpy
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.components.docker.defaults import security_options
from infra.engine import volumes as engine_volumes
from infra.parts.data_volumes import LabelledVolume
from infra.parts.image_interface import INTERFACE
from infra.services import catalog
from infra.services.catalog import load_catalog
from infra.settings import env_file
from infra.settings.env_file import EnvFile
from tests.unit.infra.mocked import set_new_event_loop

REPOSITORY = Path(__file__).resolve().parents[3]
SERVICES = ("xiaohongshu", "template")
TOKEN = "c0ffee" * 10 + "0000"
#: The values of RandomBytes that differ from all others, by name.
VALUES = {"desktop-pet-token": TOKEN, "console-token": "c0501e" * 10 + "0000"}
PROXY_ARGUMENTS = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


class Recorder(pulumi.runtime.Mocks):
    """Answers like an engine, and records the resources that are declared."""

    def __init__(self) -> None:
        self.resources: list[pulumi.runtime.MockResourceArgs] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources.append(args)
        outputs = dict(args.inputs)
        outputs.setdefault("name", f"{args.name}-name")
        if args.typ == "random:index/randomBytes:RandomBytes":
            outputs["hex"] = VALUES.get(args.name, TOKEN[::-1])
        if args.typ == "random:index/randomPassword:RandomPassword":
            outputs["result"] = f"the result of {args.name}"
        if args.typ == "docker:index/remoteImage:RemoteImage":
            outputs["imageId"] = f"sha256:{args.name}"
        if args.typ == "random:index/randomId:RandomId":
            outputs["hex"] = "0123456789ab"
        if args.inputs.get("attach"):
            outputs.update(exitCode=0, containerLogs="version\n")
        if args.name == "monitoring-network":
            outputs["ipamConfigs"] = [{"subnet": "172.30.0.0/16"}]
        if args.name == "console-network":
            outputs["ipamConfigs"] = [{"subnet": "172.31.0.0/16"}]
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {}

    def inputs(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the inputs, by logical name, of the resources whose type ends with `kind`."""
        return {item.name: item.inputs for item in self.resources if item.typ.endswith(kind)}


def described(volume: LabelledVolume) -> dict[str, Any]:
    """The engine's description of a volume with labels of ours."""
    labels = {"dyber.project": "dyber", "dyber.stack": volume.stack, "dyber.service": volume.service}
    return {"Name": volume.name, "Labels": labels}


def declare(
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any] | None = None,
    encrypted: Collection[str] = (),
    volumes: Collection[LabelledVolume] = (),
    root: Path = REPOSITORY,
    deployed: Collection[str] = SERVICES,
    **values: Any,
) -> Recorder:
    """Run the program in the stack dev with the settings `values`; return all resources that it declared.

    `changed` are values that replace those of the template's service.yaml, `encrypted` are the keys that hold anything
    encrypted, `volumes` are the volumes that the engine has. Only the services `deployed` of the repository at `root`
    are part of the stack, which has the console only if `values` say so.
    """
    values = {"console": {"enabled": False}, **values}
    known = load_catalog(root / "mcp-servers")
    specs = {name: known[name].model_copy(update=changed if name == "template" else None) for name in deployed}
    monkeypatch.setattr(catalog, "load_catalog", lambda servers: specs)
    for name in ("DYBER_PIP_INDEX_URL", "DYBER_NPM_REGISTRY", "DYBER_GOPROXY", "DYBER_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(engine_volumes, "list_volumes", lambda: [described(volume) for volume in volumes])
    # A developer's own .env is none of the tests' business.
    monkeypatch.setattr(env_file, "read", lambda root, stack, services: EnvFile())
    recorder = Recorder()
    set_new_event_loop()
    pulumi.runtime.set_mocks(recorder, project="dyber", stack="dev", preview=False)
    configuration = {f"dyber:{key}": json.dumps(value) for key, value in values.items()}
    pulumi.runtime.set_all_config(configuration, [f"dyber:{key}" for key in encrypted])

    @pulumi.runtime.test
    def program() -> None:
        runpy.run_path(str(root / "infra" / "__main__.py"))

    program()
    return recorder


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return declare(monkeypatch, profiles=["dev"])


FRONTS = {"gateway-front-nginx", "template-direct-nginx", "xiaohongshu-direct-nginx"}


def test_only_the_fronts_have_host_ports(fleet: Recorder) -> None:
    assert {name for name, inputs in fleet.inputs("Container").items() if inputs.get("ports")} == FRONTS


def test_the_gateways_ports_and_the_old_direct_ones_are_published_on_loopback(fleet: Recorder) -> None:
    published = {
        name: [(port["ip"], port["external"], port["internal"]) for port in inputs["ports"]]
        for name, inputs in fleet.inputs("Container").items()
        if name in FRONTS
    }
    assert published == {
        "gateway-front-nginx": [
            *(("127.0.0.1", number, number) for number in (80, 443, 8080)),
            *(("::1", number, 20000 + number) for number in (80, 443, 8080)),
        ],
        "template-direct-nginx": [("127.0.0.1", 8002, 8002), ("::1", 8002, 28002)],
        "xiaohongshu-direct-nginx": [("127.0.0.1", 8001, 8001), ("::1", 8001, 28001)],
    }


def test_a_front_reaches_the_gateway_and_no_service(fleet: Recorder) -> None:
    containers = fleet.inputs("Container")
    edge = {"gateway-edge-name"}
    for name in FRONTS:
        assert {item["name"] for item in containers[name]["networksAdvanced"]} == edge, name
    aliases = {item["name"]: item.get("aliases") for item in containers["gateway-nginx"]["networksAdvanced"]}
    assert aliases["gateway-edge-name"] == ["gateway"]


def test_another_service_replaces_no_front(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = declare(monkeypatch), declare(monkeypatch, profiles=["dev"])
    old, new = before.inputs("Container"), after.inputs("Container")
    assert {name: new[name] for name in FRONTS & set(old)} == {name: old[name] for name in FRONTS & set(old)}


def test_replicas_are_containers_with_an_alias_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = declare(monkeypatch, profiles=["dev"])
    after = declare(monkeypatch, profiles=["dev"], services={"template": {"replicas": 3}})
    containers = after.inputs("Container")
    aliases = [
        containers[name]["networksAdvanced"][0]["aliases"]
        for name in ("template-server", "template-server-2", "template-server-3")
    ]
    assert aliases == [["template-mcp", f"template-mcp-{number}"] for number in (1, 2, 3)]
    old = before.inputs("Container")["template-server"]
    assert {name for name in containers["template-server"] if containers["template-server"][name] != old.get(name)} == {
        "envs",
        "mounts",
    }


def test_replicas_continue_the_calls_of_each_other_with_a_key_of_their_service(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = declare(monkeypatch, profiles=["dev"], services={"template": {"replicas": 2}})
    keys = [name for name in declared.inputs("RandomBytes") if name.endswith("state-key")]
    assert keys == ["template-state-key"]
    containers = declared.inputs("Container")
    files = [
        [entry for entry in containers[name]["envs"] if entry.startswith("DYBER_STATE_KEY_FILE=/run/dyber-secrets/")]
        for name in ("template-server", "template-server-2")
    ]
    assert len(files[0]) == 1 and files[0] == files[1]
    assert not any(name.endswith("state-key") for name in declare(monkeypatch).inputs("RandomBytes"))


def test_the_new_and_the_old_token_both_exist_until_the_old_one_is_revoked(monkeypatch: pytest.MonkeyPatch) -> None:
    def tokens(**values: Any) -> set[str]:
        return set(declare(monkeypatch, **values).inputs("RandomBytes"))

    assert tokens() == {"desktop-pet-token", "hub-token"}
    rotating = {"desktop-pet": {"generation": 2, "previous": True}}
    assert tokens(tokens=rotating) == {"desktop-pet-token", "desktop-pet-token-2", "hub-token"}
    assert tokens(tokens={"desktop-pet": {"generation": 2}}) == {"desktop-pet-token-2", "hub-token"}


def test_every_container_is_confined(fleet: Recorder) -> None:
    containers = fleet.inputs("Container")
    kept = {"gateway-nginx", "gateway-loader", "gateway-certificate-keeper"}
    servers = {"hub-server", "template-server", "xiaohongshu-server"}
    assert set(containers) == {*kept, "hub-secrets", *servers, *FRONTS}
    for name, inputs in containers.items():
        assert int(inputs["user"].split(":")[0]) > 0, name
        assert inputs["capabilities"] == {"drops": ["ALL"]}, name
        assert inputs["securityOpts"] == security_options("chromium" if name == "xiaohongshu-server" else None), name
        assert inputs["memory"] == inputs["memorySwap"] > 0, name
        assert inputs["logOpts"]["max-size"], name
        assert {item["name"] for item in inputs["ulimits"]} == {"nofile", "nproc"}, name
        if name not in ("gateway-loader", "hub-secrets"):
            assert inputs["readOnly"] is True, name
            assert inputs["healthcheck"]["tests"], name


def test_containers_that_keep_running_start_again_after_the_engine_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    tls = {"tls": {"source": "acme"}, "serverNames": ["pet.example.com"]}
    declared = declare(monkeypatch, profiles=["dev", "cache", "monitoring"], gateway=tls)
    policies = {name: inputs["restart"] for name, inputs in declared.inputs("Container").items() if inputs["mustRun"]}
    assert {"gateway-nginx", "gateway-acme", "cache-redis", "monitoring-prometheus"} <= set(policies)
    # An engine that is started after it was killed takes containers that still ran for stopped by hand, and starts no
    # such container whose policy is `unless-stopped`.
    assert set(policies.values()) == {"always"}


def test_services_do_not_share_a_network_and_the_gateway_is_in_all(fleet: Recorder) -> None:
    containers = fleet.inputs("Container")
    of = {name: [item["name"] for item in inputs.get("networksAdvanced", [])] for name, inputs in containers.items()}
    assert set(of["template-server"]).isdisjoint(of["xiaohongshu-server"])
    assert set(of["template-server"]) | set(of["xiaohongshu-server"]) < set(of["gateway-nginx"])


def test_a_service_without_internet_has_an_internal_network(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = declare(monkeypatch, {"internet": False}, profiles=["dev"]).inputs("Network")
    assert networks["template-network"]["internal"] is True
    assert networks["xiaohongshu-network"]["internal"] is False


def test_a_stack_decides_whether_a_service_reaches_the_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    def internal(egress: str, internet: bool) -> bool:
        services = {"template": {"egress": egress}}
        declared = declare(monkeypatch, {"internet": internet}, profiles=["dev"], services=services)
        return declared.inputs("Network")["template-network"]["internal"]

    assert internal("none", internet=True) is True
    assert internal("internet", internet=False) is False


def test_the_token_is_nowhere_but_in_the_outputs(fleet: Recorder) -> None:
    assert TOKEN not in json.dumps([item.inputs for item in fleet.resources], default=str)


def test_the_gateway_gets_the_hash_of_the_token(fleet: Recorder) -> None:
    from infra.access import token_hash

    uploads = fleet.inputs("Container")["gateway-loader"]["uploads"]
    assert any(token_hash(TOKEN) in upload["content"] for upload in uploads)


def test_the_gateway_mounts_its_configuration_read_only_and_the_loader_writes_it(fleet: Recorder) -> None:
    containers = fleet.inputs("Container")
    (read,), (write,) = containers["gateway-nginx"]["mounts"], containers["gateway-loader"]["mounts"]
    assert (read["source"], read["readOnly"]) == (write["source"], True)
    assert write["readOnly"] is False
    assert containers["gateway-loader"]["pidMode"] == "container:gateway-nginx-id"


def test_labels_name_the_stack_the_service_and_the_state(fleet: Recorder) -> None:
    for name, inputs in fleet.inputs("Container").items():
        labels = {item["label"]: item["value"] for item in inputs["labels"]}
        assert labels["dyber.stack"] == "dev", name
        assert labels["dyber.deployment"] == "0123456789ab", name


def test_a_volume_carries_no_label_that_could_change(fleet: Recorder) -> None:
    for name, inputs in fleet.inputs("Volume").items():
        assert {item["label"] for item in inputs["labels"]} <= {"dyber.project", "dyber.stack", "dyber.service"}, name


def test_a_pinned_stack_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "sha256:" + "a" * 64
    pinned = declare(
        monkeypatch,
        images="pinned",
        services={"xiaohongshu": {"image": digest}},
        gatewayImage=digest,
        frontImage=digest,
        hubImage=digest,
        imagesInterface=INTERFACE,
    )
    assert pinned.inputs("RemoteImage") == {}
    assert pinned.inputs("Container")["xiaohongshu-server"]["image"] == digest


def test_one_changed_setting_changes_only_that_services_container(monkeypatch: pytest.MonkeyPatch) -> None:
    before = declare(monkeypatch, profiles=["dev"])
    after = declare(monkeypatch, profiles=["dev"], services={"template": {"environment": {"GREETING": "hi"}}})
    changed = [old.name for old, new in zip(ordered(before), ordered(after), strict=True) if old.inputs != new.inputs]
    assert changed == ["template-server"]


def ordered(recorder: Recorder) -> list[pulumi.runtime.MockResourceArgs]:
    return sorted(recorder.resources, key=lambda item: (item.typ, item.name))


def test_a_wrong_setting_stops_the_program_with_a_message_and_no_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match="Pulumi.dev.yaml: gateway: .*host name"):
        declare(monkeypatch, gateway={"serverNames": ["bad name"]})


def test_networks_have_ranges_of_their_own_where_there_is_a_pool_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = declare(monkeypatch, profiles=["dev", "cache", "monitoring"], networkPool="10.200.0.0/15")
    networks = fleet.inputs("Network")
    ranges = {name: inputs["ipamConfigs"][0]["subnet"] for name, inputs in networks.items()}
    assert ranges["template-network"] == "10.201.0.64/26"
    assert len(set(ranges.values())) == len(networks) >= 5


def test_without_a_pool_the_engine_chooses_the_ranges(fleet: Recorder) -> None:
    assert not any("ipamConfigs" in inputs for inputs in fleet.inputs("Network").values())


def test_builds_use_the_proxy_and_the_names_of_images_do_not_depend_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = declare(monkeypatch).inputs("RemoteImage")
    monkeypatch.setenv("DYBER_BUILD_PROXY", "http://192.168.1.5:7890")
    proxied = declare(monkeypatch).inputs("RemoteImage")
    for name, image in proxied.items():
        added = set(image["build"]["buildArgs"].items()) - set(plain[name]["build"]["buildArgs"].items())
        assert added == {(key, "http://192.168.1.5:7890") for key in PROXY_ARGUMENTS}, name
        assert image["name"] == plain[name]["name"]
