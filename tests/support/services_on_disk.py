"""Writes folders of services with lock files, for tests of what is made from contracts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.services.contract import LOCK_FILE, digest

READS, WRITES = {"readOnlyHint": True}, {"readOnlyHint": False, "destructiveHint": True}


def tool(annotations: Mapping[str, Any] = READS, **more: Any) -> dict[str, Any]:
    """Return a tool as a lock file has it, without its name."""
    entry = {
        "title": "标题",
        "description": "Does it.",
        "inputSchema": {"type": "object"},
        "annotations": {**annotations},
    }
    return {**entry, **more}


def hashed(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return entries by name, each with its hash."""
    return {name: {"sha256": digest(entry), **entry} for name, entry in entries.items()}


def write_service(
    servers: Path, name: str, port: int, tools: Mapping[str, Any] | None, text: str = "", **others: Any
) -> Path:
    """Write `servers`/`name`/ with a service.yaml, and with a lock file unless `tools` is None; return the folder.

    `text` are further lines of service.yaml; `others` are prompts and so on, in the form of the lock file.
    """
    folder = servers / name
    (folder / "a_server").mkdir(parents=True)
    (folder / "a_server" / "__main__.py").write_text("")
    yaml = f"title: {name.title()}\ndescription: About {name}.\nport: {port}\npackage: a_server\n{text}"
    (folder / "service.yaml").write_text(yaml, encoding="utf-8")
    if tools is not None:
        write_lock(folder, tools, **others)
    return folder


def write_lock(folder: Path, tools: Mapping[str, Any], **others: Any) -> None:
    """Write the lock file of a service with its hash."""
    listed = hashed(tools)
    covered = {"tools": listed, **others} if others else listed
    content = {"service": folder.name, "sha256": digest(covered), "tools": listed, **others}
    (folder / LOCK_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
