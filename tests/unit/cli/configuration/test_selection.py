"""--dev, --full, --profile and --services change the selection in a stack's file or in `.env`."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.configuration.choices import Choices, apply, selection
from cli.configuration.selection import Selection, SelectionError, changes, with_profiles, with_services
from cli.stack_files.stack_file import StackFile
from cli.system.errors import StackError
from infra.services.catalog import ServiceSpec
from infra.settings.stack import StackSettings, read_overrides


def spec(name: str, port: int, profile: str | None = None) -> ServiceSpec:
    return ServiceSpec(name=name, folder=Path(name), title=name, port=port, package="server", profile=profile)


CATALOG = {
    item.name: item for item in (spec("xiaohongshu", 8001), spec("template", 8002, "dev"), spec("weibo", 8003, "extra"))
}
DEV = Selection(("dev",))


def running(chosen: Selection) -> set[str]:
    return {name for name, item in CATALOG.items() if chosen.runs(item)}


@pytest.mark.parametrize(
    ("choices", "profiles"),
    [
        (Choices(dev=True), ("dev",)),
        (Choices(full=True), ("dev", "cache", "monitoring")),
        (Choices(profile="full"), ("dev", "cache", "monitoring")),
        (Choices(profile="cache"), ("cache",)),
        (Choices(profile="dev,cache,monitoring"), ("dev", "cache", "monitoring")),
        (Choices(profile="extra"), ("extra",)),
    ],
)
def test_a_named_profile_is_switched_on(choices: Choices, profiles: tuple[str, ...]) -> None:
    assert choices.select(Selection(), CATALOG).profiles == profiles


def test_a_profile_is_added_to_those_there_are() -> None:
    assert with_profiles(DEV, ["cache"], CATALOG).profiles == ("dev", "cache")


def test_default_switches_the_earlier_profiles_off() -> None:
    assert with_profiles(Selection(("dev", "cache")), ["default"], CATALOG).profiles == ()
    assert with_profiles(Selection(("dev", "cache")), ["default", "monitoring"], CATALOG).profiles == ("monitoring",)


def test_naming_a_profile_switches_its_services_on_again() -> None:
    off = Selection(("dev",), {"template": False, "xiaohongshu": False})
    assert with_profiles(off, ["dev"], CATALOG).enabled == {"xiaohongshu": False}


def test_services_are_exactly_those_named_with_or_without_their_ending() -> None:
    assert running(with_services(DEV, ["xiaohongshu-mcp", "api-gateway"], CATALOG)) == {"xiaohongshu"}
    assert running(with_services(DEV, ["weibo"], CATALOG)) == {"weibo"}


def test_redis_and_prometheus_are_named_like_services() -> None:
    chosen = with_services(Selection(("dev", "monitoring")), ["template-mcp", "redis-cache"], CATALOG)
    assert chosen.profiles == ("dev", "cache")
    assert running(chosen) == {"template"}


def test_only_what_differs_from_the_profiles_is_written() -> None:
    assert with_services(DEV, ["xiaohongshu", "template"], CATALOG).enabled == {}
    assert with_services(DEV, ["xiaohongshu"], CATALOG).enabled == {"template": False}


def test_all_means_what_the_profiles_say() -> None:
    assert with_services(Selection(("dev",), {"template": False}), ["all"], CATALOG) == DEV


@pytest.mark.parametrize("words", [["api-gateway"], []])
def test_no_service_at_all_is_an_error(words: list[str]) -> None:
    with pytest.raises(SelectionError, match="xiaohongshu-mcp"):
        with_services(DEV, words, CATALOG)


def test_an_unknown_service_is_an_error_with_the_nearest_and_the_known_ones() -> None:
    with pytest.raises(SelectionError, match="template-mcp.*redis-cache, prometheus"):
        with_services(DEV, ["template-mpc"], CATALOG)


def test_an_unknown_profile_is_an_error_naming_the_known_ones() -> None:
    with pytest.raises(SelectionError, match="dev, cache, monitoring, extra, full, default"):
        with_profiles(DEV, ["cahce,"], CATALOG)


def test_each_change_is_one_line() -> None:
    after = Selection(("dev", "cache"), {"template": False})
    assert changes(DEV, after) == ["profiles: [dev] → [dev, cache]", "services.template.enabled: - → false"]
    assert changes(DEV, DEV) == []


def test_a_stack_file_says_what_runs(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text("config:\n  dyber:profiles: [dev]\n  dyber:services:\n    weibo: {enabled: true, cpus: 1}\n")
    assert selection(StackFile(file).values()) == Selection(("dev",), {"weibo": True})


def stack(folder: Path, name: str, text: str, **settings: Any) -> Any:
    """Return a deployment whose stack's file in `folder` has `text`."""
    file = folder / f"Pulumi.{name}.yaml"
    file.write_text(text)
    for one in CATALOG.values():
        service = folder / "mcp-servers" / one.name / "service.yaml"
        service.parent.mkdir(parents=True, exist_ok=True)
        service.touch()
    return SimpleNamespace(file=file, settings=StackSettings(stack=name, **settings))


