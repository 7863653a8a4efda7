"""Compares what a plugin built here speaks with what the Python SDK on PyPI says.

`python -m toolchain.pulumi.sdk_comparison docker` prints the differences; part of every upgrade. The plugin's side is the
names.json that the build puts beside the plugin (toolchain/from_source/pulumi-go/internal/names).
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
from pulumi import _types  # the only place where the SDK keeps wire names and types of properties

# "str", ["list", type], ["map", type], or {wire name: type}
Type = Any
Properties = dict[str, Any]

KNOWN_DIFFERENCES = {
    "docker": {
        "docker:index/image:Image: only in the SDK",  # native to the official plugin; RemoteImage(build=…) is in both
        "docker:index/volume:Volume (input).cluster.id: only in the SDK (plugin: output only)",
    },
    "random": set(),
}


@dataclass
class Comparison:
    """tokens: resources and functions seen on either side. properties: how many the plugin has, nested ones included."""

    tokens: int = 0
    properties: int = 0
    differences: list[str] = field(default_factory=list)


def compare(plugin: str, names_file: Path) -> Comparison:
    """plugin: `docker` or `random`, whose SDK must be importable."""
    speaks = json.loads(names_file.read_text(encoding="utf-8"))
    seen = {"config"}
    result = Comparison()
    for module in _modules(f"pulumi_{plugin}"):
        for token, found in [*_compare_resources(module, speaks), *_compare_functions(module, speaks)]:
            if token in speaks:
                seen.add(token)
            result.differences += found
    result.differences += [f"{token}: only in the plugin" for token in sorted(set(speaks) - seen)]
    result.tokens = len(seen) - 1
    result.properties = sum(_count(properties) for properties in speaks.values())
    return result


def _modules(package_name: str) -> list[ModuleType]:
    package = importlib.import_module(package_name)
    return [
        importlib.import_module(f"{package_name}.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
        if not found.name.startswith("_") and found.name != "config"
    ]


def _compare_resources(module: ModuleType, speaks: Properties) -> Iterator[tuple[str, list[str]]]:
    for name, resource in inspect.getmembers(module, inspect.isclass):
        if not issubclass(resource, pulumi.Resource) or resource.__module__ != module.__name__:
            continue
        is_provider = issubclass(resource, pulumi.ProviderResource)
        token = "config" if is_provider else resource.pulumi_type  # type: ignore[attr-defined]
        if token not in speaks:
            yield token, [f"{token}: only in the SDK"]
            continue
        found: list[str] = []
        if not is_provider:
            outputs = {wire: _normal(hint) for wire, hint in _types.resource_types(resource).items()}
            found += _differences(token, _without_id(speaks[token]), outputs, inputs_only=False)
        arguments = {
            wire: _normal(hint) for wire, hint in _types.input_type_types(getattr(module, f"{name}Args")).items()
        }
        found += _differences(f"{token} (input)", speaks[token], arguments, inputs_only=True)
        yield token, found


def _compare_functions(module: ModuleType, speaks: Properties) -> Iterator[tuple[str, list[str]]]:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ != module.__name__ or not name.startswith("get_") or name.endswith("_output"):
            continue
        source = inspect.getsource(function)
        invoked, result_type = re.search(r"invoke\('([^']+)'", source), re.search(r"typ=(\w+)", source)
        if not invoked or not result_type:
            continue
        token = invoked[1]
        if token not in speaks:
            yield token, [f"{token}: only in the SDK"]
            continue
        outputs = {
            wire: _normal(hint) for wire, hint in _types.output_type_types(getattr(module, result_type[1])).items()
        }
        found = list(_differences(token, _without_id(speaks[token]), _without_id(outputs), inputs_only=False))
        passed = set(re.findall(r"__args__\['(\w+)'\]", source))
        taken = {wire for wire, property_ in speaks[token].items() if property_["input"]}
        found += [
            f"{token} (args): only in the {'SDK' if wire in passed else 'plugin'}: {wire}"
            for wire in sorted(passed ^ taken)
        ]
        yield token, found


def _normal(hint: Any) -> Type:
    """A Python annotation in the form that the plugin's names are in."""
    while True:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Union:
            hint = _of_union(arguments)
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


def _of_union(members: tuple[Any, ...]) -> Any:
    """The member that says most: an args class, else the plain type; not None, outputs or typed dictionaries."""
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
        wanted = {wire: property_ for wire, property_ in plugin.items() if property_["input"] or not inputs_only}
        for wire in sorted(set(wanted) | set(sdk)):
            if wire not in wanted:
                yield f"{path}.{wire}: only in the SDK" + (" (plugin: output only)" if wire in plugin else "")
            elif wire not in sdk:
                yield f"{path}.{wire}: only in the plugin (Terraform: {wanted[wire]['terraform']})"
            else:
                yield from _differences(f"{path}.{wire}", wanted[wire]["type"], sdk[wire], inputs_only)
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
    """Print how a plugin and its SDK differ; returns 1 if a difference is not among the known ones."""
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
