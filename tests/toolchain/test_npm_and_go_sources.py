"""Packages of npm and programs of Go are found and locked by the real npm and Go, from registries of the tests' own.

Node and Go themselves come from PyPI, as they do for users, and stay in DYBER_HOME.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.services.sources import details, go_programs, npm_packages
from cli.services.sources.packages import SourceError, choose_program
from infra.services.scan import scan_package
from infra.services.source import Source
from infra.services.source_locks import load_program
from tests.support.registries import add_go_module
from tests.support.source_fixtures import Add
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress

PROGRESS = PlainProgress()
HOME = DyberHome.from_environment()
PROGRAM = "package main\n\nfunc main() {}\n"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


def npm_source(**values: Any) -> Source:
    return Source.model_validate({"npm": "@sky/weather@1.2.0", "command": "weather", **values})


def test_the_newest_version_of_a_package_is_found_with_its_programs(npm_registry: Add) -> None:
    npm_registry("@sky/weather", "1.0.0", bin="index.js")
    npm_registry("@sky/weather", "1.2.0", bin={"weather": "index.js"}, license="MIT", engines={"node": ">=20"})
    package = npm_packages.find("@sky/weather", HOME, PROGRESS)
    assert (package.reference, package.programs) == ("@sky/weather@1.2.0", ("weather",))
    assert (package.license, package.needs) == ("MIT", ">=20")


@pytest.mark.parametrize(
    ("wanted", "version"),
    [("@sky/weather@^1", "1.2.0"), ("@sky/weather@latest", "2.0.0"), ("@sky/weather@1.0.0", "1.0.0")],
)
def test_a_range_a_tag_and_a_version_become_an_exact_version(npm_registry: Add, wanted: str, version: str) -> None:
    for number in ("1.0.0", "1.2.0", "2.0.0"):
        npm_registry("@sky/weather", number, bin="index.js")
    package = npm_packages.find(wanted, HOME, PROGRESS)
    assert (package.version, choose_program(package)) == (version, "weather")


@pytest.mark.parametrize(
    "wanted",
    [
        "github:owner/repository",
        "git+ssh://git@example.com/a.git",
        "https://example.com/a.tgz",
        "./weather",
        "weather@npm:b@1",
    ],
)
def test_what_is_no_package_of_a_registry_is_refused(wanted: str) -> None:
    with pytest.raises(SourceError) as refused:
        npm_packages.find(wanted, HOME, PROGRESS)
    assert "cannot be locked by a hash" in refused.value.next_step


@pytest.mark.parametrize("wanted", ["@sky/rain", "@sky/weather@9.9.9"])
def test_an_unknown_package_or_version_is_refused_with_what_to_check(npm_registry: Add, wanted: str) -> None:
    npm_registry("@sky/weather", "1.2.0", bin="index.js")
    with pytest.raises(SourceError) as refused:
        npm_packages.find(wanted, HOME, PROGRESS)
    assert wanted in refused.value.message and "leave the version out" in refused.value.next_step


def test_an_npm_lock_has_the_hash_of_every_package_and_names_no_registry(
    npm_registry: Add, service_folder: Path
) -> None:
    npm_registry("@sky/weather", "1.2.0", bin={"weather": "./dist/main.js"}, dependencies={"clouds": "^1.0.0"})
    npm_registry("clouds", "1.1.0")
    report = npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS)
    packages = json.loads((service_folder / "package-lock.json").read_text())["packages"]
    assert set(packages) == {"", "node_modules/@sky/weather", "node_modules/clouds"}
    assert "://" not in (service_folder / "package-lock.json").read_text() and report.packages == 2
    program = load_program(service_folder, npm_source())
    assert program.command == ("/opt/node/bin/node", "/opt/server/node_modules/@sky/weather/dist/main.js")
    assert {file.name for file in service_folder.iterdir()} == {"package.json", "package-lock.json"}


def test_install_scripts_are_told_and_do_not_run_when_a_package_is_locked(
    npm_registry: Add, service_folder: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    npm_registry("@sky/weather", "1.2.0", bin="index.js", dependencies={"clouds": "1.1.0"})
    npm_registry("clouds", "1.1.0", scripts={"install": f"touch {marker}"})
    report = npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS)
    assert report.install_scripts == ("clouds",) and not marker.exists()


def test_a_package_that_asks_for_another_node_is_locked_with_a_warning(npm_registry: Add, service_folder: Path) -> None:
    npm_registry("@sky/weather", "1.2.0", bin="index.js", engines={"node": "<18"})
    (warning,) = npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS).warnings
    assert "asks for Node <18" in warning


def test_npm_versions_stay_locked_unless_they_are_to_be_upgraded(npm_registry: Add, service_folder: Path) -> None:
    npm_registry("@sky/weather", "1.2.0", bin="index.js", dependencies={"clouds": "^1.0.0"})
    npm_registry("clouds", "1.1.0")
    npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS)
    npm_registry("clouds", "1.2.0")
    npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS)
    assert '"version": "1.1.0"' in (service_folder / "package-lock.json").read_text()
    npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS, upgrade=True)
    assert '"version": "1.2.0"' in (service_folder / "package-lock.json").read_text()


def test_a_lock_that_fails_leaves_the_files_as_they_were(npm_registry: Add, service_folder: Path) -> None:
    npm_registry("@sky/weather", "1.2.0", bin="index.js", dependencies={"rain": "1.0.0"})
    (service_folder / "package.json").write_text("before")
    with pytest.raises(SourceError, match="npm cannot lock"):
        npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS)
    assert {file.name: file.read_text() for file in service_folder.iterdir()} == {"package.json": "before"}


def test_a_go_program_is_found_and_locked_with_its_hashes(go_proxy: Path, service_folder: Path) -> None:
    for version in ("v1.0.0", "v1.2.0"):
        add_go_module(go_proxy, "example.test/sky", version, {"cmd/weather/main.go": PROGRAM})
    package = go_programs.find("example.test/sky/cmd/weather", HOME, PROGRESS)
    assert package.reference == "example.test/sky/cmd/weather@v1.2.0"
    source = Source(go=package.reference)
    go_programs.lock(source, service_folder, HOME, PROGRESS)
    assert "example.test/sky v1.2.0 h1:" in (service_folder / "go.sum").read_text()
    assert load_program(service_folder, source).command == ("/opt/server/server",)


def test_a_go_library_is_refused_as_one(go_proxy: Path) -> None:
    add_go_module(go_proxy, "example.test/lib", "v1.0.0", {"lib.go": "package lib\n"})
    with pytest.raises(SourceError, match="is a library and not a program"):
        go_programs.find("example.test/lib", HOME, PROGRESS)


def test_an_unknown_version_of_a_go_program_is_refused_with_the_words_of_go(go_proxy: Path) -> None:
    add_go_module(go_proxy, "example.test/old", "v1.0.0", {"main.go": PROGRAM})
    with pytest.raises(SourceError) as refused:
        go_programs.find("example.test/old@v9.9.9", HOME, PROGRESS)
    assert "example.test/old@v9.9.9" in refused.value.message and "v9.9.9.info" in refused.value.message


def test_the_age_the_source_and_the_files_of_an_npm_package_are_looked_at(npm_registry: Add, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    npm_registry(
        "@sky/weather",
        "1.2.0",
        bin="index.js",
        published="2026-11-20T08:00:00.000Z",
        repository={"type": "git", "url": "git+https://example.test/sky.git"},
        os=["linux"],
        scripts={"install": f"touch {marker}", "prepack": f"touch {marker}"},
        program="require('child_process').exec('npx other')\n",
    )
    package = details.look_into(npm_source(), HOME, PROGRESS)
    assert package.published == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert (package.repository, package.systems) == ("git+https://example.test/sky.git", ("linux",))
    assert [finding.code for finding in scan_package(package, package.published + timedelta(days=30))] == ["S02"]
    assert [finding.code for finding in scan_package(package, package.published)] == ["S02", "S06"]
    assert not marker.exists()


def test_the_age_of_an_npm_package_that_says_nothing_else_is_known(npm_registry: Add) -> None:
    npm_registry("@sky/weather", "1.2.0", bin="index.js", published="2026-11-20T08:00:00.000Z")
    package = details.look_into(npm_source(), HOME, PROGRESS)
    assert (package.published, package.repository) == (datetime(2026, 11, 20, 8, tzinfo=UTC), "")


def test_the_age_and_the_files_of_a_go_program_are_looked_at(go_proxy: Path) -> None:
    unverified = PROGRAM + "// InsecureSkipVerify: true\n"
    add_go_module(go_proxy, "example.test/sky", "v1.0.0", {"cmd/weather/main.go": unverified})
    package = details.look_into(Source(go="example.test/sky/cmd/weather@v1.0.0"), HOME, PROGRESS)
    assert package.published == datetime(2026, 1, 1, tzinfo=UTC)
    assert [finding.code for finding in scan_package(package)] == ["S03"]


BEFORE = datetime(2026, 6, 1, tzinfo=UTC)


def test_the_newest_npm_version_that_is_old_enough_is_found_by_the_rules_of_npm(npm_registry: Add) -> None:
    npm_registry("@sky/weather", "1.0.0", bin="index.js", published="2026-01-01T00:00:00Z")
    npm_registry("@sky/weather", "1.2.0", bin="index.js", published="2026-05-01T00:00:00Z")
    npm_registry("@sky/weather", "2.0.0", bin="index.js", published="2026-07-01T00:00:00Z")
    found = [npm_packages.find(f"@sky/weather@{wanted}", HOME, PROGRESS, BEFORE) for wanted in ("latest", "1.0.0")]
    assert [package.version for package in found] == ["1.2.0", "1.0.0"]
    for wanted in ("2.0.0", "^2"):
        with pytest.raises(SourceError) as refused:
            npm_packages.find(f"@sky/weather@{wanted}", HOME, PROGRESS, BEFORE)
        assert "--min-age" in refused.value.next_step


def test_a_registry_that_says_no_age_gives_no_version_that_is_old_enough(npm_registry: Add) -> None:
    npm_registry("@sky/weather", "1.2.0", bin="index.js")
    with pytest.raises(SourceError, match="does not say when"):
        npm_packages.find("@sky/weather", HOME, PROGRESS, BEFORE)


def test_what_an_npm_package_brings_with_it_is_old_enough_too(npm_registry: Add, service_folder: Path) -> None:
    npm_registry("wind", "1.0.0", published="2026-01-01T00:00:00Z")
    npm_registry("wind", "1.1.0", published="2026-07-01T00:00:00Z")
    npm_registry("@sky/weather", "1.2.0", bin="index.js", dependencies={"wind": "^1"}, published="2026-05-01T00:00:00Z")
    npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS, before=BEFORE)
    locked = json.loads((service_folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert locked["node_modules/wind"]["version"] == "1.0.0"
    with pytest.raises(SourceError) as refused:
        npm_packages.lock(npm_source(), service_folder, HOME, PROGRESS, upgrade=True, before=BEFORE.replace(month=2))
    assert "--min-age" in refused.value.next_step


def test_a_go_program_is_old_enough_or_refused(go_proxy: Path, service_folder: Path) -> None:
    for version, published in (("v1.0.0", "2026-01-01"), ("v1.1.0", "2026-05-01"), ("v1.2.0", "2026-07-01")):
        add_go_module(
            go_proxy, "example.org/weather", version, {"main.go": PROGRAM}, published=f"{published}T00:00:00Z"
        )
    assert go_programs.find("example.org/weather", HOME, PROGRESS, BEFORE).version == "v1.1.0"
    assert go_programs.find("example.org/weather@v1.0.0", HOME, PROGRESS, BEFORE).version == "v1.0.0"
    for wanted, before in (("@v1.2.0", BEFORE), ("", datetime(2025, 1, 1, tzinfo=UTC))):
        with pytest.raises(SourceError) as refused:
            go_programs.find(f"example.org/weather{wanted}", HOME, PROGRESS, before)
        assert "--min-age" in refused.value.next_step
    source = Source.model_validate({"go": "example.org/weather@v1.2.0"})
    with pytest.raises(SourceError, match="2026-07-01"):
        go_programs.lock(source, service_folder, HOME, PROGRESS, BEFORE)


def test_who_published_a_package_is_told_without_an_address(npm_registry: Add) -> None:
    npm_registry("@sky/weather", "1.2.0", bin="index.js", maintainers=[{"name": "sky", "email": "a@example.test"}])
    assert details.look_into(npm_source(), HOME, PROGRESS).publisher == "sky"
