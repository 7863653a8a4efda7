"""No two services share a data volume, none that the engine has is left undeclared, and none is ever deleted."""

from __future__ import annotations

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.parts import data_volumes
from infra.parts.data_volumes import LabelledVolume, declared, of_stack, volume_name
from infra.schema.problems import ConfigurationError
from tests.unit.infra.test_program import Recorder, declare, described

STACKS = st.from_regex(r"[a-c][a-c0-9-]{0,6}", fullmatch=True)
SERVICES = st.from_regex(r"[a-c][a-c0-9-]{0,6}", fullmatch=True)


def volume(stack: str, service: str, name: str | None = None) -> LabelledVolume:
    return LabelledVolume(name or volume_name(stack, service), stack, service)


@pytest.mark.parametrize("stack", ["dev", "test", "prod"])
def test_a_stack_without_hyphens_has_the_names_it_always_had(stack: str) -> None:
    assert volume_name(stack, "a-b") == f"dyber-{stack}-a-b-data"


@given(STACKS, SERVICES, STACKS, SERVICES)
def test_two_services_have_two_names(stack: str, service: str, other_stack: str, other: str) -> None:
    same = (stack, service) == (other_stack, other)
    assert (volume_name(stack, service) == volume_name(other_stack, other)) is same


def test_all_pairs_that_one_text_can_be_split_into_have_different_names() -> None:
    parts = "a-b--c-d".split("-")
    splits = [("-".join(parts[:cut]), "-".join(parts[cut:])) for cut in range(1, len(parts))]
    names = {volume_name(stack, service) for stack, service in splits if stack and service[:1].isalpha()}
    assert len(names) == len([split for split in splits if split[1][:1].isalpha()])


def test_a_volume_with_an_older_name_is_still_used_by_the_stack_that_its_labels_name() -> None:
    present = [volume("dev-a", "b", "dyber-dev-a-b-data")]
    assert declared("dev-a", {"b"}, present) == {"b": "dyber-dev-a-b-data"}
    assert declared("dev-a", {"b"}, []) == {"b": "dyber-dev--a-b-data"}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_volumes_of_a_service_the_older_one_is_used(order: int) -> None:
    present = [volume("dev-a", "b", "dyber-dev-a-b-data"), volume("dev-a", "b")][::order]
    assert of_stack("dev-a", present) == {"b": "dyber-dev-a-b-data"}


def test_the_data_of_another_stack_is_never_used() -> None:
    present = [volume("dev-a", "b", "dyber-dev-a-b-data")]
    with pytest.raises(ConfigurationError, match="dyber-dev-a-b-data") as refused:
        declared("dev", {"a-b"}, present)
    assert "./deploy.sh clean -s dev-a" in str(refused.value)


def test_a_volume_without_labels_under_the_name_is_taken_over() -> None:
    assert declared("dev", {"a"}, [LabelledVolume("dyber-dev-a-data", "", "")]) == {"a": "dyber-dev-a-data"}


def test_volumes_with_configurations_or_secrets_are_no_data() -> None:
    others = {"gateway": "dyber-dev-gateway-configuration-1a2b3c", "a-secrets": "dyber-dev-a-secrets-1a2b3c"}
    present = [volume("dev", service, name) for service, name in others.items()]
    assert declared("dev", set(), present) == {}


def test_volumes_that_nothing_uses_now_are_declared_too() -> None:
    present = [volume("dev", "gone"), volume("test", "other")]
    assert declared("dev", {"a"}, present) == {"a": "dyber-dev-a-data", "gone": "dyber-dev-gone-data"}


def unlabelled(name: str) -> dict[str, object]:
    return {"Name": name, "Labels": None}


def test_the_engines_description_of_volumes_is_read() -> None:
    incomplete = {"Name": "plain", "Labels": {"dyber.project": "dyber"}}
    foreign = {"Name": "foreign", "Labels": {"dyber.project": "other"}}
    volumes = [described(LabelledVolume("x", "dev", "a")), incomplete, foreign, unlabelled("y")]
    assert data_volumes.labelled(volumes) == [LabelledVolume("x", "dev", "a"), LabelledVolume("plain", "", "")]


def test_a_volume_made_by_hand_under_the_name_is_declared_though_its_service_is_switched_off() -> None:
    volumes = [
        described(LabelledVolume("dyber-t-e-old-data", "t-e", "old")),
        unlabelled("dyber-t--e-hand-made-data"),
        unlabelled("dyber-t--e--other-data"),  # of a stack t-e-
        unlabelled("mydyber-t--e-a-data"),
        unlabelled("dyber-t--e-a-data-2"),
        described(LabelledVolume("dyber-t--e-labelled-data", "x", "y")),
    ]
    found = declared("t-e", set(), data_volumes.present_for("t-e", volumes))
    assert found == {"hand-made": "dyber-t--e-hand-made-data", "old": "dyber-t-e-old-data"}


def options(monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]) -> dict[str, pulumi.ResourceOptions]:
    """The options with which the program declares its volumes, by logical name."""
    import pulumi_docker as docker

    seen: dict[str, pulumi.ResourceOptions] = {}
    original = docker.Volume.__init__

    def init(self: docker.Volume, resource_name: str, *args: object, **kwargs: object) -> None:
        seen[resource_name] = kwargs["opts"]  # type: ignore[assignment]
        original(self, resource_name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(docker.Volume, "__init__", init)
    declare(monkeypatch, **settings)  # type: ignore[arg-type]
    return seen


@pytest.mark.parametrize("retention", ["keep", "delete"])
@pytest.mark.parametrize("profiles", [[], ["dev", "cache", "monitoring"]], ids=["few", "all"])
def test_pulumi_never_deletes_a_data_volume(
    monkeypatch: pytest.MonkeyPatch, retention: str, profiles: list[str]
) -> None:
    settings = {"dataRetention": retention, "profiles": profiles, "volumes": [volume("dev", "gone")]}
    data = {name: item for name, item in options(monkeypatch, settings).items() if name.endswith("-data")}
    assert {"gone-data", "xiaohongshu-data"} <= set(data)
    assert all(item.retain_on_delete for item in data.values())


def test_a_volume_in_a_state_of_an_earlier_version_is_found_under_its_former_component(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declared_options = options(monkeypatch, {"profiles": ["dev", "cache", "monitoring"]})
    aliases = {name: item.aliases for name, item in declared_options.items() if item.aliases}
    assert {name: alias.parent for name, (alias,) in aliases.items()} == {  # type: ignore[misc,union-attr]
        "xiaohongshu-data": "urn:pulumi:dev::dyber::dyber:service:McpService::xiaohongshu",
        "cache-data": "urn:pulumi:dev::dyber::dyber:cache:Cache::cache",
        "monitoring-data": "urn:pulumi:dev::dyber::dyber:monitoring:Monitoring::monitoring",
    }


@pytest.mark.parametrize("settings", [{}, {"services": {"template": {"enabled": True}}}], ids=["off", "on"])
def test_switching_a_service_off_and_on_leaves_its_volume_declared(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    declared_now: Recorder = declare(monkeypatch, {"data": True}, volumes=[volume("dev", "template")], **settings)
    assert declared_now.inputs("Volume")["template-data"]["name"] == "dyber-dev-template-data"
