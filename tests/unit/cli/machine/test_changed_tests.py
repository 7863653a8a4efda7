"""`test --changed` chooses tests by the folders of changed files, and says which and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli import entry
from cli.commands.machine import machine
from cli.machine.changed_tests import EVERYTHING, PLACES, Repository, changed_files, choose, explanation
from cli.system.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[4]
OF_EVERY_SERVICE = "tests/servers/test_servers_http.py"
SMALL = Repository(
    test_files=(
        "mcp-servers/template/tests/test_template_feed.py",
        "mcp-servers/weibo/tests/test_weibo.py",
        "tests/deploy/test_1_first_up.py",
        "tests/gateway/cache/test_damage.py",
        "tests/gateway/test_gateway_limits.py",
        "tests/gateway/test_monitoring_damage.py",
        "tests/servers/kit/test_text.py",
        OF_EVERY_SERVICE,
        "tests/servers/test_kit_cache.py",
        "tests/servers/test_template_makes_services.py",
        "tests/servers/xiaohongshu/test_search.py",
        "tests/toolchain/test_state_backends.py",
        "tests/unit/cli/commands/data/test_restore.py",
        "tests/unit/cli/configuration/test_selection.py",
        "tests/unit/cli/engine/test_ports.py",
        "tests/unit/cli/test_bootstrap.py",
        "tests/unit/docs/test_readme.py",
        "tests/unit/infra/rendering/test_gateway_config.py",
        "tests/unit/policy/test_rules.py",
        "tests/unit/toolchain/test_home.py",
    ),
    services=("template", "weibo", "xiaohongshu"),
)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


@pytest.mark.parametrize(
    ("path", "chosen"),
    [
        ("cli/engine/ports.py", ["tests/unit/cli/commands", "tests/unit/cli/engine"]),
        ("cli/commands/data/restore.py", ["tests/unit/cli/commands"]),
        ("cli/machine/test_run.py", ["tests/unit/cli"]),
        ("cli/app.py", ["tests/unit/cli"]),
        (
            "cli/services/templates/sample-api/service.yaml",
            ["tests/servers/test_template_makes_services.py", "tests/unit/cli"],
        ),
        ("infra/settings/stack.py", ["tests/unit/cli/configuration", "tests/unit/infra", "tests/unit/policy"]),
        ("infra/rendering/gateway_config.py", ["tests/gateway", "tests/unit/infra"]),
        ("nginx/templates/nginx.conf.j2", ["tests/gateway", "tests/unit/infra/rendering"]),
        ("cache/redis.conf", ["tests/gateway/cache/test_damage.py", "tests/servers/test_kit_cache.py"]),
        ("monitoring/rules/cache.yml", ["tests/gateway/test_monitoring_damage.py"]),
        ("toolchain/home.py", ["tests/toolchain", "tests/unit/cli/test_bootstrap.py", "tests/unit/toolchain"]),
        ("mcp-servers/kit/dyber_kit/text.py", ["mcp-servers", "tests/servers"]),
        ("mcp-servers/weibo/weibo_server/tools.py", ["mcp-servers/weibo", OF_EVERY_SERVICE]),
        (
            "mcp-servers/xiaohongshu/service.yaml",
            [OF_EVERY_SERVICE, "tests/servers/xiaohongshu/test_search.py"],
        ),
        (
            "mcp-servers/template/service.yaml",
            ["mcp-servers/template", OF_EVERY_SERVICE, "tests/servers/test_template_makes_services.py"],
        ),
        ("tests/gateway/test_gateway_limits.py", ["tests/gateway/test_gateway_limits.py"]),
        ("tests/gateway/conftest.py", ["tests/gateway"]),
        ("tests/deploy/checkout.py", ["tests/deploy"]),
        ("mcp-servers/weibo/tests/test_weibo.py", ["mcp-servers/weibo/tests/test_weibo.py"]),
        ("mcp-servers/weibo/tests/conftest.py", ["mcp-servers/weibo/tests"]),
        ("docs/commands.md", ["tests/unit/docs"]),
        ("LICENSE", ["tests/unit"]),
        # The tests of this file do not exist; a change must not be left without tests even if the table is out of date.
        ("bench/soak.py", ["tests/unit"]),
        ("tests/gone/conftest.py", ["tests/unit"]),
        ("pyproject.toml", [EVERYTHING]),
    ],
)
def test_a_changed_file_chooses_the_tests_of_what_it_belongs_to(path: str, chosen: list[str]) -> None:
    assert choose([path], SMALL) == {place: [path] for place in chosen}


def test_a_chosen_folder_replaces_the_places_below_it() -> None:
    below = "tests/unit/cli/engine/test_ports.py"
    assert set(choose(["cli/app.py", below, "cli/commands/operation/run.py"], SMALL)) == {"tests/unit/cli"}


def test_a_file_that_concerns_every_test_chooses_all_tests() -> None:
    assert choose(["cli/app.py", "conftest.py", "nginx/Dockerfile"], SMALL) == {EVERYTHING: ["conftest.py"]}


def test_each_place_of_the_table_has_tests_in_this_repository() -> None:
    here = Repository.at(REPOSITORY)
    assert [place for _, places in PLACES for place in places if not here.existing(place)] == []


def test_each_service_of_this_repository_has_tests_that_a_change_of_it_chooses() -> None:
    here = Repository.at(REPOSITORY)
    assert here.services
    for service in here.services:
        assert set(choose([f"mcp-servers/{service}/service.yaml"], here)) - {"tests/unit"}


def test_the_choice_is_printed_with_its_reasons() -> None:
    lines = explanation(choose(["cli/engine/engine.py", "cli/engine/ports.py"], SMALL))
    assert "  tests/unit/cli/engine ← cli/engine/engine.py and 1 more" in lines
    assert lines[-1].endswith("./deploy.sh test tests/deploy")
    assert explanation({}) == ["Nothing differs from main, so there is no test to run."]
    assert "pyproject.toml" in explanation(choose(["pyproject.toml"], SMALL))[0]


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path, *names: str) -> None:
    for name in names:
        (root / name).write_text(f"{name} {root}")
    git(root, "add", "--all")
    git(root, "commit", "-m", "x")


def test_changes_are_counted_from_where_the_branch_left_main_committed_or_not(tmp_path: Path) -> None:
    git(tmp_path, "init", "--initial-branch", "main")
    commit(tmp_path, "same", "edited", "moved", "deleted")
    git(tmp_path, "branch", "mine")
    commit(tmp_path, "of others")
    git(tmp_path, "checkout", "mine")
    assert changed_files(tmp_path) == []
    commit(tmp_path, "committed 文件")
    git(tmp_path, "mv", "moved", "renamed")
    (tmp_path / "edited").write_text("other")
    (tmp_path / "deleted").unlink()
    (tmp_path / "new").write_text("new")
    assert changed_files(tmp_path) == ["committed 文件", "deleted", "edited", "moved", "new", "renamed"]


def test_without_a_main_branch_the_error_names_what_to_do(tmp_path: Path) -> None:
    git(tmp_path, "init", "--initial-branch", "other")
    commit(tmp_path, "file")
    with pytest.raises(StackError) as refused:
        changed_files(tmp_path)
    assert str(tmp_path) in refused.value.message and "git fetch origin main" in refused.value.next_step


def test_without_a_change_the_command_says_so_and_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git(tmp_path, "init", "--initial-branch", "main")
    commit(tmp_path, "file")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["deploy.sh", "test", "--changed"])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert not ended.value.code
    assert "there is no test to run" in capsys.readouterr().err
