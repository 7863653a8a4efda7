"""An update shows everything that it changes, and changes nothing if it is not taken."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.services.adding import drafts, outdated
from cli.services.adding.updating import Update, wanted
from cli.services.importing.requests import SourceRequest
from cli.system.errors import StackError
from cli.terminal.console import Activities
from infra.services.scan import Package
from infra.services.source import Source
from tests.support.foreign_registry import FakeRegistry, tool
from tests.unit.cli.services.adding.conftest import Workshop
from toolchain.home import DyberHome

OLD, NEW = "@example/weather@1.0.0", "@example/weather@1.1.0"


@pytest.fixture
def added(workshop: Workshop, npm: SourceRequest, registry: FakeRegistry) -> Workshop:
    registry.tools = {
        OLD: {"forecast": tool()},
        NEW: {"forecast": tool("Tells the weather of a week"), "alerts": tool(readOnlyHint=True)},
    }
    registry.dependencies = {
        OLD: {"left": "1.0.0", "right": "1.0.0"},
        NEW: {"left": "1.1.0", "up": "2.0.0", "down": "2.0.0"},
    }
    registry.scripts = {NEW: ("up",)}
    workshop.add(npm)
    return workshop


def test_an_update_shows_version_packages_scripts_and_tools_at_once(added: Workshop) -> None:
    [update] = added.update()
    assert (update.before, update.after) == (OLD, NEW)
    assert update.packages.added == {"up": "2.0.0", "down": "2.0.0"}
    assert update.packages.removed == {"right": "1.0.0"}
    assert update.packages.changed == {"@example/weather": ("1.0.0", "1.1.0"), "left": ("1.0.0", "1.1.0")}
    assert update.scripts == ("up",)
    before, after = update.tools
    assert (list(before.tools), list(after.tools)) == (["forecast"], ["forecast", "alerts"])
    assert [(kind.name, kind.kind) for kind in update.new_kinds] == [("alerts", "read")]
    assert [finding.code for finding in update.findings] == ["S01"]


def test_an_update_that_is_taken_changes_the_files_of_the_service_and_no_others(added: Workshop) -> None:
    before = added.files()
    added.update()
    after = added.files()
    assert {name for name in after if after[name] != before.get(name)} == {
        f"mcp-servers/weather/{name}"
        for name in ("service.yaml", "package.json", "package-lock.json", "tools.lock.json", "README.md")
    }
    assert added.spec.source and added.spec.source.npm == NEW
    assert list(added.spec.tools) == ["forecast", "alerts"]


def test_comments_and_decisions_in_service_yaml_stay(added: Workshop) -> None:
    file = added.servers / "weather" / "service.yaml"
    text = file.read_text(encoding="utf-8").replace("title: 天气", "title: 天气  # of the city\ncpus: 0.7")
    file.write_text(text + "  tools: {forecast: read}\n", encoding="utf-8")
    added.update()
    now = file.read_text(encoding="utf-8")
    assert "title: 天气  # of the city\ncpus: 0.7\n" in now
    assert added.spec.source and added.spec.source.tools == {"forecast": "read"}


def test_a_second_update_changes_nothing(added: Workshop) -> None:
    assert len(added.update()) == 1
    before = added.files()
    assert added.update() == []
    assert added.files() == before


def test_a_version_can_be_chosen_also_an_older_one(added: Workshop) -> None:
    added.update()
    [update] = added.update("1.0.0")
    assert (update.before, update.after) == (NEW, OLD)


def test_an_update_that_is_not_taken_changes_nothing(added: Workshop) -> None:
    before = added.files()

    def refuse(update: Update) -> None:
        raise StackError("no", "")

    with pytest.raises(StackError):
        added.update(review=refuse)
    assert added.files() == before


def test_decisions_about_new_tools_are_written(added: Workshop) -> None:
    added.update(review=lambda update: ({"alerts": "off"}, []))
    assert added.spec.source and added.spec.source.tools == {"alerts": "off"}


def test_a_folder_that_cannot_be_replaced_stays_as_it_was(added: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = added.files()
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if "new-service" in str(self) and "before" not in self.name:
            raise PermissionError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(PermissionError):
        added.update()
    assert added.files() == before


def test_a_draft_is_gone_when_its_block_ends(tmp_path: Path) -> None:
    (tmp_path / "mcp-servers" / "kit").mkdir(parents=True)
    with drafts.draft(tmp_path / "mcp-servers", "weather") as folder:
        (folder / "x").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["mcp-servers"]


def test_a_newer_version_is_told_and_a_registry_that_does_not_answer_too(
    added: Workshop, registry: FakeRegistry, tmp_path: Path
) -> None:
    home = DyberHome(tmp_path / "home")
    [state] = outdated.states([added.spec], home, Activities())
    assert (state.locked, state.newest, state.is_outdated) == ("1.0.0", "1.1.0", True)
    registry.versions = {}
    [state] = outdated.states([added.spec], home, Activities())
    assert not state.is_outdated
    assert "does not know" in state.problem


@pytest.mark.parametrize(
    ("source", "to", "text"),
    [
        ({"npm": "@s/x@1.0.0", "command": "x"}, "", "@s/x"),
        ({"npm": "@s/x@1.0.0", "command": "x"}, "1.2.0", "@s/x@1.2.0"),
        ({"pypi": "x[a]==1.0", "command": "x"}, "", "x[a]"),
        ({"pypi": "x[a]==1.0", "command": "x"}, "2.0", "x[a]==2.0"),
        ({"go": "example.org/m/x@v1.0.0"}, "", "example.org/m/x@latest"),
        ({"oci": "r.example:5000/a/b:1.2@sha256:" + "a" * 64}, "", "r.example:5000/a/b:1.2"),
        ({"oci": "r.example:5000/a/b@sha256:" + "a" * 64}, "", "r.example:5000/a/b:latest"),
        ({"oci": "mcp/time:1.2@sha256:" + "a" * 64}, "1.3", "mcp/time:1.3"),
    ],
)
def test_the_newest_version_is_asked_for_in_the_words_of_the_registry(
    source: dict[str, str], to: str, text: str
) -> None:
    assert wanted(Source.model_validate(source), to) == text


def looked_into(version: str, **details: Any) -> Package:
    return Package("npm", "@example/weather", version, repository="https://example.test/weather", **details)


DOWNLOADS = {"index.js": "require('child_process').exec('npx other')"}


def test_an_update_tells_what_is_new_in_the_files_and_not_what_was_there_before(
    workshop: Workshop, npm: SourceRequest, registry: FakeRegistry
) -> None:
    tls = {"http.js": "https.request({rejectUnauthorized: false})"}
    registry.details = {
        OLD: looked_into("1.0.0", sources=DOWNLOADS),
        NEW: looked_into("1.1.0", sources=DOWNLOADS | tls, published=datetime.now(UTC)),
    }
    workshop.add(npm)
    [update] = workshop.update()
    assert sorted(finding.code for finding in update.findings) == ["S03", "S06"]


def test_a_package_that_cannot_be_looked_into_is_updated_and_that_is_told(
    workshop: Workshop, npm: SourceRequest, registry: FakeRegistry
) -> None:
    registry.details = {OLD: looked_into("1.0.0")}
    workshop.add(npm)
    [update] = workshop.update()
    assert any("S02" in remark for remark in update.remarks)
    assert workshop.spec.source and workshop.spec.source.npm == NEW


def test_tools_that_are_not_served_are_told_when_adding_and_updating(
    workshop: Workshop, npm: SourceRequest, registry: FakeRegistry
) -> None:
    registry.notes = ("tool bad name! is not served",)
    assert registry.notes[0] in workshop.add(npm).remarks
    [update] = workshop.update()
    assert registry.notes[0] in update.remarks
