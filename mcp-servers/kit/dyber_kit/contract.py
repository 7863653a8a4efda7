"""Makes the contract of a service: all that agents see, kept in `tools.lock.json` and reviewed like code.

`python -m dyber_kit.contract PACKAGE` prints it; `--write FILE` writes it to a file; `--check FILE` compares them.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import hashlib
import importlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dyber_kit.serving.app import ServiceApp
from dyber_kit.settings import Settings


def tools_contract(app: ServiceApp) -> dict[str, Any]:
    """Return names, texts, schemas and annotations of the app's tools, each with its SHA-256.

    It is the same whatever accounts are configured: the schemas have the arguments for an account even where agents do
    not see them.

    The app's prompts, resources, templates of resources and completions follow under a key each, when it has any; the
    contract's SHA-256 then covers them too.

    `tools.lock.json` also has the tools that write: for it, build the app with `all_tools()`.
    """
    return asyncio.run(_contract(app))


async def _contract(app: ServiceApp) -> dict[str, Any]:
    tools = _entries(await app.mcp.list_contract(), "name")
    others: dict[str, Any] = {
        "prompts": _entries(await app.mcp.list_prompts(), "name"),
        "resources": _entries(await app.mcp.list_resources(), "uri"),
        "resource_templates": _entries(await app.mcp.list_resource_templates(), "uriTemplate"),
        "completions": app.mcp.completions.listed if app.mcp.completions else [],
    }
    offered = {kind: entries for kind, entries in others.items() if entries}
    covered = {"tools": tools, **offered} if offered else tools
    return {"service": app.mcp.name, "sha256": digest(covered), "tools": tools, **offered}


def _entries(listed: Iterable[BaseModel], key: str) -> dict[str, Any]:
    """Return what agents see of each listed item by its name or address, each with its SHA-256."""
    entries = {}
    for item in listed:
        visible = item.model_dump(mode="json", by_alias=True, exclude_none=True)
        name = visible.pop(key)
        entries[name] = {"sha256": digest(visible), **visible}
    return entries


def all_tools(port: int = 8000) -> Settings:
    """Return settings with which an app shows every tool, including those that write."""
    return Settings(port=port, read_only=False)


def render(contract: dict[str, Any]) -> str:
    """Return the contract as the text of `tools.lock.json`."""
    return json.dumps(contract, ensure_ascii=False, indent=2) + "\n"


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its names."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 when `--check` finds a difference, which is printed."""
    parser = argparse.ArgumentParser(prog="python -m dyber_kit.contract", description=__doc__)
    parser.add_argument("package", help="a service's package, for example template_server")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--write", type=Path, metavar="FILE")
    target.add_argument("--check", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    actual = render(tools_contract(importlib.import_module(f"{options.package}.service").build_app(all_tools())))
    if options.write:
        options.write.write_text(actual, encoding="utf-8")
        return 0
    if options.check:
        kept = options.check.read_text(encoding="utf-8") if options.check.exists() else ""
        lines = difflib.unified_diff(kept.splitlines(True), actual.splitlines(True), str(options.check), "tools now")
        difference = "".join(lines)
        sys.stdout.write(difference)
        return 1 if difference else 0
    sys.stdout.write(actual)
    return 0


if __name__ == "__main__":
    sys.exit(main())