def effective(folder: Path) -> Selection:
    """Return what runs in the stack dev according to its file and `.env`."""
    content = read_overrides(folder, "dev").over(StackFile(folder / "Pulumi.dev.yaml").values())
    return selection(content)


@pytest.mark.parametrize(
    ("name", "place"), [("dev", ".env"), ("test", "Pulumi.test.yaml")], ids=["of this machine", "reviewed"]
)
def test_no_cache_writes_a_build_number_that_was_not_used_before(tmp_path: Path, name: str, place: str) -> None:
    deployment = stack(tmp_path, name, "# mine\nconfig: {}\n", build={"generation": 3})
    undo = apply(deployment, Choices(no_cache=True), CATALOG)
    content = read_overrides(tmp_path, name).over(StackFile(deployment.file).values())
    assert abs(content["build"]["generation"] - time.time()) < 3600
    assert str(content["build"]["generation"]) in (tmp_path / place).read_text()
    undo()
    assert deployment.file.read_text() == "# mine\nconfig: {}\n"
    assert not (tmp_path / ".env").exists()


def test_pinned_images_are_not_built_anew(tmp_path: Path) -> None:
    deployment = stack(tmp_path, "prod", "config: {}\n", images="pinned")
    with pytest.raises(StackError, match="--no-cache|pinned|摘要"):
        apply(deployment, Choices(no_cache=True), CATALOG)
    assert deployment.file.read_text() == "config: {}\n"


TRACKED = "config:\n  dyber:profiles: [dev]\n"
CHOICES = [
    Choices(full=True),
    Choices(profile="default"),
    Choices(services="xiaohongshu"),
    Choices(services="weibo"),
    Choices(services="template redis-cache"),
    Choices(profile="default,monitoring", services="xiaohongshu template"),
]


@pytest.mark.parametrize("choices", CHOICES, ids=str)
@pytest.mark.parametrize("env", ["", "MONITORING_ENABLED=true\nTEMPLATE_ENABLED=false # mine\n", "PROFILES=default\n"])
def test_what_is_chosen_for_dev_is_written_into_the_env_file_and_the_tracked_file_stays(
    tmp_path: Path, choices: Choices, env: str
) -> None:
    deployment = stack(tmp_path, "dev", TRACKED)
    if env:
        (tmp_path / ".env").write_text(env)
    expected_selection = choices.select(effective(tmp_path), CATALOG)
    undo = apply(deployment, choices, CATALOG)
    assert deployment.file.read_text() == TRACKED
    assert running(effective(tmp_path)) == running(expected_selection)
    assert set(effective(tmp_path).profiles) == set(expected_selection.profiles)
    undo()
    assert (tmp_path / ".env").read_text() == env if env else not (tmp_path / ".env").exists()


def test_a_choice_that_the_stack_file_makes_already_leaves_no_value_in_env(tmp_path: Path) -> None:
    deployment = stack(tmp_path, "dev", TRACKED)
    apply(deployment, Choices(full=True, services="xiaohongshu"), CATALOG)
    apply(deployment, Choices(profile="default,dev", services="all"), CATALOG)
    assert effective(tmp_path) == DEV
    assert [line for line in (tmp_path / ".env").read_text().splitlines() if line[:1] != "#" and line[-1:] != "="] == []


def test_a_choice_for_another_stack_changes_its_reviewed_file(tmp_path: Path) -> None:
    deployment = stack(tmp_path, "test", TRACKED)
    apply(deployment, Choices(full=True), CATALOG)
    assert StackFile(deployment.file).get("profiles") == ["dev", "cache", "monitoring"]
    assert not (tmp_path / ".env.test").exists()
