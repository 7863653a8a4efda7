"""`remove-service`: says what goes, asks, loses nothing, and keeps the data unless told otherwise."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from stack.catalog import load_catalog

from cli.app import app
from cli.services import commands, removal

REPOSITORY = Path(__file__).resolve().parents[3]
Dyber = Callable[..., int]
SHOWN_VOLUME = "dyber-dev-weibo-data"


def state(retain: bool = False) -> dict[str, Any]:
    """What Pulumi keeps of a stack with two services that have data."""
    resources = []
    for service in ("weibo", "zhihu"):
        parent = f"urn:pulumi:dev::dyber::dyber:service:McpService::{service}"
        for kind, name in (
            (removal.VOLUME, f"dyber-dev-{service}-data"),
            (removal.CONTAINER, f"dyber-dev-{service}-server-1"),
        ):
            resources.append({"type": kind, "parent": parent, "outputs": {"name": name}, "retainOnDelete": retain})
    return {"resources": resources}


class FakeStack:
    """Keeps a state as Pulumi's automation stack does."""

    def __init__(self, name: str, deployment: dict[str, Any]) -> None:
        self.name, self.deployment, self.imports = name, deployment, 0

    def export_stack(self) -> SimpleNamespace:
        return SimpleNamespace(deployment=json.loads(json.dumps(self.deployment)))

    def import_stack(self, exported: SimpleNamespace) -> None:
        self.deployment, self.imports = exported.deployment, self.imports + 1

    def retained(self) -> dict[str, bool]:
        return {
            resource["outputs"]["name"]: resource["retainOnDelete"]
            for resource in self.deployment["resources"]
            if resource["type"] == removal.VOLUME
        }


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the services weibo and template, and one stack."""
    for number, name in enumerate(("template", "weibo")):
        package = tmp_path / "mcp-servers" / name / f"{name}_server"
        package.mkdir(parents=True)
        (package / "__main__.py").write_text("")
        profile = "profile: dev\n" if name == "template" else ""
        text = f"title: x\nport: {8002 + number}\npackage: {name}_server\n{profile}"
        (package.parent / "service.yaml").write_text(text)
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  dyber:profiles: [dev]\n")
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    monkeypatch.setattr(commands, "SERVERS", tmp_path / "mcp-servers")
    monkeypatch.setattr(commands, "activate", lambda home: None)
    monkeypatch.setenv("DYBER_LANG", "zh")
    return tmp_path


def test_a_services_secrets_are_no_data_to_keep() -> None:
    found = state()
    component = "urn:pulumi:dev::dyber::dyber:service:McpService$dyber:secrets:SecretFiles::weibo-secrets"
    secrets = {"type": removal.VOLUME, "parent": component, "outputs": {"name": "x"}, "retainOnDelete": False}
    found["resources"].append(secrets)
    assert removal.retain_volumes(found, "weibo", keep=True)
    assert [volume["retainOnDelete"] for volume in found["resources"] if volume["type"] == removal.VOLUME] == [
        True, False, False,
    ]  # fmt: skip


def test_a_stack_that_gives_a_secret_to_the_service_is_named(tmp_path: Path) -> None:
    secrets = "{secrets: {API_KEY: {secure: v1:abc}}}"
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  dyber:services: {{template: {secrets}}}\n")
    catalog = load_catalog(REPOSITORY / "mcp-servers")
    template = catalog["template"].model_copy(update={"secrets": {"API_KEY": "required"}})
    other = template.model_copy(update={"name": "weibo", "profile": None, "secrets": {}})
    (problem,) = removal.broken_settings(tmp_path, {"template": template, "weibo": other}, "template")
    assert problem.startswith("Pulumi.dev.yaml: services.template: 没有这个服务")


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeStack]:
    """The deployed stacks: dev deletes data, prod keeps it."""
    found = {"dev": FakeStack("dev", state()), "prod": FakeStack("prod", state(retain=True))}

    def deployed(service: str) -> list[removal.Deployed]:
        return [
            removal.Deployed(
                stack,  # type: ignore[arg-type]
                (f"dyber-{name}-{service}-server-1",),
                (f"dyber-{name}-{service}-data",),
            )
            for name, stack in found.items()
        ]

    monkeypatch.setattr(removal, "deployed", deployed)
    return found


@pytest.fixture
def dyber(repository: Path, stacks: dict[str, FakeStack], monkeypatch: pytest.MonkeyPatch) -> Dyber:
    def run(*arguments: str, answers: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(answers))
        return int(typer.main.get_command(app)(["remove-service", *arguments], standalone_mode=False) or 0)

    return run


def kept(repository: Path) -> list[Path]:
    return sorted((repository / removal.REMOVED).glob("*"))


def test_it_shows_the_folder_the_containers_and_the_data_before_it_asks(
    dyber: Dyber, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyber("weibo", answers="n\n") == 1
    shown = capsys.readouterr().err
    for expected in ("mcp-servers/weibo", "dyber-dev-weibo-server-1", f"{SHOWN_VOLUME}: 保留", "确认继续? (y/N): "):
        assert expected in shown
    assert (repository / "mcp-servers" / "weibo").is_dir()


@pytest.mark.parametrize("answers", ["", "\n", "n\n"])
def test_without_consent_nothing_changes(
    dyber: Dyber, stacks: dict[str, FakeStack], repository: Path, answers: str
) -> None:
    assert dyber("weibo", answers=answers) == 1
    assert (repository / "mcp-servers" / "weibo").is_dir()
    assert stacks["dev"].imports == 0


def test_the_folder_is_moved_aside_with_work_nobody_committed(
    dyber: Dyber, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "mcp-servers" / "weibo" / "draft.py").write_text("mine")
    assert dyber("weibo", answers="y\n") == 0
    assert not (repository / "mcp-servers" / "weibo").exists()
    (folder,) = kept(repository)
    assert (folder / "draft.py").read_text() == "mine"
    assert f"mv .removed-services/{folder.name} mcp-servers/weibo" in capsys.readouterr().out


def test_data_is_kept_in_every_stack_and_other_services_stay_as_they_were(
    dyber: Dyber, stacks: dict[str, FakeStack]
) -> None:
    assert dyber("weibo", "--yes") == 0
    assert stacks["dev"].retained() == {"dyber-dev-weibo-data": True, "dyber-dev-zhihu-data": False}
    assert stacks["prod"].imports == 0


def test_data_is_deleted_in_the_named_stack_only(
    dyber: Dyber, stacks: dict[str, FakeStack], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyber("weibo", "--yes", "--delete-data", "--stack", "prod") == 0
    assert stacks["prod"].retained() == {"dyber-dev-weibo-data": False, "dyber-dev-zhihu-data": True}
    assert stacks["dev"].retained()["dyber-dev-weibo-data"] is True
    shown = capsys.readouterr().err
    assert "dyber-prod-weibo-data: 删除，无法恢复" in shown and "dyber-dev-weibo-data: 保留" in shown


def test_a_stack_file_that_names_the_service_is_mended_first(dyber: Dyber, repository: Path) -> None:
    (repository / "Pulumi.prod.yaml").write_text("config:\n  dyber:services: {weibo: {cpus: 2}}\n")
    with pytest.raises(typer.TyperException) as refused:
        dyber("weibo", "--yes")
    assert "Pulumi.prod.yaml: services.weibo" in refused.value.format_message()
    assert (repository / "mcp-servers" / "weibo").is_dir()


def test_a_service_that_is_broken_itself_can_be_removed(dyber: Dyber, repository: Path) -> None:
    (repository / "mcp-servers" / "weibo" / "service.yaml").write_text("title: [")
    assert dyber("weibo", "--yes") == 0
    assert not (repository / "mcp-servers" / "weibo").exists()


def test_where_kept_data_is_and_how_it_goes_is_told(dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    dyber("weibo", "--yes", "--delete-data")
    shown = capsys.readouterr().out
    assert "docker volume rm dyber-prod-weibo-data" in shown and SHOWN_VOLUME not in shown


def test_a_stack_file_that_is_unusable_anyway_does_not_stand_in_the_way(dyber: Dyber, repository: Path) -> None:
    (repository / "Pulumi.prod.yaml").write_text("config:\n  dyber:logLevel: loud\n")
    assert dyber("weibo", "--yes") == 0


@pytest.mark.parametrize(
    ("name", "told"), [("weib", "可用：template, weibo"), ("template", "不能移除"), ("../x", "没有服务")]
)
def test_what_is_no_service_or_has_to_stay_is_refused(dyber: Dyber, repository: Path, name: str, told: str) -> None:
    with pytest.raises(typer.TyperException) as refused:
        dyber(name, "--yes")
    assert told in refused.value.format_message()
    assert kept(repository) == []
