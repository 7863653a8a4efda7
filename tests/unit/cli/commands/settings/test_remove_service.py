"""`remove-service` lists what it removes, asks first, and keeps the data unless --delete-data is given."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from cli.app import app
from cli.commands.settings import services
from cli.engine.stored_data import StoredData
from cli.services import removal
from cli.services.leftover_settings import without_service
from infra.services.catalog import load_catalog

REPOSITORY = Path(__file__).resolve().parents[5]
Dyber = Callable[..., int]
SHOWN_VOLUME = "dyber-dev-weibo-data"


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
    monkeypatch.setattr(services, "ROOT", tmp_path)
    monkeypatch.setattr(services, "SERVERS", tmp_path / "mcp-servers")
    monkeypatch.setattr(services, "activate", lambda home: None)
    monkeypatch.setenv("DYBER_LANG", "zh")
    return tmp_path


def test_a_stack_that_gives_a_secret_to_the_service_is_named(tmp_path: Path) -> None:
    secrets = "{secrets: {API_KEY: {secure: v1:abc}}}"
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  dyber:services: {{template: {secrets}}}\n")
    catalog = load_catalog(REPOSITORY / "mcp-servers")
    template = catalog["template"].model_copy(update={"secrets": {"API_KEY": "required"}})
    other = template.model_copy(update={"name": "weibo", "profile": None, "secrets": {}})
    (problem,) = removal.broken_settings(tmp_path, {"template": template, "weibo": other}, "template")
    assert problem.startswith("Pulumi.dev.yaml: services.template: 没有这个服务")


@dataclass(frozen=True)
class FakeDeployed(removal.Deployed):
    """Records that its data is deleted."""

    deleted: list[str] = field(default_factory=list)

    def delete_data(self) -> None:
        self.deleted.extend(item.name for item in self.data)


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeDeployed]:
    """Let the stacks dev and prod have containers and data of the service."""
    found = {}
    for name in ("dev", "prod"):
        data = StoredData(f"dyber-{name}-weibo-data", name, "weibo", datetime(2026, 1, 2, tzinfo=UTC), 1.2e6)
        stack = SimpleNamespace(name=name)
        found[name] = FakeDeployed(name, stack, (f"dyber-{name}-weibo-server-1",), (data,))  # type: ignore[arg-type]
    monkeypatch.setattr(removal, "deployed", lambda service: list(found.values()))
    return found


@pytest.fixture
def dyber(repository: Path, stacks: dict[str, FakeDeployed], monkeypatch: pytest.MonkeyPatch) -> Dyber:
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
    for expected in (
        "mcp-servers/weibo",
        "dyber-dev-weibo-server-1",
        SHOWN_VOLUME,
        "1.2 MB",
        "数据保留",
        "确认继续? (y/N): ",
    ):
        assert expected in shown
    assert (repository / "mcp-servers" / "weibo").is_dir()


@pytest.mark.parametrize("answers", ["", "\n", "n\n"])
def test_without_consent_nothing_changes(
    dyber: Dyber, stacks: dict[str, FakeDeployed], repository: Path, answers: str
) -> None:
    assert dyber("weibo", answers=answers) == 1
    assert (repository / "mcp-servers" / "weibo").is_dir()
    assert not any(stack.deleted for stack in stacks.values())


def test_the_folder_is_moved_aside_with_work_nobody_committed(
    dyber: Dyber, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "mcp-servers" / "weibo" / "draft.py").write_text("mine")
    assert dyber("weibo", answers="y\n") == 0
    assert not (repository / "mcp-servers" / "weibo").exists()
    (folder,) = kept(repository)
    assert (folder / "draft.py").read_text() == "mine"
    assert f"mv .removed-services/{folder.name} mcp-servers/weibo" in capsys.readouterr().out


def test_data_is_kept_in_every_stack(dyber: Dyber, stacks: dict[str, FakeDeployed]) -> None:
    assert dyber("weibo", "--yes") == 0
    assert not any(stack.deleted for stack in stacks.values())


def test_data_is_deleted_in_the_named_stack_only(
    dyber: Dyber, stacks: dict[str, FakeDeployed], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyber("weibo", "--yes", "--delete-data", "--stack", "prod") == 0
    assert (stacks["prod"].deleted, stacks["dev"].deleted) == (["dyber-prod-weibo-data"], [])
    shown = {line.partition("（")[0].strip(): line for line in capsys.readouterr().err.splitlines() if "数据卷" in line}
    assert shown["数据卷 dyber-prod-weibo-data"].endswith("数据会被删除，无法恢复")
    assert shown["数据卷 dyber-dev-weibo-data"].endswith("数据保留")


def test_deleting_data_removes_its_containers_and_both_leave_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(removal.engine, "containers", lambda *filters: [{"Id": filters[0]}])
    monkeypatch.setattr(
        removal.remains, "remove_containers", lambda found: calls.append([item["Id"] for item in found])
    )
    monkeypatch.setattr(removal.stored_data, "delete", lambda found: [item.name for item in found])
    monkeypatch.setattr(removal.state_edits, "forget", lambda stack, names, kinds: calls.append((names, kinds)))
    data = StoredData("dyber-dev-weibo-data", "dev", "weibo")
    removal.Deployed("dev", SimpleNamespace(), ("weibo-server-1",), (data,)).delete_data()  # type: ignore[arg-type]
    assert calls == [
        ["name=^weibo\\-server\\-1$"],
        ({"dyber-dev-weibo-data", "weibo-server-1"}, [removal.VOLUME, removal.CONTAINER]),
    ]


STACK_WITH_THE_SERVICE = """\
# A comment stays.
config:
  dyber:services:
    weibo: {cpus: 2, secrets: {API_KEY: {secure: v1:abc}}}
    template: {cpus: 1}
  dyber:clients:
    pet: {services: {weibo: read, template: all}, accounts: {weibo: [one]}}
  dyber:groups:
    both: {title: 两个, services: [weibo, template]}
    alone: {title: 一个, services: {weibo: all}}
  dyber:profiles: [dev, weibo]
