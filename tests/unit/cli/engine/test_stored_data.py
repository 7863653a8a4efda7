"""Data volumes are described for people, counted as used or unused, and kept where a deployment needs them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cli.deployment import data_owners
from cli.deployment.deployment import Deployment
from cli.engine import engine, stored_data
from cli.engine.errors import EngineError, NotOnEngine
from cli.engine.stored_data import StoredData
from cli.terminal.console import Activities

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
URN = "urn:pulumi:dev::dyber::{}$docker:index/volume:Volume::{}"


def resource(component: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": stored_data.VOLUME, "urn": URN.format(component, name), **more}


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


def test_a_volume_is_described_with_its_service_size_and_age(english: None) -> None:
    item = StoredData("dyber-dev-a-data", "dev", "a", NOW - timedelta(days=12), 1_230_000)
    assert item.description(NOW) == "dyber-dev-a-data (a, 1.2 MB, made 12 days ago)"
    assert StoredData("dyber-dev-a-data", "dev", "a").description(NOW) == "dyber-dev-a-data (a)"


@pytest.mark.parametrize(
    ("hours", "words"), [(0, "less than an hour"), (5, "5 hours"), (47, "47 hours"), (48, "2 days"), (-3, "less than")]
)
def test_an_age_is_given_in_the_unit_that_fits(english: None, hours: int, words: str) -> None:
    assert words in stored_data.age(NOW - timedelta(hours=hours), NOW)


def test_unused_is_what_no_container_mounts_and_no_deployment_needs() -> None:
    used = StoredData("dyber-dev-a-data", "dev", "a", users=("a-server",))
    lacking, idle = StoredData("dyber-dev-b-data", "dev", "b"), StoredData("dyber-dev-c-data", "dev", "c")
    assert stored_data.unused([used, lacking, idle], {"dyber-dev-b-data"}) == [idle]


def test_data_volumes_are_told_from_configurations_and_secrets_in_states_of_every_version() -> None:
    data = [
        resource("dyber:data:DataVolumes", "a-data"),
        resource("dyber:service:McpService", "a-data"),
        resource("dyber:cache:Cache", "cache-data"),
        resource("dyber:monitoring:Monitoring", "monitoring-data"),
    ]
    others = [
        resource("dyber:monitoring:Monitoring", "monitoring-configuration"),
        resource("dyber:service:McpService$dyber:secrets:SecretFiles", "my-data"),
        {"type": "docker:index/network:Network", "urn": URN.format("dyber:service:McpService", "a-data")},
    ]
    assert stored_data.in_state([*data, *others]) == data


def test_in_a_state_of_an_earlier_version_only_data_volumes_are_marked_to_be_kept() -> None:
    old = resource("dyber:service:McpService", "a-data", retainOnDelete=False)
    other = resource("dyber:gateway:Gateway", "gateway-configuration")
    state = {"resources": [old, resource("dyber:data:DataVolumes", "b-data", retainOnDelete=True), other]}
    assert stored_data.retain(state)
    assert old["retainOnDelete"] is True and "retainOnDelete" not in other
    assert not stored_data.retain(state)


def test_a_volume_in_use_is_kept_and_a_missing_one_counts_as_deleted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Client:
        def remove_volume(self, name: str) -> None:
            if name == "used":
                raise EngineError("volume is in use - [abc]")
            if name == "gone":
                raise NotOnEngine("no such volume")

    monkeypatch.setattr(engine, "asking", lambda: nullcontext(Client()))
    volumes = [StoredData(name, "dev", "a") for name in ("used", "gone", "there")]
    assert stored_data.delete(volumes) == ["gone", "there"]
    assert "used" in capsys.readouterr().err


def labels(stack: str, service: str) -> dict[str, str]:
    return {"dyber.project": "dyber", "dyber.stack": stack, "dyber.service": service}


def test_a_volume_is_joined_with_its_size_and_its_users(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"dev": "dyber-dev-a-data", "gone": "dyber-gone-a-data"}
    described = [
        {"Name": names["dev"], "Labels": labels("dev", "a"), "CreatedAt": "2026-03-01T00:00:00Z"},
        {"Name": names["gone"], "Labels": labels("gone", "a")},
        {"Name": "x-configuration-1", "Labels": labels("dev", "x")},
    ]
    monkeypatch.setattr(engine, "volumes", lambda *filters: described)
    monkeypatch.setattr(engine, "volume_sizes", lambda: {names["dev"]: 1_500_000})
    mounts = [{"Type": "volume", "Name": names["dev"]}, {"Type": "bind"}, {"Type": "volume", "Name": "other"}]
    listed = [{"Names": ["/a-server-1"], "Mounts": mounts}, {"Names": ["/b"], "Mounts": []}]
    monkeypatch.setattr(engine, "listed_containers", lambda *filters: listed)
    used, idle = stored_data.find()
    assert used == StoredData(names["dev"], "dev", "a", datetime(2026, 3, 1, tzinfo=UTC), 1.5e6, ("a-server-1",))
    assert (idle.name, idle.size, idle.created, idle.users) == (names["gone"], None, None, ())
    assert [item.name for item in stored_data.find("gone")] == [names["gone"]]
    (finding,) = stored_data.findings()
    assert finding.ok and names["gone"] in finding.version
    assert finding.advice.endswith("./deploy.sh clean --unused-data -s gone")


@pytest.mark.parametrize("retained", [True, False])
def test_the_first_deployment_from_a_state_of_an_earlier_version_deletes_no_data_that_is_not_declared(
    monkeypatch: pytest.MonkeyPatch, retained: bool
) -> None:
    done: list[str] = []

    def handed_over(*_: Any) -> AbstractContextManager[None]:
        done.append("give to their users")
        return nullcontext()

    monkeypatch.setattr(data_owners, "handed_over", handed_over)
    state = {"resources": [resource("dyber:service:McpService", "a-data", retainOnDelete=retained)]}

    class Stack:
        name = "dev"
        workspace = SimpleNamespace()

        def export_stack(self) -> SimpleNamespace:
            return SimpleNamespace(version=3, deployment=state)

        def import_stack(self, changed: Any) -> None:
            assert changed.deployment["resources"][0]["retainOnDelete"] is True
            done.append("import")

        def up(self, **_: Any) -> SimpleNamespace:
            done.append("up")
            return SimpleNamespace(outputs={}, summary=SimpleNamespace(resource_changes={}))

    deployment = Deployment(Stack(), SimpleNamespace())  # type: ignore[arg-type]
    with Activities() as display:
        deployment.up(display)
    assert done == ([] if retained else ["import"]) + ["give to their users", "up"]
