"""Every Python package is pinned with hashes, in one version wherever it is installed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cli.machine import requirement_files
from cli.system.checkout import ROOT

SOURCES = requirement_files.sources(ROOT)
LOCKS = sorted(SOURCES)
#: Installed in environments of their own.
APART = {ROOT / "tests" / "support" / name / "requirements.txt" for name in ("foreign", "old_clients")}


def entries(lock: Path) -> list[str]:
    """Return the pinned packages of a file, each with its hashes."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", "")
    return [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]


def pins(lock: Path) -> dict[str, str]:
    """Return versions by package and by the marker of the machines that install it."""
    versions = {}
    for entry in entries(lock):
        requirement = entry.split("--hash")[0].strip()
        name, _, version = requirement.split(" ;")[0].partition("==")
        versions[f"{name} ;{requirement.partition(' ;')[2]}"] = version
    return versions


def named(source: Path) -> list[str]:
    """Return the requirements that a file names directly, as `name==version`."""
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".toml":
        return list(tomllib.loads(text)["project"]["dependencies"])
    return [line for line in text.splitlines() if line and not line.startswith(("#", "-"))]


def test_the_program_the_tests_the_kit_and_the_services_are_locked() -> None:
    assert {lock.relative_to(ROOT).as_posix() for lock in LOCKS} >= {
        "requirements.txt",
        "tests/requirements.txt",
        "mcp-servers/kit/requirements.txt",
        "mcp-servers/xiaohongshu/requirements.txt",
        "tests/support/old_clients/requirements.txt",
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_every_package_has_one_version_and_hashes(lock: Path) -> None:
    assert [entry for entry in entries(lock) if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_a_file_names_the_command_that_makes_it_and_no_registry(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "./deploy.sh lock" in text.splitlines()[1]
    assert "://" not in text


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.relative_to(ROOT).as_posix())
def test_a_named_version_is_the_locked_version(lock: Path) -> None:
    locked = {
        re.sub(r"[-_.]+", "-", f"{name.split(' ;')[0]}=={version}".lower()) for name, version in pins(lock).items()
    }
    named_versions = {re.sub(r"[-_.]+", "-", requirement.lower()) for requirement in named(SOURCES[lock])}
    assert named_versions and named_versions <= locked


def test_packages_that_are_installed_together_have_the_same_versions() -> None:
    together: dict[str, set[str]] = {}
    for lock in set(LOCKS) - APART:
        for package, version in pins(lock).items():
            together.setdefault(package.split(" ;")[0], set()).add(version)
    # An older Python gets an older version.
    assert {name for name, versions in together.items() if len(versions) > 1} <= {"pyee"}