"""


def with_a_secret(repository: Path) -> None:
    """Let weibo need a secret and an own profile."""
    file = repository / "mcp-servers" / "weibo" / "service.yaml"
    file.write_text(file.read_text() + "secrets: {API_KEY: required}\nprofile: weibo\nenforces_scopes: true\n")


def test_its_settings_and_secrets_go_from_every_stack_file(
    dyber: Dyber, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_a_secret(repository)
    (repository / "Pulumi.prod.yaml").write_text(STACK_WITH_THE_SERVICE)
    (repository / "Pulumi.test.yaml").write_text(
        "config:\n  dyber:services: {weibo: {secrets: {API_KEY: {secure: v1:x}}}}\n"
    )
    assert dyber("weibo", answers="y\n") == 0
    shown = capsys.readouterr().err.partition("确认继续")[0]
    for key in ("services.weibo.cpus", "clients.pet.services.weibo", "clients.pet.accounts.weibo", "groups.alone",
                "groups.both.services: weibo", "profiles: weibo"):  # fmt: skip
        assert f"Pulumi.prod.yaml 中的设置：{key}\n" in shown
    for stack in ("prod", "test"):
        assert f"Pulumi.{stack}.yaml 中的机密，无法恢复：services.weibo.secrets.API_KEY" in shown
    left = (repository / "Pulumi.prod.yaml").read_text()
    assert "weibo" not in left and "# A comment stays." in left and "template: {cpus: 1}" in left
    assert "weibo" not in (repository / "Pulumi.test.yaml").read_text()


def test_an_entry_without_settings_goes_too(dyber: Dyber, repository: Path) -> None:
    (repository / "Pulumi.test.yaml").write_text("config:\n  dyber:profiles: [dev]\n  dyber:services: {weibo: {}}\n")
    assert dyber("weibo", "--yes") == 0
    assert "weibo" not in (repository / "Pulumi.test.yaml").read_text()


def test_a_client_whose_services_are_a_list_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  dyber:clients: {pet: {services: [weibo, template]}}\n")
    assert without_service(tmp_path, {}, "weibo") == []


def test_without_consent_the_stack_files_stay(dyber: Dyber, repository: Path) -> None:
    with_a_secret(repository)
    (repository / "Pulumi.prod.yaml").write_text(STACK_WITH_THE_SERVICE)
    assert dyber("weibo", answers="n\n") == 1
    assert (repository / "Pulumi.prod.yaml").read_text() == STACK_WITH_THE_SERVICE


def test_a_failure_leaves_the_stack_files_as_they_were(
    dyber: Dyber, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: Path, folder: Path) -> Path:
        assert "weibo" not in (repository / "Pulumi.prod.yaml").read_text()
        raise OSError("disk full")

    with_a_secret(repository)
    (repository / "Pulumi.prod.yaml").write_text(STACK_WITH_THE_SERVICE)
    monkeypatch.setattr(removal, "move_aside", fail)
    with pytest.raises(OSError, match="disk full"):
        dyber("weibo", "--yes")
    assert (repository / "Pulumi.prod.yaml").read_text() == STACK_WITH_THE_SERVICE


@pytest.mark.parametrize(
    "kept",
    ["dyber:clients: {pet: {services: {weibo: all}}}",
     "dyber:gateway: {oauth: {issuers: {a: {url: 'https://a.example.com', otherUsers: desktop-pet}}, scopes: [weibo]}}"],
)  # fmt: skip
def test_what_would_then_reach_every_service_must_be_corrected_first(dyber: Dyber, repository: Path, kept: str) -> None:
    file = repository / "mcp-servers" / "weibo" / "service.yaml"
    file.write_text(file.read_text() + "enforces_scopes: true\n")
    text = f"config:\n  dyber:profiles: [dev]\n  {kept}\n"
    (repository / "Pulumi.prod.yaml").write_text(text)
    with pytest.raises(typer.TyperException) as refused:
        dyber("weibo", "--yes")
    assert "Pulumi.prod.yaml: " in refused.value.format_message()
    assert (repository / "Pulumi.prod.yaml").read_text() == text
    assert (repository / "mcp-servers" / "weibo").is_dir()


def test_keys_of_the_service_in_an_env_file_do_not_keep_it(dyber: Dyber, repository: Path) -> None:
    (repository / ".env").write_text("WEIBO_ENABLED=true\n")
    assert dyber("weibo", "--yes") == 0


def test_a_service_that_is_broken_itself_can_be_removed(dyber: Dyber, repository: Path) -> None:
    (repository / "mcp-servers" / "weibo" / "service.yaml").write_text("title: [")
    assert dyber("weibo", "--yes") == 0
    assert not (repository / "mcp-servers" / "weibo").exists()


def test_the_volume_of_kept_data_and_the_command_that_deletes_it_are_shown(
    dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    dyber("weibo", "--yes", "--delete-data")
    shown = capsys.readouterr().out
    assert "dyber-prod-weibo-data" in shown and "./deploy.sh clean --unused-data -s prod" in shown
    assert SHOWN_VOLUME not in shown


def test_a_stack_file_that_is_unusable_anyway_does_not_prevent_the_removal(dyber: Dyber, repository: Path) -> None:
    (repository / "Pulumi.prod.yaml").write_text("config:\n  dyber:logLevel: loud\n")
    assert dyber("weibo", "--yes") == 0


@pytest.mark.parametrize(
    ("name", "reason"), [("weib", "可用：template, weibo"), ("template", "不能移除"), ("../x", "没有服务")]
)
def test_an_unknown_service_and_the_template_are_refused(
    dyber: Dyber, repository: Path, name: str, reason: str
) -> None:
    with pytest.raises(typer.TyperException) as refused:
        dyber(name, "--yes")
    assert reason in refused.value.format_message()
    assert kept(repository) == []
