"""Reads keys and values of settings from a command line, such as `gateway.limits.requestsPerSecond 20`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

import typer
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cli.configuration.effective import KeyPath
from cli.deployment import deployment as stacks
from cli.stack_files.stack_file import StackFile
from infra.schema.corrections import nearest
from infra.schema.key_paths import dotted, parts
from infra.schema.setting_tree import ANY_KEY, Setting
from infra.services.catalog import SPEC_FILE
from infra.settings.names import MAIN_CLIENT, NAMESPACE, stack_file
from infra.settings.stack import setting_tree
from messages import tr

_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


def parse(key: str, tree: Setting) -> KeyPath:
    """Return the path of a key such as `gateway.bind`, with or without `dyber:`.

    Raises typer.BadParameter for an unknown key, naming the key that was probably meant.
    """
    text = key.removeprefix(f"{NAMESPACE}:")
    try:
        path = parts(text)
    except ValueError:
        path = ()
    if path and tree.find(path) is not None:
        return path
    near = (_with_dots_in_the_last_key(path, tree) or nearest(path, tree)) if path else None
    if near is None:
        written = {dotted(known): known for known, _ in tree.leaves()}
        matches = difflib.get_close_matches(text, written, n=1)
        near = written[matches[0]] if matches else None
    hint = tr("; did you mean {near}?", near=dotted(near)) if near else ""
    raise typer.BadParameter(
        tr("there is no key {key!r}", key=key)
        + (hint or tr("; known: {properties}", properties=", ".join(tree.properties)))
    )


def _with_dots_in_the_last_key(path: KeyPath, tree: Setting) -> KeyPath | None:
    """Return the path with its end joined into one free key, such as the tool `notes.search`; None for no setting."""
    for depth in range(1, len(path) - 1):
        parent = tree.find(path[:depth])
        if parent is None or parent.entry is None:
            continue
        if not parent.entry.properties and parent.entry.entry is None:
            return (*path[:depth], ".".join(path[depth:]))
    return None


def typed(text: str, setting: Setting) -> Any:
    """Read `text` as a value of a setting: number, boolean, list (`a,b` or `[a, b]`), mapping (JSON), or text.

    Text of another form is returned as it is; checking the settings refuses it.
    """
    types, word = setting.types, text.strip()
    if word in setting.choices:
        return word
    if (word.startswith("[") and "array" in types) or (word.startswith("{") and "object" in types):
        try:
            return YAML(typ="safe").load(word)
        except YAMLError:
            return text
    if "boolean" in types and word.lower() in (*_TRUE, *_FALSE):
        return word.lower() in _TRUE
    for name, number in (("integer", int), ("number", float)):
        if name in types:
            try:
                return number(word)
            except ValueError:
                pass
    if "array" in types:
        return [part.strip() for part in word.split(",") if part.strip()]
    return text


def write(file: StackFile, path: KeyPath, value: Any, tree: Setting) -> None:
    """Set the setting at `path` in `file` to a value; None removes it.

    A list in the place of a mapping with free keys becomes a mapping first, which keeps its default entries.
    """
    key, *rest = path
    if not rest:
        file.set(key, value)
        return
    setting = tree.properties[key]
    present = file.get(key)
    if setting.entry is not None and not isinstance(present, dict):
        names = present if isinstance(present, list) else setting.default or ()
        if names:
            file.set(key, {str(name): {} for name in names})
    file.set_in(key, rest, value)
    name = rest[0]
    # The names in such a mapping count even without settings: a client without settings is still a client.
    if (
        value is None
        and len(rest) > 1
        and setting.entry is not None
        and setting.default
        and name not in file.get(key, ())
    ):
        file.set_in(key, [name], {})


def complete_key(context: typer.Context, incomplete: str) -> list[str]:
    """Return the keys that begin with `incomplete`, for the completion of a shell."""
    return [key for key in _known(context) if key.startswith(incomplete)]


def complete_key_or_value(context: typer.Context, incomplete: str) -> list[str]:
    """Return what can follow in `KEY VALUE KEY VALUE …`, for the completion of a shell."""
    before: Sequence[str] = context.params.get("words") or ()
    if len(before) % 2 == 0:
        return complete_key(context, incomplete)
    try:
        setting = setting_tree().find(parts(before[-1].removeprefix(f"{NAMESPACE}:")))
    except ValueError:
        setting = None
    values = [] if setting is None else [*setting.choices, *(("true", "false") if "boolean" in setting.types else ())]
    return [value for value in values if value.startswith(incomplete)]


def _known(context: typer.Context) -> Iterator[str]:
    root = stacks.ROOT
    services = [file.parent.name for file in sorted((root / "mcp-servers").glob(f"*/{SPEC_FILE}"))]
    path = root / stack_file(str(context.params.get("stack") or "dev"))
    in_file = StackFile(path).get("clients") if path.is_file() else None
    clients = [str(name) for name in in_file or (MAIN_CLIENT,)]
    for leaf, _ in setting_tree().leaves():
        first, rest = leaf[0], leaf[1:]
        if not rest or rest[0] != ANY_KEY:
            yield dotted(leaf)
            continue
        # Free keys further down are not known, so the path ends at the mapping that holds them.
        known = rest[1 : rest.index(ANY_KEY, 1) if ANY_KEY in rest[1:] else None]
        yield from (dotted((first, name, *known)) for name in (services if first == "services" else clients))
