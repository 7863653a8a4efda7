"""Tests where the mirrors come from: variables, the host's apt and pip configuration, defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.mirrors import Mirrors

DEB822 = """\
Types: deb
URIs: https://packages.vendor.example/apt
Suites: stable
Components: main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: trixie

Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: trixie-security
Components: main
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """The /etc of a Debian host without package sources."""
    folder = tmp_path / "etc"
    (folder / "apt" / "sources.list.d").mkdir(parents=True)
    (folder / "os-release").write_text('PRETTY_NAME="Debian GNU/Linux 13"\nID=debian\n')
    return folder


def from_environment(etc: Path, **env: str) -> Mirrors:
    return Mirrors.from_environment({"HOME": str(etc.parent / "home"), **env}, etc)


def test_without_any_configuration_the_public_defaults_are_used(etc):
    assert from_environment(etc) == Mirrors()


def test_the_deb822_sources_of_the_host_are_used(etc):
    (etc / "apt/sources.list.d/debian.sources").write_text(DEB822)
    mirrors = from_environment(etc)
    assert (mirrors.apt, mirrors.apt_security) == (
        "http://mirror.example/debian",
        "http://mirror.example/debian-security",
    )


def test_the_one_line_sources_of_the_host_are_used(etc):
    (etc / "apt/sources.list").write_text(
        "# deb http://old.example/debian bullseye main\ndeb [arch=amd64] http://line.example/debian/ bookworm main\n"
    )
    assert from_environment(etc).apt == "http://line.example/debian"


def test_the_sources_of_another_distribution_are_ignored(etc):
    (etc / "os-release").write_text("ID=ubuntu\nID_LIKE=debian\n")
    (etc / "apt/sources.list").write_text("deb http://archive.example/debian noble main\n")
    assert from_environment(etc) == Mirrors()


def test_the_mirror_of_the_variable_is_used_with_its_security_archive(etc):
    (etc / "apt/sources.list.d/debian.sources").write_text(DEB822)
    mirrors = from_environment(etc, DYBER_APT_MIRROR="http://mine.example/debian/")
    assert (mirrors.apt, mirrors.apt_security) == ("http://mine.example/debian", "http://mine.example/debian-security")
    chosen = from_environment(
        etc, DYBER_APT_MIRROR="http://mine.example/debian", DYBER_APT_SECURITY_MIRROR="http://safe.example/s"
    )
    assert chosen.apt_security == "http://safe.example/s"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"DYBER_PIP_INDEX_URL": "https://a.example/simple", "PIP_INDEX_URL": "https://b.example/simple"},
            "https://a.example/simple",
        ),
        ({"PIP_INDEX_URL": "https://b.example/simple"}, "https://b.example/simple"),
        ({}, "https://c.example/simple"),
    ],
)
def test_the_pypi_index_comes_from_our_variable_else_that_of_pip_else_its_file(etc, env, expected):
    (etc / "pip.conf").write_text("[global]\nindex-url = https://c.example/simple\n")
    assert from_environment(etc, **env).pip_index_url == expected


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"DYBER_NPM_REGISTRY": "https://a.example/", "NPM_CONFIG_REGISTRY": "https://b.example"}, "https://a.example"),
        ({"NPM_CONFIG_REGISTRY": "https://b.example"}, "https://b.example"),
        ({}, "https://user.example/npm"),
    ],
)
def test_the_npm_registry_comes_from_our_variable_else_that_of_npm_else_its_file(etc, env, expected):
    (etc / "npmrc").write_text("registry=https://machine.example\n")
    user_file = etc.parent / "home/.npmrc"
    user_file.parent.mkdir(parents=True, exist_ok=True)
    user_file.write_text("fund=false\nregistry = https://user.example/npm/\n//user.example/npm/:_authToken=secret\n")
    assert from_environment(etc, **env).npm_registry == expected


def test_a_registry_that_npm_itself_has_to_complete_is_not_used(etc):
    (etc / "npmrc").write_text("registry=https://${HOST}/npm\n")
    assert from_environment(etc).npm_registry is None


def test_the_pip_file_of_the_user_overrides_that_of_the_machine(etc):
    (etc / "pip.conf").write_text("[global]\nindex-url = https://machine.example/simple\n")
    user_file = etc.parent / "home/.config/pip/pip.conf"
    user_file.parent.mkdir(parents=True)
    user_file.write_text("[global]\nindex-url = https://user.example/simple\n")
    assert from_environment(etc).pip_index_url == "https://user.example/simple"


def test_a_ca_bundle_that_does_not_exist_is_not_used(etc, tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("certificates")
    missing = str(tmp_path / "missing.pem")
    assert from_environment(etc, DYBER_CA_BUNDLE=missing, SSL_CERT_FILE=str(bundle)).ca_bundle == bundle
    assert from_environment(etc, DYBER_CA_BUNDLE=missing).ca_bundle is None


def test_the_registry_prefix_goes_in_front_of_image_names(etc):
    assert (
        from_environment(etc, DYBER_REGISTRY="registry.example/library/").image("debian:trixie-slim")
        == "registry.example/library/debian:trixie-slim"
    )
    assert from_environment(etc).image("debian:trixie-slim") == "debian:trixie-slim"
