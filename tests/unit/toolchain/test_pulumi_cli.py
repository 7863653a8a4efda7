"""Tests which pulumi is used and how a missing one is installed, with stand-ins for Go, pip and the network."""

from __future__ import annotations

import dataclasses
import io
import threading
from pathlib import Path

import pytest

from toolchain import downloads, versions
from toolchain.errors import SetupError
from toolchain.from_source import go_build
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.pieces import Record, write_executable, write_record
from toolchain.progress import PlainProgress
from toolchain.pulumi import pulumi_cli

PINNED = versions.load()
QUIET = PlainProgress(io.StringIO())


def program(path: Path, prints: str) -> Path:
    write_executable(path, f"#!/bin/sh\necho {prints}\n")
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DyberHome:
    """An empty home; PATH has only the programs that the test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    home = DyberHome(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Make downloads unavailable and replace builds from Go modules; returns the targets of each build."""
    recorded: list[list[str]] = []

    def not_available(*_args, **_kwargs):
        raise downloads.NotAvailable("no network")

    def build(_home, _versions, _mirrors, targets, out: Path, _progress):
        recorded.append(sorted(targets))
        out.mkdir(parents=True)
        for target in targets:
            program(out / ("pulumi" if target == "pulumi" else f"pulumi-resource-{target}"), f"v{PINNED.pulumi_cli}")
            if target != "pulumi":
                (out / f"names-{target}.json").write_text("{}")

    def language_host(home: DyberHome, versions_, _mirrors, _progress):
        folder = pulumi_cli._language_host_folder(home, versions_)
        folder.mkdir(parents=True, exist_ok=True)
        write_record(folder, Record(versions_.sdks["pulumi"], "key", "pypi"))
        write_executable(home.bin / "pulumi-language-python", pulumi_cli._launcher_text(home, folder))

    monkeypatch.setattr(downloads, "fetch_pulumi", not_available)
    monkeypatch.setattr(downloads, "answers", lambda *_args, **_kwargs: False)
    monkeypatch.setattr(go_build, "build", build)
    monkeypatch.setattr(pulumi_cli, "_install_language_host", language_host)
    return recorded


def install(home: DyberHome) -> None:
    pulumi_cli.install(home, PINNED, Mirrors(), QUIET)


@pytest.mark.parametrize("version", [PINNED.pulumi_cli, "3.300.1", "4.0.0"])
def test_the_users_own_pulumi_is_used_when_it_is_new_enough(home, tmp_path, version):
    users_pulumi = program(tmp_path / "path" / "pulumi", f"v{version}")
    assert pulumi_cli.find_cli(home, PINNED) == pulumi_cli.Tool(users_pulumi, version, "system")


@pytest.mark.parametrize("prints", ["v3.100.0", "v2.999.0", "not a version"])
def test_a_pulumi_that_is_too_old_is_neither_used_nor_changed(home, tmp_path, builds, prints):
    users_pulumi = program(tmp_path / "path" / "pulumi", prints)
    before = users_pulumi.read_bytes()
    assert pulumi_cli.find_cli(home, PINNED) is None
    install(home)
    tool = pulumi_cli.find_cli(home, PINNED)
    assert tool is not None and tool.path == home.bin / "pulumi"
    assert users_pulumi.read_bytes() == before


def test_the_users_pulumi_is_used_with_the_language_host_beside_it(home, tmp_path):
    program(tmp_path / "path" / "pulumi", f"v{PINNED.pulumi_cli}")
    beside = program(tmp_path / "path" / "pulumi-language-python", "")
    tool = pulumi_cli.find_language_host(home, PINNED, pulumi_cli.find_cli(home, PINNED))
    assert tool is not None and tool.path == beside


def test_without_a_download_everything_missing_is_built_at_once(home, builds):
    assert pulumi_cli.missing(home, PINNED) == ["pulumi", "language-host", "docker", "random"]
    install(home)
    assert builds == [["docker", "pulumi", "random"]]
    assert pulumi_cli.missing(home, PINNED) == []
    plugin = pulumi_cli.find_plugin(home, PINNED, "docker")
    assert plugin is not None
    assert plugin.path == home.plugins / f"resource-docker-v{PINNED.plugins['docker']}" / "pulumi-resource-docker"


def test_a_second_installation_does_nothing(home, builds):
    install(home)
    install(home)
    assert len(builds) == 1


def test_two_set_ups_at_once_build_once(home, builds):
    failures = []

    def run() -> None:
        try:
            install(home)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(builds) == 1


