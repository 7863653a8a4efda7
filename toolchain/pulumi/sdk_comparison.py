"""Compares the tokens and properties of a plugin that was built from source with those of the Python SDK on PyPI.

`python -m toolchain.pulumi.sdk_comparison docker` prints the differences; every upgrade includes this check. The names
of the plugin are in the names.json that the build puts beside it (toolchain/from_source/pulumi-go/internal/names).
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import sys
import typing
from collections import abc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pulumi
from pulumi import _types  # the SDK has the wire names and types of properties nowhere else

# "str", ["list", type], ["map", type], or {wire name: type}
Type = Any
Properties = dict[str, Any]

KNOWN_DIFFERENCES = {
    "docker": {
        "docker:index/image:Image: only in the SDK",  # the official plugin adds it; RemoteImage(build=…) is in both
        "docker:index/volume:Volume (input).cluster.id: only in the SDK (plugin: output only)",
    },
    "random": set(),
}


@dataclass
class Comparison:
    """The result. tokens: number of resources and functions compared. properties: number of the plugin's properties."""

    tokens: int = 0
    properties: int = 0
    differences: list[str] = field(default_factory=list)


def compare(plugin: str, names_file: Path) -> Comparison:
    """Compare the plugin `docker` or `random`, whose names are in `names_file`, with its installed SDK."""
    plugin_names = json.loads(names_file.read_text(encoding="utf-8"))
    seen = {"config"}
    result = Comparison()
    for module in _modules(f"pulumi_{plugin}"):
        compared = [*_compare_resources(module, plugin_names), *_compare_functions(module, plugin_names)]
        for token, differences in compared:
            if token in plugin_names:
                seen.add(token)
            result.differences += differences
    result.differences += [f"{token}: only in the plugin" for token in sorted(set(plugin_names) - seen)]
    result.tokens = len(seen) - 1
    result.properties = sum(_count(properties) for properties in plugin_names.values())
    return result


def _modules(package_name: str) -> list[ModuleType]:
    package = importlib.import_module(package_name)
    return [
        importlib.import_module(f"{package_name}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_") and module.name != "config"
    ]


def _compare_resources(module: ModuleType, plugin_names: Properties) -> Iterator[tuple[str, list[str]]]:
    for name, resource in inspect.getmembers(module, inspect.isclass):
        if not issubclass(resource, pulumi.Resource) or resource.__module__ != module.__name__:
            continue
        is_provider = issubclass(resource, pulumi.ProviderResource)
        token = "config" if is_provider else resource.pulumi_type  # type: ignore[attr-defined]
        if token not in plugin_names:
            yield token, [f"{token}: only in the SDK"]
            continue
        differences: list[str] = []
        if not is_provider:
            outputs = {wire: _normal(hint) for wire, hint in _types.resource_types(resource).items()}
            differences += _differences(token, _without_id(plugin_names[token]), outputs, inputs_only=False)
        arguments = {
            wire: _normal(hint) for wire, hint in _types.input_type_types(getattr(module, f"{name}Args")).items()
        }
        differences += _differences(f"{token} (input)", plugin_names[token], arguments, inputs_only=True)
        yield token, differences


def _compare_functions(module: ModuleType, plugin_names: Properties) -> Iterator[tuple[str, list[str]]]:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ != module.__name__ or not name.startswith("get_") or name.endswith("_output"):
            continue
        source = inspect.getsource(function)
        invoked, result_type = re.search(r"invoke\('([^']+)'", source), re.search(r"typ=(\w+)", source)
        if not invoked or not result_type:
            continue
        token = invoked[1]
        if token not in plugin_names:
            yield token, [f"{token}: only in the SDK"]
            continue
        outputs = {
            wire: _normal(hint) for wire, hint in _types.output_type_types(getattr(module, result_type[1])).items()
        }
        properties = _without_id(plugin_names[token])
        differences = list(_differences(token, properties, _without_id(outputs), inputs_only=False))
        passed = set(re.findall(r"__args__\['(\w+)'\]", source))
        taken = {wire for wire, property_ in plugin_names[token].items() if property_["input"]}
        differences += [
            f"{token} (args): only in the {'SDK' if wire in passed else 'plugin'}: {wire}"
            for wire in sorted(passed ^ taken)
        ]
        yield token, differences


