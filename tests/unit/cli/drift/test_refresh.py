"""An update refreshes the state first just where the engine differs from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cli.drift.present import Present
from cli.drift.refresh import needed
from cli.engine.resource_types import CONTAINER, IMAGE, NETWORK, VOLUME

LABELS = [{"label": "dyber.project", "value": "dyber"}, {"label": "dyber.stack", "value": "dev"}]


def resources() -> list[dict[str, Any]]:
    limits = {"memory": 256, "memorySwap": 256, "cpus": "0.5", "restart": "always", "cpuShares": 0}
    return [
        {"type": "pulumi:pulumi:Stack", "id": "", "outputs": {}},
        {"type": CONTAINER, "id": "server", "inputs": {}, "outputs": {"mustRun": True, **limits}},
        {"type": CONTAINER, "id": "loader", "inputs": {}, "outputs": {"mustRun": False, "restart": "no"}},
        {"type": NETWORK, "id": "net", "inputs": {}, "outputs": {}},
        {"type": VOLUME, "id": "dev-data", "inputs": {}, "outputs": {"labels": LABELS}},
        {"type": IMAGE, "id": "image", "inputs": {"name": "dyber-template:1"}, "outputs": {"imageId": "sha256:a"}},
    ]


def present() -> dict[str, Any]:
    server = {
        "Memory": 256 * 1024**2,
        "MemorySwap": 256 * 1024**2,
        "NanoCpus": 500_000_000,
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
    }
    return {
        "containers": {
            "server": {"State": {"Running": True}, "HostConfig": server},
            "loader": {"State": {"Running": False}, "HostConfig": {"RestartPolicy": {"Name": "no"}}},
        },
        "networks": {"net": "dev-net"},
        "volumes": {"dev-data": {"dyber.project": "dyber", "dyber.stack": "dev"}},
        "images": {"dyber-template:1": "sha256:a"},
    }


def test_an_engine_that_has_everything_needs_no_refresh():
    assert not needed(resources(), Present(**present()))


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a container is gone": lambda engine: engine["containers"].pop("server"),
    "a container that ran once is gone": lambda engine: engine["containers"].pop("loader"),
    "a container has stopped": lambda engine: engine["containers"]["server"]["State"].update(Running=False),
    "a container may use more memory": lambda engine: engine["containers"]["server"]["HostConfig"].update(Memory=2**31),
    "a container may use more of the processors": lambda engine: engine["containers"]["server"]["HostConfig"].update(
        NanoCpus=2 * 10**9
    ),
    "a container is bound to a processor": lambda engine: engine["containers"]["server"]["HostConfig"].update(
        CpusetCpus="0"
    ),
    "a container does not restart any more": lambda engine: engine["containers"]["server"]["HostConfig"].update(
        RestartPolicy={"Name": "no"}
    ),
    "a network is gone": lambda engine: engine["networks"].clear(),
    "a volume is gone": lambda engine: engine["volumes"].clear(),
    "a volume was made by somebody else": lambda engine: engine["volumes"].update({"dev-data": {}}),
    "an image is gone": lambda engine: engine["images"].clear(),
    "an image's name means another image": lambda engine: engine["images"].update({"dyber-template:1": "sha256:b"}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_refresh_is_needed_where(change: Callable[[dict[str, Any]], Any]):
    engine = present()
    change(engine)
    assert needed(resources(), Present(**engine))


def test_a_kind_of_resource_that_nobody_compares_here_is_refreshed():
    assert needed([{"type": "docker:index/service:Service", "id": "x"}], Present({}, {}, {}, {}))
