"""Generates the JSON Schema of a stack's file and the reference in both languages from the models of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cli.system.checkout import ROOT
from infra.schema.setting_tree import ANY_KEY, Setting
from infra.services.source import Source
from infra.settings.names import NAMESPACE, stack_file
from infra.settings.stack import setting_tree
from messages import in_language, mark

SCHEMA = "docs/stack.schema.json"
PAGES = {"zh": "docs/settings.md", "en": "docs/settings.en.md"}
#: The environments that the project has a stack file for, in the order of promotion.
ENVIRONMENTS = ("dev", "test", "prod")
#: Keys that commands write (promote, token rotate, deploy --no-cache); the reference does not show their values.
WRITTEN_BY_COMMANDS = {
    *(
        "image",
        "contract",
        "gatewayImage",
        "frontImage",
        "hubImage",
        "consoleImage",
        "cacheImage",
        "monitoringImage",
        "imagesInterface",
    ),
    *("tokens", "generation", "passwordGeneration"),
}

_SECURE = {
    "type": "object",
    "description": mark("An encrypted value, written by ./deploy.sh config set <key> --secret"),
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}
#: Keys that Pulumi writes into the file beside `config`.
_PULUMI_KEYS = ("encryptionsalt", "encryptedkey", "secretsprovider")
_TYPES = {
    "integer": ("整数", "integer"),
    "number": ("数字", "number"),
    "boolean": ("`true`、`false`", "`true`, `false`"),
    "string": ("文字", "text"),
    "array": ("列表", "list"),
    "object": ("键值对", "mapping"),
}


def files() -> dict[Path, str]:
    """Return the generated files with their texts."""
    contents = environment_files({name: (ROOT / stack_file(name)).read_text(encoding="utf-8") for name in ENVIRONMENTS})
    pages = {ROOT / path: page(language, contents) for language, path in PAGES.items()}
    return {ROOT / SCHEMA: json.dumps(schema(), ensure_ascii=False, indent=2) + "\n", **pages}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a `Pulumi.<stack>.yaml`, which allows everything in other namespaces."""
    tree = setting_tree()
    properties = {f"{NAMESPACE}:{key}": _tidy(setting.schema) for key, setting in tree.properties.items()}
    definitions = {name: _tidy(value, described=False) for name, value in tree.definitions.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pulumi.<stack>.yaml",
        "description": _in_both_languages(mark("The settings of a stack; see docs/settings.en.md")),
        "type": "object",
        "properties": {
            "config": {
                "type": ["object", "null"],
                "properties": properties,
                "propertyNames": {"anyOf": [{"enum": list(properties)}, {"not": {"pattern": f"^{NAMESPACE}:"}}]},
            },
            "environment": {},
            **{key: {"type": "string"} for key in _PULUMI_KEYS},
        },
        "additionalProperties": False,
        "$defs": {**definitions, "Secure": _tidy(_SECURE)},
    }


