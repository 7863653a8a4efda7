"""A restore that would harm something, or cannot succeed, is refused before anything changes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.commands.data import restore
from cli.commands.data.restore import Restorable
from cli.engine.stored_data import StoredData
from cli.recovery.backup_file import Manifest
from cli.system.errors import StackError
from infra.parts.data_volumes import LabelledVolume
from infra.schema.problems import ConfigurationError
from tests.support.fake_engine import FakeEngine

REPOSITORY = Path(__file__).resolve().parents[5]
VOLUME = "dyber-test-a-data"
#: Gives the engine the data volume of this stack, with the containers that use it.
GiveVolume = Callable[[str, tuple[str, ...]], None]


def restorable(size: int = 0) -> Restorable:
    manifest = Manifest("test", "2026-01-02 03:04 UTC", {VOLUME: {}}, size)
    return Restorable(manifest, {}, b"", {}, SimpleNamespace(), None)  # type: ignore[arg-type]


@pytest.fixture
def volumes(monkeypatch: pytest.MonkeyPatch, fake_engine: FakeEngine) -> GiveVolume:
    """Gives the engine the volume, with the stack that owns it and the containers that use it."""

    def give(owner: str, users: tuple[str, ...]) -> None:
        monkeypatch.setattr(restore.stored_data, "labelled", lambda: [LabelledVolume(VOLUME, owner, "a")])
        stored = StoredData(VOLUME, owner, "a", size=5e9, users=users)
        monkeypatch.setattr(restore.stored_data, "find", lambda *_: [stored])
        monkeypatch.setattr(restore.stored_data, "users", lambda: {VOLUME: users})
        fake_engine.add("own")

    return give


def test_data_of_another_stack_is_never_replaced(volumes: GiveVolume) -> None:
    volumes("other", ())
    with pytest.raises(StackError, match="other"):
        restore._refuse_foreign_volumes(restorable(), None)


def test_data_that_other_containers_use_is_never_replaced(volumes: GiveVolume) -> None:
    volumes("test", ("own", "foreign"))
    with pytest.raises(StackError, match="foreign"):
        restore._refuse_foreign_volumes(restorable(), "mine")
    volumes("test", ("own",))
    restore._refuse_foreign_volumes(restorable(), "mine")


def test_data_under_another_name_of_the_same_service_is_not_left_in_use(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore.stored_data, "labelled", lambda: [LabelledVolume("dyber-t-e-a-data", "t-e", "a")])
    labels = {"dyber.stack": "t-e", "dyber.service": "a"}
    manifest = Manifest("t-e", "", {"dyber-t--e-a-data": labels})
    with pytest.raises(StackError, match="dyber-t-e-a-data"):
        restore._refuse_foreign_volumes(Restorable(manifest, {}, b"", {}, SimpleNamespace(), None), None)  # type: ignore[arg-type]


def test_a_disk_without_room_for_a_second_copy_is_noticed_first(
    volumes: GiveVolume, fake_engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes("test", ())
    fake_engine.data_folder = str(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=6e9))
    restore._refuse_small_disk(restorable(size=900_000_000))
    with pytest.raises(StackError, match=r"6\.0 GB"):
        restore._refuse_small_disk(restorable(size=2_000_000_000))
    fake_engine.data_folder = "/on/another/machine"
    restore._refuse_small_disk(restorable(size=2_000_000_000))


def test_settings_that_cannot_be_used_here_are_noticed_first(root: Path) -> None:
    shutil.copytree(REPOSITORY / "mcp-servers", root / "mcp-servers")
    with pytest.raises(ConfigurationError, match="nowhere"):
        restore.settings_of("test", {"dyber:services": '{"nowhere": {"cpus": 1}}'}, None)
    values = {"dyber:cache": '{"password": "correct-horse-battery"}'}
    assert restore.settings_of("dev", values, b"LOG_LEVEL=debug\n").log_level == "debug"
    with pytest.raises(ConfigurationError, match=r"\.env\.test: LOG_LEVEL"):
        restore.settings_of("test", values, b"LOG_LEVEL=debug\n")


def test_the_restored_state_makes_containers_and_networks_of_its_own_and_keeps_the_rest() -> None:
    kept = {"urn": "u::deployment", "type": "random:index/randomId:RandomId", "outputs": {"hex": "abc"}}
    volume = {"urn": "u::v", "type": "docker:index/volume:Volume", "dependencies": ["u::n"]}
    gone = [{"urn": "u::c", "type": restore.CONTAINER}, {"urn": "u::n", "type": restore.NETWORK}]
    state = {"deployment": {"resources": [kept, volume, *gone], "pending_operations": [{"resource": gone[0]}]}}
    assert restore.deployment_id(state) == "abc"
    left = restore.without_containers(state)["deployment"]
    assert left["resources"] == [kept, {**volume, "dependencies": []}] and left["pending_operations"] == []


def test_a_backup_of_a_stack_that_was_never_deployed_is_refused() -> None:
    with pytest.raises(StackError):
        restore.deployment_id({"deployment": {}})
