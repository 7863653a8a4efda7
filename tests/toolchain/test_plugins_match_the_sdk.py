"""Tests that the plugins differ from the Python SDKs only where that is known."""

from __future__ import annotations

import pytest

from toolchain import versions
from toolchain.pulumi import pulumi_cli, sdk_comparison


@pytest.mark.parametrize(("plugin", "tokens", "properties"), [("docker", 17, 624), ("random", 10, 67)])
def test_a_plugin_has_the_tokens_and_properties_of_its_sdk(home, plugin, tokens, properties):
    tool = pulumi_cli.find_plugin(home, versions.load(), plugin)
    assert tool is not None
    if tool.origin != pulumi_cli.BUILT:
        pytest.skip("the official plugin is installed; only plugins built from source are compared")
    result = sdk_comparison.compare(plugin, tool.path.with_name("names.json"))
    assert set(result.differences) == sdk_comparison.KNOWN_DIFFERENCES[plugin]
    assert (result.tokens, result.properties) == (tokens, properties)


def test_the_comparison_finds_a_renamed_property(home, tmp_path):
    tool = pulumi_cli.find_plugin(home, versions.load(), "random")
    assert tool is not None
    names = tool.path.with_name("names.json").read_text(encoding="utf-8")
    changed = tmp_path / "names.json"
    changed.write_text(names.replace('"minUpper"', '"minimumUpper"'), encoding="utf-8")
    differences = sdk_comparison.compare("random", changed).differences
    assert any("minUpper: only in the SDK" in line for line in differences)
    assert any("minimumUpper: only in the plugin" in line for line in differences)
