"""Changing a setting in a stack's file keeps everything else that people wrote there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from cli.stack_files.stack_file import StackFile, replace_file
from infra.schema.problems import ConfigurationError

TEXT = """\
# 开发 / development
config:
  dyber:profiles: [dev] # who
  # a note
  dyber:services:
    template:
      enabled: false
      cpus: 0.5
encryptionsalt: v1:abc=:v1:def
"""


@pytest.fixture
def file(tmp_path: Path) -> StackFile:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return StackFile(path)


def test_saving_without_changes_writes_the_same_text(file: StackFile) -> None:
    assert file.text() == TEXT


def test_a_changed_value_leaves_every_comment(file: StackFile) -> None:
    file.set("profiles", ["dev", "cache"])
    file.set_in("services", ["template", "enabled"], None)
    assert file.text() == TEXT.replace("[dev]", "[dev, cache]").replace("      enabled: false\n", "")


def test_a_mapping_that_becomes_empty_is_removed(file: StackFile) -> None:
    file.set_in("services", ["template", "cpus"], None)
    file.set_in("services", ["template", "enabled"], None)
    assert "services" not in file.text()


def test_a_new_path_is_made_in_a_file_without_settings(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text("")
    file = StackFile(path)
    file.set_in("tokens", ["phone", "generation"], 2)
    file.save()
    assert yaml.safe_load(path.read_text()) == {"config": {"dyber:tokens": {"phone": {"generation": 2}}}}


def test_a_file_is_restored_byte_for_byte(file: StackFile) -> None:
    file.set("profiles", None)
    file.save()
    assert file.path.read_text(encoding="utf-8") != TEXT
    file.restore()
    assert file.path.read_text(encoding="utf-8") == TEXT


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text("config: [")
    with pytest.raises(ConfigurationError, match=r"Pulumi\.dev\.yaml"):
        StackFile(path)


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_a_secret_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("old")
    path.chmod(0o644)
    replace_file(path, b"new", 0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == [".env"]
