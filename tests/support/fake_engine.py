"""Stands in for an engine and for the client of Docker's SDK that asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from cli.engine import engine
from cli.engine.errors import EngineError, NotOnEngine


class Killed(BaseException):
    """The process that uses the engine was killed, so no further request reaches it."""


class FakeEngine:
    """Keeps containers, and volumes with a text as their content, and treats them as Docker does.

    `changes` are the requests that change something, such as `start front`. A change that contains the text `failing`
    is refused. After `requests_left` requests, each further one raises Killed.
    """

    def __init__(self) -> None:
        self.volume_contents: dict[str, str] = {}
        self.descriptions: dict[str, dict[str, Any]] = {}
        self.copies: dict[str, tuple[str, str]] = {}
        self.changes: list[str] = []
        self.failing = ""
        self.requests_left = -1
        self.data_folder = ""

    def add(self, identity: str, status: str = "running", **more: Any) -> None:
        """Add a container of the service a in the stack test."""
        self.descriptions[identity] = {
            "Id": identity,
            "Name": f"/{identity}",
            "Config": {"Labels": {"dyber.service": "a", "dyber.deployment": "of-then"}, "Image": "x"},
            "State": {"Status": status},
            "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}},
            **more,
        }

    def changes_by(self, method: str) -> list[str]:
        """Return the changes that a method of the client made."""
        return [change for change in self.changes if change.split()[0] == method]

    def cut_power(self) -> None:
        """Start again as an engine does after a power cut: with the containers whose policy is `always`."""
        for container in self.descriptions.values():
            if container["HostConfig"]["RestartPolicy"]["Name"] == "always":
                container["State"]["Status"] = "running"

    # -- the client's methods ------------------------------------------------------------------------------------------

    def containers(self, all: bool = False, filters: object = None) -> list[dict[str, Any]]:
        self._receive()
        return [{"Id": identity, "Names": [f"/{identity}"]} for identity in self.descriptions]

    def networks(self, filters: object = None) -> list[dict[str, Any]]:
        self._receive()
        return []

    def volumes(self, filters: object = None) -> dict[str, Any]:
        self._receive()
        return {"Volumes": [{"Name": name, "Labels": None} for name in self.volume_contents]}

    def info(self) -> dict[str, Any]:
        self._receive()
        return {"DockerRootDir": self.data_folder}

    def inspect_container(self, container: str) -> dict[str, Any]:
        self._receive()
        if container not in self.descriptions:
            raise NotOnEngine(f"No such container: {container}")
        return self.descriptions[container]

    def inspect_volume(self, volume: str) -> dict[str, Any]:
        self._receive()
        if volume not in self.volume_contents:
            raise NotOnEngine(f"no such volume: {volume}")
        return {"Name": volume, "Labels": None}

    def create_volume(self, volume: str, labels: Mapping[str, str]) -> None:
        self.record("create_volume", volume)
        self.volume_contents.setdefault(volume, "")

    def create_host_config(self, **options: Any) -> dict[str, Any]:
        return options

    def create_container(self, image: str, command: Sequence[str], name: str, host_config: Any, **_: Any) -> None:
        self.record("create_container", name)
        source, target = (mount.split(":")[0] for mount in host_config["binds"])
        self.copies[name] = (source, target)
        for volume in (source, target):
            self.volume_contents.setdefault(volume, "")  # Docker creates volumes that it does not have.

    def start(self, container: str) -> None:
        self.record("start", container)
        if container in self.copies:
            assert not [item for item in self.descriptions.values() if item["State"]["Status"] == "running"]
            source, target = self.copies[container]
            self.volume_contents[target] = self.volume_contents[source]
        else:
            self.descriptions[container]["State"]["Status"] = "running"

    def wait(self, container: str, timeout: float) -> dict[str, int]:
        self._receive()
        return {"StatusCode": 0}

    def stop(self, container: str, timeout: float) -> None:
        self.record("stop", container)
        self.descriptions[container]["State"]["Status"] = "exited"

    def update_container(self, container: str, restart_policy: Mapping[str, Any]) -> None:
        self.record("update_container", container)
        self.descriptions[container]["HostConfig"]["RestartPolicy"] = dict(restart_policy)

    def remove_container(self, container: str, v: bool = False, force: bool = False) -> None:
        self.record("remove_container", container)
        self.descriptions.pop(container, None)
        self.copies.pop(container, None)

    def remove_network(self, network: str) -> None:
        self.record("remove_network", network)

    def remove_volume(self, volume: str) -> None:
        self.record("remove_volume", volume)
        if volume not in self.volume_contents:
            raise NotOnEngine(f"no such volume: {volume}")
        del self.volume_contents[volume]

    def record(self, method: str, name: str) -> None:
        """Record a change, or refuse it."""
        self._receive()
        change = f"{method} {name}"
        if self.failing and self.failing in change:
            raise EngineError("no space left on device")
        self.changes.append(change)

    def _receive(self) -> None:
        if self.requests_left == 0:
            raise Killed
        self.requests_left -= 1


def use_engine(monkeypatch: pytest.MonkeyPatch, client: Any) -> None:
    """Let `client` take the place of the SDK's client."""

    def asking(seconds: float | None = None) -> AbstractContextManager[Any]:
        return nullcontext(client)

    monkeypatch.setattr(engine, "asking", asking)
