"""Packages of npm and programs of Go are found and locked by the real npm and Go, from registries of the tests' own.

Node and Go themselves come from PyPI, as they do for users, and stay in DYBER_HOME.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.services.sources import go_programs, npm_packages
from cli.services.sources.packages import SourceError, choose_program
from infra.services.source import Source
from infra.services.source_locks import load_program
from tests.support.registries import add_go_module, add_npm_package
from tests.support.wheels import served
from toolchain.home import DyberHome
from toolchain.progress import PlainProgress

PROGRESS = PlainProgress()
HOME = DyberHome.from_environment()
PROGRAM = "package main\n\nfunc main() {}\n"
Add = Callable[..., None]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Adds a package to the npm registry that the code under test uses."""
    registry = tmp_path / "registry"
    registry.mkdir()
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with served(registry) as address:
        monkeypatch.setenv("DYBER_NPM_REGISTRY", address)

        def package(name: str, version: str, **manifest: Any) -> None:
            add_npm_package(registry, address, name, version, **manifest)

        yield package


@pytest.fixture
def go_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the Go proxy that the code under test uses."""
    folder = tmp_path / "proxy"
    folder.mkdir()
    monkeypatch.setenv("DYBER_GOPROXY", folder.as_uri())
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    service = tmp_path / "mcp-servers" / "weather"
    service.mkdir(parents=True)
    return service


def npm_source(**values: Any) -> Source:
    return Source.model_validate({"npm": "@sky/weather@1.2.0", "command": "weather", **values})


def test_the_newest_version_of_a_package_is_found_with_its_programs(add: Add) -> None:
    add("@sky/weather", "1.0.0", bin="index.js")
    add("@sky/weather", "1.2.0", bin={"weather": "index.js"}, license="MIT", engines={"node": ">=20"})
    package = npm_packages.find("@sky/weather", HOME, PROGRESS)
    assert (package.reference, package.programs) == ("@sky/weather@1.2.0", ("weather",))
    assert (package.license, package.needs) == ("MIT", ">=20")


@pytest.mark.parametrize(
    ("wanted", "version"),
    [("@sky/weather@^1", "1.2.0"), ("@sky/weather@latest", "2.0.0"), ("@sky/weather@1.0.0", "1.0.0")],
)
def test_a_range_a_tag_and_a_version_become_an_exact_version(add: Add, wanted: str, version: str) -> None:
    for number in ("1.0.0", "1.2.0", "2.0.0"):
        add("@sky/weather", number, bin="index.js")
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
def test_an_unknown_package_or_version_is_refused_with_what_to_check(add: Add, wanted: str) -> None:
    add("@sky/weather", "1.2.0", bin="index.js")
    with pytest.raises(SourceError) as refused:
        npm_packages.find(wanted, HOME, PROGRESS)
    assert wanted in refused.value.message and "leave the version out" in refused.value.next_step


def test_an_npm_lock_has_the_hash_of_every_package_and_names_no_registry(add: Add, folder: Path) -> None:
    add("@sky/weather", "1.2.0", bin={"weather": "./dist/main.js"}, dependencies={"clouds": "^1.0.0"})
    add("clouds", "1.1.0")
    report = npm_packages.lock(npm_source(), folder, HOME, PROGRESS)
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert set(packages) == {"", "node_modules/@sky/weather", "node_modules/clouds"}
    assert "://" not in (folder / "package-lock.json").read_text() and report.packages == 2
    program = load_program(folder, npm_source())
    assert program.command == ("/opt/node/bin/node", "/opt/server/node_modules/@sky/weather/dist/main.js")
    assert {file.name for file in folder.iterdir()} == {"package.json", "package-lock.json"}


def test_install_scripts_are_told_and_do_not_run_when_a_package_is_locked(
    add: Add, folder: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    add("@sky/weather", "1.2.0", bin="index.js", dependencies={"clouds": "1.1.0"})
    add("clouds", "1.1.0", scripts={"install": f"touch {marker}"})
    report = npm_packages.lock(npm_source(), folder, HOME, PROGRESS)
    assert report.install_scripts == ("clouds",) and not marker.exists()


def test_a_package_that_asks_for_another_node_is_locked_with_a_warning(add: Add, folder: Path) -> None:
    add("@sky/weather", "1.2.0", bin="index.js", engines={"node": "<18"})
    (warning,) = npm_packages.lock(npm_source(), folder, HOME, PROGRESS).warnings
    assert "asks for Node <18" in warning


def test_npm_versions_stay_locked_unless_they_are_to_be_upgraded(add: Add, folder: Path) -> None:
    add("@sky/weather", "1.2.0", bin="index.js", dependencies={"clouds": "^1.0.0"})
    add("clouds", "1.1.0")
    npm_packages.lock(npm_source(), folder, HOME, PROGRESS)
    add("clouds", "1.2.0")
    npm_packages.lock(npm_source(), folder, HOME, PROGRESS)
    assert '"version": "1.1.0"' in (folder / "package-lock.json").read_text()
    npm_packages.lock(npm_source(), folder, HOME, PROGRESS, upgrade=True)
    assert '"version": "1.2.0"' in (folder / "package-lock.json").read_text()


def test_a_lock_that_fails_leaves_the_files_as_they_were(add: Add, folder: Path) -> None:
    add("@sky/weather", "1.2.0", bin="index.js", dependencies={"rain": "1.0.0"})
    (folder / "package.json").write_text("before")
    with pytest.raises(SourceError, match="npm cannot lock"):
        npm_packages.lock(npm_source(), folder, HOME, PROGRESS)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {"package.json": "before"}


def test_a_go_program_is_found_and_locked_with_its_hashes(go_proxy: Path, folder: Path) -> None:
    for version in ("v1.0.0", "v1.2.0"):
        add_go_module(go_proxy, "example.test/sky", version, {"cmd/weather/main.go": PROGRAM})
    package = go_programs.find("example.test/sky/cmd/weather", HOME, PROGRESS)
    assert package.reference == "example.test/sky/cmd/weather@v1.2.0"
    source = Source(go=package.reference)
    go_programs.lock(source, folder, HOME, PROGRESS)
    assert "example.test/sky v1.2.0 h1:" in (folder / "go.sum").read_text()
    assert load_program(folder, source).command == ("/opt/server/server",)


def test_a_go_library_is_refused_as_one(go_proxy: Path) -> None:
    add_go_module(go_proxy, "example.test/lib", "v1.0.0", {"lib.go": "package lib\n"})
    with pytest.raises(SourceError, match="is a library and not a program"):
        go_programs.find("example.test/lib", HOME, PROGRESS)


def test_an_unknown_version_of_a_go_program_is_refused_with_the_words_of_go(go_proxy: Path) -> None:
    add_go_module(go_proxy, "example.test/old", "v1.0.0", {"main.go": PROGRAM})
    with pytest.raises(SourceError) as refused:
        go_programs.find("example.test/old@v9.9.9", HOME, PROGRESS)
    assert "example.test/old@v9.9.9" in refused.value.message and "v9.9.9.info" in refused.value.message
