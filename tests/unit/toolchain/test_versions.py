"""Tests that all files that name a version agree with versions.toml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolchain import versions

REPOSITORY = Path(__file__).parents[3]
GO_MODULE = REPOSITORY / "toolchain" / "from_source" / "pulumi-go"
PINNED = versions.load()


@pytest.mark.parametrize("package", sorted(PINNED.sdks))
def test_requirements_pin_the_same_sdk(package):
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert f"{package}=={PINNED.sdks[package]}" in [line.removesuffix(" \\") for line in lines]


@pytest.mark.parametrize("plugin", sorted(PINNED.plugins))
def test_the_installed_plugin_has_the_version_that_its_sdk_requires(plugin):
    assert PINNED.plugins[plugin] == PINNED.sdks[f"pulumi-{plugin}"]
    source = (GO_MODULE / "internal" / plugin / "provider.go").read_text(encoding="utf-8")
    assert f'const Version = "{PINNED.plugins[plugin]}"' in source


def test_the_go_module_builds_the_pinned_cli_and_bridge():
    required = dict(
        re.findall(r"^\s*(?:require )?(\S+) v(\S+)", (GO_MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert required["github.com/pulumi/pulumi/pkg/v3"] == PINNED.pulumi_cli
    assert required["github.com/pulumi/pulumi-terraform-bridge/v3"] == PINNED.terraform_bridge


def test_the_go_that_is_installed_can_build_the_module():
    (needed,) = re.findall(r"^go (\S+)$", (GO_MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    assert PINNED.go_minimum == needed
    assert versions.version_tuple(PINNED.go_wheel) >= versions.version_tuple(needed)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("v3.259.0", (3, 259, 0)), ("go1.26.8", (1, 26, 8)), ("1.41", (1, 41)), ("3.260.0-alpha.7", (3, 260, 0))],
)
def test_versions_compare_by_their_numbers(text, parts):
    assert versions.version_tuple(text) == parts


def test_a_text_without_a_number_is_no_version():
    with pytest.raises(ValueError, match="unknown"):
        versions.version_tuple("unknown")
