"""The way back from a restore can be taken again after a kill at any moment, and copies only from what is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.deployment import deployment
from cli.engine import engine, volumes
from cli.engine.engine import EngineError
from cli.recovery import way_back
from cli.recovery.way_back import WayBack
from cli.system.errors import StackError
from cli.terminal.console import Activities
from tests.support import engine_in_words

DATA, OTHER = "dyber-test-a-data", "dyber-test-b-data"


class Killed(BaseException):
    """The process that takes the way back is dead; none of its commands reaches the engine."""


class Engine:
    """Volumes with a text in each, and containers, as Docker treats them. After `commands_left` commands, all others
    raise Killed."""

    def __init__(self) -> None:
        self.volumes: dict[str, str] = {}
        self.containers: dict[str, dict[str, Any]] = {}
        self.helpers: dict[str, list[str]] = {}
        self.commands_left = -1
        self.told: list[str] = []

    def docker(self, *words: str, **_: object) -> str:
        if self.commands_left == 0:
            raise Killed
        self.commands_left -= 1
        self.told.append(" ".join(words))
        name = words[-1]
        match words[:2]:
            case ("volume", "ls"):
                return "\n".join(self.volumes)
            case ("volume", "create"):
                self.volumes.setdefault(name, "")
            case ("volume", "inspect") | ("volume", "rm") if name not in self.volumes:
                raise EngineError(f"no such volume: {name}")
            case ("volume", "rm"):
                del self.volumes[name]
            case ("ps", _):
                return "\n".join(self.containers)
            case ("inspect", _):
                return json.dumps([one for identity, one in self.containers.items() if identity in words])
            case ("create", _):
                mounted = [word.split(":")[0] for before, word in pairwise(words) if before == "--volume"]
                self.helpers[words[2]] = mounted
                for volume in mounted:
                    self.volumes.setdefault(volume, "")  # Docker makes what is not there.
            case ("start", "--attach"):
                source, target = self.helpers[name]
                assert not [one for one in self.containers.values() if one["State"]["Status"] == "running"]
                self.volumes[target] = self.volumes[source]
            case ("start" | "stop", _):
                self.containers[name]["State"]["Status"] = "running" if words[0] == "start" else "exited"
            case ("update", policy):
                self.containers[name]["HostConfig"]["RestartPolicy"] = {"Name": policy.removeprefix("--restart=")}
            case ("rm", _):
                for identity in words[2:]:
                    self.containers.pop(identity, None)
                    self.helpers.pop(identity, None)
        return ""

    def add(self, identity: str, status: str) -> None:
        self.containers[identity] = {
            "Id": identity,
            "Name": f"/{identity}",
            "Config": {"Labels": {"dyber.service": "a", "dyber.deployment": "of-then"}, "Image": "x"},
            "State": {"Status": status},
            "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}},
        }

    def power_cut(self) -> None:
        """The engine starts what is to be started always."""
        for one in self.containers.values():
            if one["HostConfig"]["RestartPolicy"]["Name"] == "always":
                one["State"]["Status"] = "running"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYBER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(deployment, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def restoring(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Engine]:
    """Brings a stack with data into the midst of a restore, and returns its engine."""

    def begin() -> Engine:
        shutil.rmtree(root / deployment.RESTORES, ignore_errors=True)
        found = Engine()
        engine_in_words.use(monkeypatch, found.docker)
        for name, told in {
            "containers": lambda *_, **__: list(found.containers.values()),
            "labelled_networks": lambda *_: [],
        }.items():
            monkeypatch.setattr(engine, name, told)
        monkeypatch.setattr(way_back.data_volumes, "labelled", list)
        monkeypatch.setattr(way_back.auto, "LocalWorkspace", lambda work_dir: SimpleNamespace(list_stacks=list))
        monkeypatch.setattr(way_back, "_pulumi", lambda *_: "")
        (root / "Pulumi.test.yaml").write_text("config: {now: 1}\n")
        found.volumes = {DATA: "mine", OTHER: "also mine"}
        found.add("runs", "running")
        found.add("idle", "exited")
        back = way_back.prepare("test", None, [DATA, OTHER, "dyber-test-new-data"], "of-then")
        with Activities() as display:
            back.begin(display)
        found.volumes |= {DATA: "of then", OTHER: "of then", "dyber-test-new-data": "of then"}
        found.add("new", "running")
        (root / "Pulumi.test.yaml").write_text("config: {then: 1}\n")
        return found

    return begin


def take() -> None:
    for found in way_back.unfinished():
        with Activities() as display:
            found.take(display)


def everything(found: Engine, root: Path) -> tuple[Any, ...]:
    containers = {
        one["Id"]: (one["State"]["Status"], one["HostConfig"]["RestartPolicy"]["Name"])
        for one in found.containers.values()
    }
    return found.volumes, containers, (root / "Pulumi.test.yaml").read_text()


BEFORE = (
    {DATA: "mine", OTHER: "also mine"},
    {"runs": ("running", "always"), "idle": ("exited", "always")},
    "config: {now: 1}\n",
)


def test_a_kill_after_any_command_of_the_way_back_loses_no_data(restoring: Callable[[], Engine], root: Path) -> None:
    for commands in range(1, 200):
        found = restoring()
        found.commands_left = commands
        try:
            take()
        except Killed:
            found.commands_left = -1
            take()
        else:
            break
        assert everything(found, root) == BEFORE, commands
        assert way_back.unfinished() == []
    assert commands > 20 and everything(found, root) == BEFORE


def test_after_a_power_cut_nothing_writes_into_the_data_while_it_is_put_back(
    restoring: Callable[[], Engine], root: Path
) -> None:
    found = restoring()
    found.containers["runs"]["HostConfig"]["RestartPolicy"]["Name"] = "always"  # as in a journal of another version
    found.power_cut()
    take()  # The engine's copying asserts that nothing runs.
    assert found.volumes == BEFORE[0]


def test_the_engine_starts_nothing_by_itself_while_a_restore_is_under_way(restoring: Callable[[], Engine]) -> None:
    found = restoring()
    found.power_cut()
    running = [one["Id"] for one in found.containers.values() if one["State"]["Status"] == "running"]
    assert running == ["new"]


def test_a_limited_number_of_restarts_is_kept() -> None:
    policies = [None, {"Name": "no"}, {"Name": "always", "MaximumRetryCount": 0},
                {"Name": "on-failure", "MaximumRetryCount": 3}]  # fmt: skip
    found = [way_back._restart_policy({"HostConfig": {"RestartPolicy": policy}}) for policy in policies]
    assert found == ["no", "no", "always", "on-failure:3"]


def test_a_journal_that_cannot_be_removed_is_told_and_the_data_stays(
    restoring: Callable[[], Engine], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = restoring()
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == deployment.JOURNAL:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched, pytest.raises(StackError, match=deployment.JOURNAL):
        patched.setattr(Path, "unlink", refuse)
        take()
    assert [back.phase for back in way_back.unfinished()] == ["back"]
    take()
    assert everything(found, root) == BEFORE


def test_a_volume_is_never_replaced_by_what_is_not_there(restoring: Callable[[], Engine]) -> None:
    found = restoring()
    with pytest.raises(EngineError, match="no such volume"):
        volumes.replicate("gone", DATA)
    assert found.volumes[DATA] == "of then" and "gone" not in found.volumes


def test_a_journal_of_an_earlier_version_can_be_read(restoring: Callable[[], Engine]) -> None:
    restoring()
    (back,) = way_back.unfinished()
    file = back.folder / deployment.JOURNAL
    content = json.loads(file.read_text())
    del content["restarts"]
    file.write_text(json.dumps(content))
    (found,) = way_back.unfinished()
    assert isinstance(found, WayBack) and found.restarts == {}
