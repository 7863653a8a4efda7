"""Makes the folder of a new service from the template: its code under another name, a new service.yaml and README.

The template is a service that runs and is tested. In its code and tests the word `template` only means the service's
name, so that replacing the word makes a new service.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cli.services.naming import Identifiers
from infra.services.catalog import SPEC_FILE
from infra.services.contract import LOCK_FILE, digest

TEMPLATE = "template"
TEMPLATE_TITLE, TEMPLATE_PORT = 'TITLE = "模板 MCP"', "DEFAULT_PORT = 8002"
README = "README.md"
_WRITTEN_ANEW = {README, SPEC_FILE, LOCK_FILE}
_CACHES = {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
_TEXTS = Path(__file__).parent / "templates"


def create(servers: Path, identifiers: Identifiers, port: int, title: str) -> Path:
    """Make mcp-servers/<name>/ atomically, and return the folder. Raises FileExistsError if it exists."""
    with tempfile.TemporaryDirectory(prefix=".new-service-", dir=servers.parent) as temporary:
        # The temporary folder is beside mcp-servers/: there it does not count as a service, and can be renamed.
        draft = Path(temporary) / identifiers.name
        for path, text in files(servers / TEMPLATE, identifiers, port, title):
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_text(text, encoding="utf-8", newline="\n")
        target = servers / identifiers.name
        if target.exists():
            raise FileExistsError(target)
        draft.rename(target)
    return target


def files(template: Path, identifiers: Identifiers, port: int, title: str) -> Iterator[tuple[Path, str]]:
    """Yield path within the folder and text of each file of a new service.

    Raises ValueError if the template no longer has the lines with its title and port.
    """
    for path in sorted(template.rglob("*")):
        relative = path.relative_to(template)
        hidden = any(part in _CACHES or part.startswith(".") for part in relative.parts)
        if path.is_dir() or hidden or path.suffix == ".pyc" or str(relative) in _WRITTEN_ANEW:
            continue
        text = renamed(path.read_text(encoding="utf-8"), identifiers)
        if path.name == "service.py":
            text = _replaced(text, TEMPLATE_TITLE, f"TITLE = {json.dumps(title, ensure_ascii=False)}", relative)
            text = _replaced(text, TEMPLATE_PORT, f"DEFAULT_PORT = {port}", relative)
        yield Path(renamed(relative.as_posix(), identifiers)), text
    lock = json.loads((template / LOCK_FILE).read_text(encoding="utf-8"))
    yield Path(LOCK_FILE), renamed_lock(lock, identifiers)
    environment = Environment(loader=FileSystemLoader(_TEXTS), undefined=StrictUndefined, keep_trailing_newline=True)
    for name in (README, SPEC_FILE):
        values = {"id": identifiers, "port": port, "title": title, "quoted": json.dumps(title, ensure_ascii=False)}
        yield Path(name), environment.get_template(f"{name}.j2").render(values)


def renamed(text: str, identifiers: Identifiers) -> str:
    """Return `text` of the template with another service's name in identifiers, variables, prose and strings."""
    text = re.sub(r"template(?=_)|(?<=_)template", identifiers.snake, text)
    for word, name in (("TEMPLATE", identifiers.upper), ("Template", identifiers.camel), (TEMPLATE, identifiers.name)):
        text = text.replace(word, name)
    return text


def renamed_lock(lock: dict[str, Any], identifiers: Identifiers) -> str:
    """Return the template's tools.lock.json for another service, as dyber_kit.contract would write it."""
    new: dict[str, Any] = json.loads(renamed(json.dumps(lock), identifiers))
    for tool in new["tools"].values():
        visible = {key: value for key, value in tool.items() if key != "sha256"}
        tool["sha256"] = digest(visible)
    new["sha256"] = digest(new["tools"])
    return json.dumps(new, ensure_ascii=False, indent=2) + "\n"


def _replaced(text: str, old: str, new: str, file: Path) -> str:
    if text.count(old) != 1:
        raise ValueError(f"mcp-servers/{TEMPLATE}/{file.as_posix()} must have the line {old!r} once")
    return text.replace(old, new)
