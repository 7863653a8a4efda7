"""How an engine differs from a state, one way at a time, and how that is told."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from cli.drift.differences import Difference, deliveries, refreshed, unfinished, unseen
from cli.drift.report import MARKER, Report, as_json, as_record, markdown, table

SERVER = "urn:pulumi:test::dyber::dyber:service:McpService$docker:index/container:Container::template-server"
LOADER = "urn:pulumi:test::dyber::dyber:gateway:Gateway$docker:index/container:Container::gateway-loader"
IMAGE = "urn:pulumi:test::dyber::dyber:image:BuiltImage$docker:index/remoteImage:RemoteImage::template-image"
NETWORK = "urn:pulumi:test::dyber::dyber:service:McpService$docker:index/network:Network::template-network"
RESOURCES: list[dict[str, Any]] = [
    {
        "urn": SERVER,
        "type": "docker:index/container:Container",
        "id": "c1",
        "inputs": {
            "name": "dyber-test-template-server-1",
            "envs": ["PORT=8002", "API_TOKEN=abc"],
            "labels": [{"label": "dyber.stack", "value": "test"}],
            "mounts": [{"source": "dyber-test-template-data", "target": "/data", "type": "volume", "readOnly": True}],
            "networksAdvanced": [{"name": "net-1", "aliases": ["template-mcp"]}],
        },
    },
    {
        "urn": IMAGE,
        "type": "docker:index/remoteImage:RemoteImage",
        "id": "sha256:adyber-template:1",
        "inputs": {"name": "dyber-template:1"},
        "outputs": {"imageId": "sha256:a"},
    },
    {"urn": NETWORK, "type": "docker:index/network:Network", "id": "n1", "inputs": {"name": "net-1"}},
]
CONTAINER: dict[str, Any] = {
    "Id": "c1",
    "Name": "/dyber-test-template-server-1",
    "State": {"Status": "running"},
    "Config": {
        "Env": ["API_TOKEN=abc", "PORT=8002", "PATH=/bin"],
        "Labels": {"dyber.stack": "test", "dyber.base": "of the image"},
    },
    "Mounts": [
        {"Name": "dyber-test-template-data", "Source": "/var/lib/docker/x", "Destination": "/data", "RW": False}
    ],
    "NetworkSettings": {"Networks": {"net-1": {"Aliases": ["template-mcp", "c1"]}}},
}
NETWORKS = {"n1": "net-1"}
IMAGES = {"dyber-template:1": "sha256:a", "somebody:latest": "sha256:z"}


def look(change: Callable[[dict[str, Any]], object] | None = None) -> list[Difference]:
    container = copy.deepcopy(CONTAINER)
    if change:
        change(container)
    return unseen(RESOURCES, [container], NETWORKS, IMAGES)


def test_what_is_as_it_was_deployed_is_no_drift() -> None:
    assert look() == []


@pytest.mark.parametrize(
    ("change", "condition", "details"),
    [
        (lambda it: it["State"].update(Status="paused"), "paused", ""),
        (lambda it: it.update(Name="/mine"), "renamed", "`dyber-test-template-server-1` → `mine`"),
        (lambda it: it["NetworkSettings"].update(Networks={}), "disconnected", "`net-1`"),
        (lambda it: it["NetworkSettings"]["Networks"]["net-1"].update(Aliases=None), "disconnected", "`net-1`"),
        (lambda it: it["NetworkSettings"]["Networks"].update(other={}), "connected", "`other`"),
        (lambda it: it["Config"]["Env"].remove("PORT=8002"), "changed", "`envs`: − `PORT=8002`"),
        (lambda it: it["Config"]["Labels"].update({"dyber.stack": "x"}), "changed", "`labels`: "),
        (lambda it: it["Mounts"][0].update(RW=True), "changed", "`mounts`: − `dyber-test-template-data:/data:ro`"),
        (lambda it: it.update(Id="c2"), "unknown", ""),
    ],
)
def test_what_the_providers_do_not_see_is_found(
    change: Callable[[dict[str, Any]], object], condition: str, details: str
) -> None:
    (found,) = look(change)
    assert found.condition == condition
    assert found.details.startswith(details)
    assert found.name == ("dyber-test-template-server-1" if condition == "unknown" else "template-server")


def test_the_value_of_a_variable_that_is_secret_is_not_told() -> None:
    (found,) = look(lambda it: it["Config"].update(Env=["API_TOKEN=xyz", "PORT=8002"]))
    assert "API_TOKEN" in found.details
    assert "abc" not in found.details and "xyz" not in found.details


def test_a_network_that_is_gone_is_told_once_by_the_refresh() -> None:
    container = {**CONTAINER, "NetworkSettings": {"Networks": {}}}
    assert unseen(RESOURCES, [container], {}, IMAGES) == []


def test_a_network_that_the_state_does_not_know_is_found() -> None:
    (found,) = unseen(RESOURCES, [CONTAINER], {**NETWORKS, "n2": "net-2"}, IMAGES)
    assert (found.condition, found.kind, found.name) == ("unknown", "Network", "net-2")


def test_an_image_whose_name_means_another_one_is_found_and_one_that_is_gone_is_told_by_the_refresh() -> None:
    (found,) = unseen(RESOURCES, [CONTAINER], NETWORKS, {**IMAGES, "dyber-template:1": "sha256:b"})
    assert (found.condition, found.kind, found.urn) == ("changed", "RemoteImage", IMAGE)
    assert found.details == "`imageId`: `sha256:a` → `sha256:b`"
    assert unseen(RESOURCES, [CONTAINER], NETWORKS, {}) == []


def test_what_waits_for_its_deletion_is_neither_drift_nor_unknown() -> None:
    going = [{**RESOURCES[0], "delete": True}, *RESOURCES[1:]]
    assert unseen(going, [{**CONTAINER, "State": {"Status": "paused"}}], NETWORKS, IMAGES) == []


def outcome(op: str, reasons: list[str] | None = None, **after: Any) -> dict[str, Any]:
    before = {"memory": 256, "mustRun": True, "ports": [{"external": 80}], "name": "a"}
    return {
        "op": op,
        "urn": SERVER,
        "diffReasons": reasons,
        "oldState": {"inputs": before},
        "newState": {"inputs": {**before, **after}} if op != "delete" else None,
    }


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (outcome("delete"), [("gone", "")]),
        (outcome("same"), []),
        (outcome("update"), []),  # what only was read anew
        (outcome("update", ["memory"], memory=300), [("changed", "`memory`: `256` → `300`")]),
        (outcome("update", ["mustRun", "ports"], mustRun=False, ports=[]), [("stopped", "")]),
        (outcome("update", ["name"], name="b"), []),  # looked at directly
    ],
)
def test_what_a_refresh_finds_is_told_by_what_happened(item: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(found.condition, found.details) for found in refreshed([item])] == expected


def test_an_operation_that_a_killed_run_had_begun_is_told() -> None:
    (found,) = unfinished({"pending_operations": [{"type": "creating", "resource": {"urn": SERVER}}]})
    assert (found.condition, found.name) == ("unfinished", "template-server")


def test_files_that_were_delivered_are_compared_with_those_that_are_there() -> None:
    loader = {
        "urn": LOADER,
        "type": "docker:index/container:Container",
        "id": "loader",
        "inputs": {
            "pidMode": "container:gateway",
            "command": ["/usr/local/bin/apply-config", "/staging"],
            "mounts": [{"target": "/etc/dyber"}],
            "uploads": [{"file": "/staging/njs/a.json", "content": "{}"}, {"file": "/staging/b.conf", "content": "b"}],
        },
    }
    refused = {**loader, "outputs": {"exitCode": 2}}
    assert deliveries([*RESOURCES, refused]) == []
    (delivery,) = deliveries([*RESOURCES, loader])
    assert (delivery.loader, delivery.staging, delivery.folder) == ("loader", "/staging", "/etc/dyber/current")
    files = {"njs/a.json": hashlib.sha256(b"{}").hexdigest(), "b.conf": hashlib.sha256(b"b").hexdigest()}
    assert delivery.compare(files) is None
    found = delivery.compare({**files, "b.conf": "other", "c.conf": "more"})
    assert found is not None
    assert (found.condition, found.container, found.details) == ("files", "loader", "`b.conf`, `c.conf`")


REPORT = Report("test", [Difference("changed", "Container", "template-server", "`memory`: `256` → `300`")])


@pytest.mark.parametrize(("language", "words"), [("zh", "被改动: memory: 256 → 300"), ("en", "changed: memory: 256 →")])
def test_the_table_says_in_one_line_what_differs_and_the_way_back(
    language: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYBER_LANG", language)
    Console(width=200).print(table(REPORT))
    (line,) = capsys.readouterr().out.splitlines()
    assert "template-server" in line and words in line and "./deploy.sh -s test" in line


def test_a_volume_that_is_gone_comes_back_empty_and_the_table_says_where_data_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    (entry,) = as_json([Report("dev", [Difference("gone", "Volume", "xiaohongshu-data")])])["stacks"]
    assert entry["differences"][0]["way_back"] == "./deploy.sh (empty; its data: ./deploy.sh restore)"


def test_programs_get_the_same_as_json() -> None:
    document = as_json([REPORT, Report("prod", error="not deployed", next_step="deploy it")])
    assert json.loads(json.dumps(document)) == document
    assert document["drift"] == 1
    assert [entry["error"] for entry in document["stacks"]] == [None, "not deployed"]


def test_the_issue_names_every_stack_and_fits_into_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    text = markdown([REPORT, Report("prod"), Report("dev", error="in use", next_step="wait")])
    assert text.splitlines()[0] == MARKER
    assert "### test: 1 to put back" in text and "### prod: no drift" in text and "in use" in text
    long = Report("test", [REPORT.differences[0]] * 5000)
    assert len(markdown([long])) <= 65_536


def test_the_consoles_record_has_each_difference_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    gone = Difference("gone", "Container", "template-server")
    changed = Difference("changed", "Container", "weibo-server", "memory: `256` → `512`")
    entry = as_record(Report("test", [gone, changed]))
    assert (entry["kind"], [each["resource"] for each in entry["differences"]]) == (
        "drift",
        ["template-server", "weibo-server"],
    )
    assert [each["details"] for each in entry["differences"]] == ["gone", "changed: memory: 256 → 512"]
    assert entry["differences"][0]["way_back"] == "./deploy.sh -s test"
    assert as_record(Report("test"))["differences"] == []