def test_only_what_is_missing_is_built(home, tmp_path, builds):
    program(tmp_path / "path" / "pulumi", f"v{PINNED.pulumi_cli}")
    program(tmp_path / "path" / "pulumi-language-python", "")
    program(home.plugins / f"resource-random-v{PINNED.plugins['random']}" / "pulumi-resource-random", "")
    install(home)
    assert builds == [["docker"]]


def test_a_language_host_whose_python_was_removed_is_installed_anew(home, builds):
    install(home)
    assert "language-host" not in pulumi_cli.missing(home, PINNED)
    python = pulumi_cli._language_host_folder(home, PINNED) / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to("/nowhere/python3")
    assert pulumi_cli.missing(home, PINNED) == ["language-host"]


def test_a_build_that_fails_leaves_nothing_installed(home, builds, monkeypatch):
    def fail(_home, _versions, _mirrors, _targets, out: Path, _progress):
        program(out / "pulumi", "half")
        raise SetupError("no module proxy")

    with monkeypatch.context() as broken:
        broken.setattr(go_build, "build", fail)
        with pytest.raises(SetupError, match="no module proxy"):
            install(home)
    assert pulumi_cli.missing(home, PINNED) == ["pulumi", "language-host", "docker", "random"]
    assert list(home.bin.iterdir()) == []
    install(home)
    assert pulumi_cli.missing(home, PINNED) == []


def test_plugins_built_from_other_sources_are_built_again(home, builds, monkeypatch):
    install(home)
    monkeypatch.setattr(go_build, "sources_key", lambda _versions: "changed-sources")
    assert pulumi_cli.missing(home, PINNED) == ["pulumi", "docker", "random"]
    install(home)
    assert len(builds) == 2


def test_a_plugin_whose_installation_was_interrupted_does_not_count(home):
    folder = home.plugins / f"resource-random-v{PINNED.plugins['random']}"
    program(folder / "pulumi-resource-random", "")
    assert pulumi_cli.find_plugin(home, PINNED, "random") is not None
    folder.with_name(folder.name + ".partial").touch()
    assert pulumi_cli.find_plugin(home, PINNED, "random") is None


def test_going_back_to_an_installed_version_only_links_it(home, builds):
    install(home)
    current = (home.bin / "pulumi").read_bytes()
    (home.bin / "pulumi").unlink()
    program(home.bin / "pulumi", "another version's")
    assert "pulumi" in pulumi_cli.missing(home, PINNED)
    install(home)
    assert (home.bin / "pulumi").read_bytes() == current
    assert len(builds) == 1


def test_the_official_release_is_used_with_its_language_host(home, builds, monkeypatch):
    def fetch(_version, _folders, into: Path, _progress, _ca_bundle):
        program(into / "pulumi", f"v{PINNED.pulumi_cli}")
        program(into / "pulumi-language-python", "")
        return "http://example"

    monkeypatch.setattr(downloads, "fetch_pulumi", fetch)
    install(home)
    assert builds == [["docker", "random"]]
    cli = pulumi_cli.find_cli(home, PINNED)
    host = pulumi_cli.find_language_host(home, PINNED, cli)
    assert cli is not None and host is not None
    assert (cli.origin, host.origin) == ("official", "official")
    assert host.path == home.bin / "pulumi-language-python"


@pytest.mark.parametrize(
    ("prints", "accepted"),
    [("go1.25.11", True), ("go1.26.0", True), ("go1.25.9", False), ("go1.19.8", False), ("devel", False)],
)
def test_go_on_path_is_used_when_it_is_new_enough(tmp_path, prints, accepted):
    go = program(tmp_path / "go", prints)
    assert go_build.go_is_new_enough(str(go), "1.25.11") is accepted


def test_the_build_neither_fills_nor_cleans_the_users_go_caches(home, monkeypatch):
    monkeypatch.setenv("GOMODCACHE", "/the/users/cache")
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    env = go_build.build_environment(home, Mirrors(goproxy="https://proxy.example"))
    assert Path(env["GOMODCACHE"]).is_relative_to(home.build)
    assert Path(env["GOCACHE"]).is_relative_to(home.build)
    assert env["GOPROXY"] == "https://proxy.example"
    assert "-mod=mod" not in env["GOFLAGS"]


def test_too_little_disk_space_is_reported_before_the_build(tmp_path):
    with pytest.raises(SetupError) as refused:
        go_build.require_disk(tmp_path / "not" / "yet" / "there", 1 << 60)
    assert refused.value.exit_code == 2
    assert "DYBER_HOME" in refused.value.next_step


def test_pip_gets_an_index_address_with_a_password_through_its_environment(home):
    mirrors = dataclasses.replace(Mirrors(), pip_index_url="https://user:secret@index.example/simple")
    assert go_build.pip_environment(mirrors)["PIP_INDEX_URL"] == mirrors.pip_index_url