def _normal(hint: Any) -> Type:
    """Return a Python annotation in the form of the types in names.json."""
    while True:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Union:
            hint = _member_of_union(arguments)
        elif origin in (pulumi.Output, abc.Awaitable):
            hint = arguments[0]
        else:
            break
    if origin in (list, abc.Sequence):
        return ["list", _normal(arguments[0])]
    if origin in (dict, abc.Mapping):
        return ["map", _normal(arguments[1])]
    if hint in (int, str, bool, float):
        return hint.__name__
    if inspect.isclass(hint) and _types.is_input_type(hint):
        return {wire: _normal(inner) for wire, inner in _types.input_type_types(hint).items()}
    if inspect.isclass(hint) and _types.is_output_type(hint):
        return {wire: _normal(inner) for wire, inner in _types.output_type_types(hint).items()}
    return "any"


def _member_of_union(members: tuple[Any, ...]) -> Any:
    """Return the member with most information: an args class, else a plain type; no output or typed dictionary."""
    plain = [member for member in members if member is not type(None)]
    useful = [
        member
        for member in plain
        if typing.get_origin(member) not in (pulumi.Output, abc.Awaitable)
        and not isinstance(member, str)
        and getattr(member, "__total__", None) is None
    ]
    candidates = useful or plain
    return next(
        (member for member in candidates if inspect.isclass(member) and _types.is_input_type(member)), candidates[0]
    )


def _differences(path: str, plugin: Type, sdk: Type, inputs_only: bool) -> Iterator[str]:
    if isinstance(plugin, dict) and isinstance(sdk, dict):
        compared = {wire: property_ for wire, property_ in plugin.items() if property_["input"] or not inputs_only}
        for wire in sorted(set(compared) | set(sdk)):
            if wire not in compared:
                yield f"{path}.{wire}: only in the SDK" + (" (plugin: output only)" if wire in plugin else "")
            elif wire not in sdk:
                yield f"{path}.{wire}: only in the plugin (Terraform: {compared[wire]['terraform']})"
            else:
                yield from _differences(f"{path}.{wire}", compared[wire]["type"], sdk[wire], inputs_only)
    elif isinstance(plugin, list) and isinstance(sdk, list) and plugin[0] == sdk[0]:
        yield from _differences(f"{path}[]", plugin[1], sdk[1], inputs_only)
    elif plugin != sdk:
        yield f"{path}: {_short(plugin)} in the plugin, {_short(sdk)} in the SDK"


def _without_id(properties: Properties) -> Properties:
    return {wire: value for wire, value in properties.items() if wire != "id"}


def _short(type_: Type) -> str:
    if isinstance(type_, dict):
        return "object"
    return f"{type_[0]}<{_short(type_[1])}>" if isinstance(type_, list) else type_


def _count(type_: Type) -> int:
    if isinstance(type_, dict):
        return sum(1 + _count(property_["type"]) for property_ in type_.values())
    return _count(type_[1]) if isinstance(type_, list) else 0


def main(arguments: list[str]) -> int:
    """Print how a plugin and its SDK differ; returns 1 if the differences are not exactly the known ones."""
    from toolchain import versions
    from toolchain.home import DyberHome
    from toolchain.pulumi.pulumi_cli import find_plugin

    (plugin,) = arguments
    tool = find_plugin(DyberHome.from_environment(), versions.load(), plugin)
    names_file = tool.path.with_name("names.json") if tool else None
    if names_file is None or not names_file.exists():
        print(f"the plugin {plugin} was not built here: nothing to compare", file=sys.stderr)
        return 2
    result = compare(plugin, names_file)
    unknown = set(result.differences) ^ KNOWN_DIFFERENCES[plugin]
    print("\n".join(result.differences))
    print(
        f"{plugin}: {result.tokens} resources and functions, {result.properties} properties, {len(result.differences)} differences, {len(unknown)} of them not known before"
    )
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
