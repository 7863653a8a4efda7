"""Reads what deployments say of the stack, of other stacks and of findings in contracts."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dyber_console.intake.files import Files
from dyber_console.language import using_language


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content) if not isinstance(content, str) else content, encoding="utf-8")


FINDING = {
    "code": "T05", "level": "warn", "tool": "maps_geo", "path": ["description"], "excerpt": "x",
    "title": {"en": "holds an invisible character", "zh": "有看不见的字符"}, "explanation": {"en": "Only English"},
}  # fmt: skip


def test_other_stacks_are_known_with_their_contracts(tmp_path: Path) -> None:
    write(tmp_path / "stacks" / "dev" / "deployment.json", {"stack": "dev", "services": {"notes": {"digest": "x"}}})
    write(tmp_path / "stacks" / "dev" / "contracts" / "notes.json", {"sha256": "1", "tools": {}})
    write(tmp_path / "stacks" / "test" / "deployment.json", "broken")
    write(tmp_path / "stacks" / "..evil" / "deployment.json", {"stack": "evil"})
    files = Files(tmp_path)
    assert files.refresh() is True
    assert list(files.stacks()) == ["dev"]
    assert files.stacks()["dev"].services["notes"].digest == "x"
    assert files.contracts_of("dev") == {"notes": {"sha256": "1", "tools": {}}}
    assert files.contracts_of("nothing") == {}
    assert files.refresh() is False


def test_findings_are_sorted_and_in_the_language_of_the_page(tmp_path: Path) -> None:
    write(tmp_path / "contracts" / "maps.findings.json", [FINDING, {**FINDING, "code": "T01", "level": "block"}])
    write(tmp_path / "contracts" / "notes.findings.json", [])
    write(tmp_path / "contracts" / "notes.json", {"sha256": "1"})
    files = Files(tmp_path)
    files.refresh()
    first, second = files.findings()["maps"]
    assert (first.code, first.is_grave, second.code, second.is_grave) == ("T01", True, "T05", False)
    with using_language("zh"):
        assert (second.title, second.explanation) == ("有看不见的字符", "Only English")
    with using_language("en"):
        assert second.title == "holds an invisible character"
    assert files.findings()["notes"] == []
    assert list(files.contracts()) == ["notes"]


def test_findings_that_cannot_be_read_are_unknown_and_not_none(tmp_path: Path) -> None:
    for name, content in (("a", "broken"), ("b", {"level": "warn"}), ("c", [{"level": "warn"}]), ("d", ["text"])):
        write(tmp_path / "contracts" / f"{name}.findings.json", content)
    files = Files(tmp_path)
    files.refresh()
    assert files.findings() == {}


def test_a_change_of_another_stack_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stacks" / "dev" / "deployment.json"
    write(path, {"stack": "dev", "commit": "1"})
    files = Files(tmp_path)
    files.refresh()
    write(path, {"stack": "dev", "commit": "2"})
    os.utime(path, (1, 1))
    assert files.refresh() is True
    assert files.stacks()["dev"].commit == "2"
