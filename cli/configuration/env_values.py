"""Writes `.env`: new keys after a deployment, and the main client's generated token, which old scripts read there.

Lines and comments of the user stay as they are; only the owner can read the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from cli.deployment.deployment import Deployment
from cli.stack_files.stack_file import replace_file
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import err
from infra.services.catalog import declared_secrets
from infra.settings.env_file import DEFAULT_STACK, bindings, file_name, keys, override_notice, text_of
from infra.settings.names import MAIN_CLIENT, stack_file
from infra.settings.stack import read_overrides
from messages import tr

TOKEN_KEY = "MCP_AUTH_TOKEN"
OWNER_ONLY = 0o600
_HEADER = """\
# 这台机器上 {stack} 栈的设置，优先于 {stack_file}；空着的键以该文件为准。不要提交到 git。
# Settings of the stack {stack} on this machine; they win over {stack_file}, which decides where a key is empty.
"""


def show_taken(stack: str) -> None:
    """Print which keys of the local env file are in force, never their values. Raises ConfigurationError."""
    if line := override_notice(read_overrides(ROOT, stack), stack):
        err.print(line, markup=False)


def completed(text: str, header: str, known_keys: list[str], values: Mapping[str, str]) -> str:
    """Return `text` with a line for each known key that it lacks; `values` fill keys that are empty.

    Values that the user wrote are never changed. An empty `text` starts with `header`.
    """
    result = []
    seen = set()
    for binding in bindings(text or header):
        line = binding.original.string
        if binding.key:
            seen.add(binding.key)
            if not binding.value and binding.key in values:
                line = with_value(line, values[binding.key])
        result.append(line)
    joined = "".join(result)
    if joined and not joined.endswith("\n"):
        joined += "\n"
    return joined + "".join(f"{key}={values.get(key, '')}\n" for key in known_keys if key not in seen)


def with_value(line: str, value: str) -> str:
    """Return a line of the file with another value; its comment and line end stay."""
    parts = re.fullmatch(r"(\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*)(?:=[^#\r\n]*?)?(\s*#[^\r\n]*)?(\r?\n?)", line)
    if parts is None:
        return line
    return f"{parts[1].rstrip(' ')}={value}{parts[2] or ''}{parts[3]}"


def without_value(text: str, key: str, value: str) -> str:
    """Return `text` with `key` emptied if its value is `value`."""
    return "".join(
        with_value(binding.original.string, "")
        if binding.key == key and binding.value == value
        else binding.original.string
        for binding in bindings(text)
    )


def complete(stack: str, tokens: Mapping[str, str]) -> None:
    """Bring the stack's env file up to date after a deployment; that of dev is created if it does not exist."""
    path = ROOT / file_name(stack)
    before = _read(path)
    if before is None and stack != DEFAULT_STACK:
        return
    values = {TOKEN_KEY: tokens[MAIN_CLIENT]} if MAIN_CLIENT in tokens else {}
    header = _HEADER.format(stack=stack, stack_file=stack_file(stack))
    text = completed(before or "", header, keys(declared_secrets(ROOT / "mcp-servers")), values)
    if text != before or path.stat().st_mode & 0o077:
        replace_file(path, text.encode(), OWNER_ONLY)
        if before is None:
            err.print(tr("wrote {name} (0600)", name=path.name))


def generated(deployment: Deployment) -> str | None:
    """Return the main client's token if the stack generated it; None if the user set it or nothing is deployed."""
    try:
        outputs = deployment.outputs()
    except StackError:
        return None
    if MAIN_CLIENT in outputs.get("chosen_tokens", []):
        return None
    tokens: dict[str, str] = outputs["tokens"]
    return tokens.get(MAIN_CLIENT)


def forget(stack: str, token: str | None) -> None:
    """Empty the line of the env file that repeats the generated `token`, which is no longer used."""
    path = ROOT / file_name(stack)
    text = _read(path)
    if token and text is not None and (after := without_value(text, TOKEN_KEY, token)) != text:
        replace_file(path, after.encode(), OWNER_ONLY)


def write(root: Path, stack: str, values: Mapping[str, str]) -> Callable[[], None]:
    """Set keys in the stack's env file in `root`; return a function that restores the file.

    The value '' empties a key; a key that the file lacks is not added for it.
    """
    path = root / file_name(stack)
    before = _read(path)
    text = before if before is not None else _HEADER.format(stack=stack, stack_file=stack_file(stack))
    lines = [
        with_value(binding.original.string, values[binding.key])
        if binding.key is not None and binding.key in values and (binding.value or values[binding.key])
        else binding.original.string
        for binding in bindings(text)
    ]
    present = {binding.key for binding in bindings(text)}
    missing = [f"{key}={value}\n" for key, value in values.items() if value and key not in present]
    if missing and lines and not lines[-1].endswith("\n"):
        lines.append("\n")
    after = "".join([*lines, *missing])
    if after != before and (before is not None or missing):
        replace_file(path, after.encode(), OWNER_ONLY)

    def undo() -> None:
        if before is None:
            path.unlink(missing_ok=True)
        elif _read(path) != before:
            replace_file(path, before.encode(), OWNER_ONLY)

    return undo


def _read(path: Path) -> str | None:
    try:
        return text_of(path)
    except FileNotFoundError:
        return None
