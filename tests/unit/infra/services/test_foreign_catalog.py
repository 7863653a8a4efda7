"""The catalogue of reviewed servers: each entry is valid and complete, and a bad one is explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.schema.problems import ConfigurationError
from infra.services import reserved_names
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.foreign_catalog import FOLDER, Entry, load

SERVERS = Path(__file__).resolve().parents[4] / "mcp-servers"
ENTRIES = load(SERVERS)
GOOD: dict[str, Any] = {
    "title": {"zh": "地图", "en": "Maps"},
    "description": {"zh": "查地图", "en": "Looks at maps"},
    "needs": {"zh": "密钥", "en": "A key"},
    "internet": True,
    "reaches": ["api.vendor.com"],
    "secrets": {"MAPS_KEY": "required"},
    "source": {"npm": "maps@1.0.0", "command": "maps", "tools": {"maps_find": "read"}},
}


def has_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_there_are_about_twenty_servers() -> None:
    assert len(ENTRIES) >= 20


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_told_in_both_languages(name: str) -> None:
    entry = ENTRIES[name]
    for words in (entry.title, entry.description, entry.needs, entry.caution):
        if words:
            assert has_chinese(words.zh) or words.zh == words.en
            assert not has_chinese(words.en)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_becomes_a_service_beside_those_that_are_there(name: str) -> None:
    assert reserved_names.problem_of_a_new_service(name) is None
    assert name not in load_catalog(SERVERS)
    for language in ("zh", "en"):
        content = yaml.safe_load(yaml.safe_dump(ENTRIES[name].service(8100, language), allow_unicode=True))
        spec = ServiceSpec(name=name, folder=SERVERS / name, **content)
        assert (spec.port, spec.source) == (8100, ENTRIES[name].source)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_of_every_tool_whether_it_writes(name: str) -> None:
    source = ENTRIES[name].source
    assert source.tools
    assert {finding.tool for finding in source.accepted} <= {"", *source.tools}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_address_and_the_version_of_an_entry_are_exact(name: str) -> None:
    assert ENTRIES[name].source.version


def test_the_catalogue_is_no_service() -> None:
    assert FOLDER not in load_catalog(SERVERS)
    assert reserved_names.problem_of_a_new_service(FOLDER) is not None


def written(folder: Path, name: str = "maps", **changes: Any) -> Path:
    content = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (folder / FOLDER).mkdir()
    text = yaml.safe_dump(content, allow_unicode=True)
    (folder / FOLDER / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_good_entry_is_read(tmp_path: Path) -> None:
    entry = load(written(tmp_path))["maps"]
    assert isinstance(entry, Entry)
    assert entry.service(8010, "zh") == {
        "title": "地图",
        "description": "查地图",
        "port": 8010,
        "internet": True,
        "secrets": {"MAPS_KEY": "required"},
        "source": {"npm": "maps@1.0.0", "command": "maps", "tools": {"maps_find": "read"}},
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"headline": "x"}, "headline: no such key"),
        ({"title": {"zh": "地图"}}, "title.en: this key is missing"),
        ({"reaches": None}, "internet: true needs reaches"),
        ({"reaches": ["https://api.vendor.com/"]}, "reaches.0"),
        ({"needs": None}, "a required secret needs needs"),
        ({"source": {"npm": "maps@latest", "command": "maps"}}, "source"),
        ({"source": {"npm": "maps@1.0.0", "command": "maps", "arguments": ["${data}/x"]}}, "cannot be a service"),
        ({"memory_mib": 1}, "cannot be a service: memory_mib"),
    ],
)
def test_a_bad_entry_is_refused_with_the_file_and_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    with pytest.raises(ConfigurationError) as refused:
        load(written(tmp_path, **changes))
    assert "mcp-servers/catalog/maps.yaml" in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["- 1\n", "a: [", "\xff"])
def test_a_file_that_is_no_entry_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "maps.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"catalog/maps\.yaml"):
        load(tmp_path)


def test_a_name_that_no_service_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="12306"):
        load(written(tmp_path, "12306"))


def test_without_the_folder_there_are_no_entries(tmp_path: Path) -> None:
    assert load(tmp_path) == {}