def environment_files(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return by environment the settings in the text of its stack file, without our namespace."""
    settings = {}
    for name, text in texts.items():
        config = (yaml.safe_load(text) or {}).get("config") or {}
        prefix = f"{NAMESPACE}:"
        settings[name] = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    return settings


def page(language: str, environments: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the reference in `zh` or `en`; `environments` are the settings that `environment_files` returns."""
    zh, tree = language == "zh", setting_tree()
    groups: dict[str, list[tuple[tuple[str, ...], Setting]]] = {"": []}
    for path, setting in _leaves(tree):
        groups.setdefault(path[0] if len(path) > 1 else "", []).append((path, setting))
    lines = [_HEAD_ZH if zh else _HEAD_EN]
    header = "| 键 | 取值 | 默认 | 环境 | 含义 |" if zh else "| Key | Values | Default | Environments | Meaning |"
    for group, rows in groups.items():
        title = group or ("顶层" if zh else "Top level")
        about = in_language(language, tree.properties[group].description) if group else ""
        lines += ["", f"## {title}", "", *([about + ("。" if zh else "."), ""] if about else [])]
        lines += [header, "|---|---|---|---|---|"]
        lines += [_row(path, setting, language, environments) for path, setting in rows]
    return "\n".join([*lines, *_source_section(language)]) + "\n"


def _source_section(language: str) -> list[str]:
    """Return the section about `source:` of a service.yaml, which is no setting of a stack but is written by people."""
    zh = language == "zh"
    rows = []
    for path, setting in _leaves(Setting.of(Source)):
        default = "–" if setting.default in (None, "", [], {}) else f"`{shown(setting.default)}`"
        meaning = in_language(language, setting.description)
        cells = [f"`source.{'.'.join(path)}`", kind(setting, language), default, meaning]
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    header = "| 键 | 取值 | 默认 | 含义 |" if zh else "| Key | Values | Default | Meaning |"
    return ["", _SOURCE_ZH if zh else _SOURCE_EN, "", header, "|---|---|---|---|", *rows]


def _leaves(tree: Setting) -> Iterable[tuple[tuple[str, ...], Setting]]:
    """Yield path and setting of each leaf; a list of objects is followed by their keys, as in `users[].client`."""
    for path, setting in tree.leaves():
        yield path, setting
        if setting.item is not None and setting.item.properties:
            for below, part in _leaves(setting.item):
                yield (*path[:-1], f"{path[-1]}[]", *below), part


def kind(setting: Setting, language: str) -> str:
    """Return which values a setting can have, in `zh` or `en`, as Markdown."""
    zh = language == "zh"
    if setting.secret:
        return "机密" if zh else "secret"
    words = [f"`{choice}`" for choice in setting.choices]
    types = sorted(setting.types - ({"string"} if setting.choices else set()))
    words += [_TYPES[name][0 if zh else 1] for name in types]
    return ("、" if zh else ", ").join(words) + _limits(setting, zh)


def _limits(setting: Setting, zh: bool) -> str:
    lower, upper = setting.bounds
    if lower is None and upper is None:
        return ""
    above = ">" if any("exclusiveMinimum" in form for form in setting.alternatives) else ""
    if upper is None:
        return f" {above}{lower} " + ("起" if zh else "and up")
    return f" {above}{lower}–{upper}"


def shown(value: Any) -> str:
    """Return a value as it is written in a stack's file; – for None."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value or "''"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items() if item is not None) + "}"
    return json.dumps(value)


def _row(path: tuple[str, ...], setting: Setting, language: str, environments: Mapping[str, Mapping[str, Any]]) -> str:
    values = []
    for name, content in environments.items():
        for found_path, value in _at(content, path):
            label = "" if found_path == path else f" {'.'.join(found_path)}"
            values.append(f"{name}{label}: `{'•••' if setting.secret else shown(value)}`")
    default = "–" if setting.default in (None, "") else f"`{shown(setting.default)}`"
    cells = [
        f"`{'.'.join(path)}`",
        kind(setting, language),
        default,
        "<br>".join(values) or "–",
        in_language(language, setting.description),
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _at(content: Any, path: tuple[str, ...], parent: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], Any]]:
    """Yield path and value of everything in `content` that matches `path`, where ANY_KEY matches every key."""
    if not path:
        yield parent, content
        return
    if isinstance(content, Mapping):
        for key in list(content) if path[0] == ANY_KEY else [path[0]]:
            if key in content and key not in WRITTEN_BY_COMMANDS:
                yield from _at(content[key], path[1:], (*parent, key))


def _tidy(value: Any, described: bool = True) -> Any:
    """Return a schema without titles and docstrings of Python, without additional keys, and with encrypted secrets."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    words = ("title",) if described else ("title", "description")
    # A property may be called `title` or `description` too; its value is then a schema, not text.
    tidied = {key: _tidy(item) for key, item in value.items() if key not in words or not isinstance(item, str)}
    if isinstance(tidied.get("description"), str):
        tidied["description"] = _in_both_languages(tidied["description"])
    if tidied.get("writeOnly"):
        return {"$ref": "#/$defs/Secure"}
    if "patternProperties" in tidied:
        tidied.setdefault("additionalProperties", False)
    return tidied


def _in_both_languages(message: str) -> str:
    """A description for editors, which show it as it is: a line in Chinese, then one in English."""
    return "\n".join(in_language(language, message) for language in PAGES)


_HEAD_ZH = f"""\
# 设置

[English](settings.en.md)

由设置的定义生成：`./deploy.sh config reference`；不要手工修改。

每个栈的设置在 `Pulumi.<栈>.yaml` 的 `config:` 之下，键前加 `{NAMESPACE}:`；写错的键和值会在做任何改变之前被指出来。

```bash
./deploy.sh config show                                      # 生效的设置，和各自的来源
./deploy.sh config show gateway.limits -s test
./deploy.sh config set gateway.limits.requestsPerSecond 20   # 检查全部设置，再写进栈文件
./deploy.sh config set profiles dev,cache
./deploy.sh config set cache.password --secret               # 询问或从标准输入读取，加密后写入
./deploy.sh config unset gateway.limits.requestsPerSecond
./deploy.sh config diff dev test                             # 两个栈的差异（有差异时退出码为 1）
./deploy.sh preview                                          # 然后看会改变什么
```

一个值依次取自：`.env`（只是这台机器上的，见[命令](commands.md)）、栈文件、服务的 `service.yaml` 或这台机器的镜像站变量、下表的默认。
各环境之间的不同只写在 [Pulumi.dev.yaml](../Pulumi.dev.yaml)、[Pulumi.test.yaml](../Pulumi.test.yaml) 和
[Pulumi.prod.yaml](../Pulumi.prod.yaml) 里，就是下表“环境”一列；由命令写入的（镜像、契约、令牌的轮换）不在其中。
机密只以 `secure:` 的密文写在文件里。

编辑器按栈文件第一行的 [JSON Schema]({Path(SCHEMA).name}) 补全和检查（VS Code 装 YAML 扩展）；新的栈文件也写上这一行：

```yaml
# yaml-language-server: $schema={SCHEMA}
config:
  {NAMESPACE}:gateway:
    portOffset: 30000
```

下表的键里，`{ANY_KEY}` 是自己取的名字，`[]` 是列表里的每一项。"""
_HEAD_EN = f"""\
# Settings

[中文](settings.md)

Generated from the definition of the settings by `./deploy.sh config reference`; do not edit.

The settings of a stack are below `config:` in `Pulumi.<stack>.yaml`; their keys begin with `{NAMESPACE}:`. A wrong key or
value is reported before anything changes.

```bash
./deploy.sh config show                                      # the settings in force, and where each comes from
./deploy.sh config show gateway.limits -s test
./deploy.sh config set gateway.limits.requestsPerSecond 20   # checks all settings, then writes the stack's file
./deploy.sh config set profiles dev,cache
./deploy.sh config set cache.password --secret               # asks for it or reads stdin, and encrypts it
./deploy.sh config unset gateway.limits.requestsPerSecond
./deploy.sh config diff dev test                             # how two stacks differ (exit code 1 when they do)
./deploy.sh preview                                          # then see what would change
```

A value comes from the first of these that sets it: `.env` (this machine only, see [commands](commands.en.md)), the
stack's file, the service's `service.yaml` or this machine's variables for mirrors, the default below.
The environments differ only in [Pulumi.dev.yaml](../Pulumi.dev.yaml), [Pulumi.test.yaml](../Pulumi.test.yaml) and
[Pulumi.prod.yaml](../Pulumi.prod.yaml). The column Environments below shows these values, except those that commands
write (images, contracts, the rotation of tokens). Secrets are in the file only encrypted, as `secure:`.

Editors complete and check stack files with the [JSON Schema]({Path(SCHEMA).name}) that the first line names (VS Code
with the YAML extension); write that line into a new stack file too:

```yaml
# yaml-language-server: $schema={SCHEMA}
config:
  {NAMESPACE}:gateway:
    portOffset: 30000
```

In the keys below, `{ANY_KEY}` is a name of your choice, and `[]` is each item of a list."""
_SOURCE_ZH = """\
## service.yaml 的 source

不用自己的代码、而用别人的 MCP 服务器的服务，在 `mcp-servers/<服务>/service.yaml` 里写 `source`，不写 `package`。
`npm`、`pypi`、`go`、`oci`、`url` 只写一个；版本总是确切的，锁定文件在旁边，用 `./deploy.sh lock <服务>` 重新生成。

```yaml
title: 高德地图
port: 8010
internet: true
source:
  npm: "@amap/amap-maps-mcp-server@0.0.8"
  command: mcp-amap
  tools: {maps_geo: read}
secrets: {AMAP_MAPS_API_KEY: required}
```

程序得到 `service.yaml` 里声明的变量和机密，以及 `PATH`、`HOME` 等几个固定的变量；栈里另外加的变量只给桥。"""
_SOURCE_EN = """\
## source in service.yaml

A service that runs an MCP server of others instead of code of its own has `source` in
`mcp-servers/<service>/service.yaml`, and no `package`. Exactly one of `npm`, `pypi`, `go`, `oci`, `url` is given; versions
are always exact, and the locks are beside it; `./deploy.sh lock <service>` writes them anew.

```yaml
title: 高德地图
port: 8010
internet: true
source:
  npm: "@amap/amap-maps-mcp-server@0.0.8"
  command: mcp-amap
  tools: {maps_geo: read}
secrets: {AMAP_MAPS_API_KEY: required}
```

The program gets the variables and secrets that `service.yaml` declares, and some fixed ones such as `PATH` and `HOME`;
variables that a stack adds are for the bridge only."""
