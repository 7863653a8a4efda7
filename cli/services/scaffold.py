"""Makes the folder of a new service from the example of its kind: the example's files under another name."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cli.services.kinds import KINDS, PLAIN, TEMPLATES, Kind
from cli.services.naming import Identifiers
from infra.services.catalog import SPEC_FILE
from infra.services.contract import LOCK_FILE, digest

README = "README.md"
#: Files about the example itself, when the example is deployed.
_WRITTEN_ANEW = {README, SPEC_FILE}
#: `TEMPLATES` within the repository.
_TEMPLATES_PATH = TEMPLATES.relative_to(TEMPLATES.parents[2]).as_posix()
_CACHES = {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}


def create(servers: Path, identifiers: Identifiers, port: int, title: str, kind: Kind = KINDS[PLAIN]) -> Path:
    """Make mcp-servers/<name>/ atomically, and return the folder. Raises FileExistsError if it exists."""
    with tempfile.TemporaryDirectory(prefix=".new-service-", dir=servers.parent) as temporary:
        # The temporary folder is beside mcp-servers/: there it does not count as a service, and can be renamed.
        draft = Path(temporary) / identifiers.name
        for path, text in files(servers, identifiers, port, title, kind):
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_text(text, encoding="utf-8", newline="\n")
        target = servers / identifiers.name
        if target.exists():
            raise FileExistsError(target)
        draft.rename(target)
    return target


def files(
    servers: Path, identifiers: Identifiers, port: int, title: str, kind: Kind = KINDS[PLAIN]
) -> Iterator[tuple[Path, str]]:
    """Yield path within the folder and text of each file of a new service.

    Raises ValueError if a file of the example no longer has the example's title and port.
    """
    example = kind.folder(servers)
    quoted = json.dumps(title, ensure_ascii=False)
    for path in sorted(example.rglob("*")):
        relative = path.relative_to(example)
        hidden = any(part in _CACHES or part.startswith(".") for part in relative.parts)
        if path.is_dir() or hidden or path.suffix == ".pyc" or (kind.deployed and str(relative) in _WRITTEN_ANEW):
            continue
        text = path.read_text(encoding="utf-8")
        if path.name == LOCK_FILE:
            yield relative, renamed_lock(json.loads(text), kind.example, identifiers)
            continue
        if path.name in ("service.py", SPEC_FILE) or path.suffix == ".md":
            # The port comes first, as the name and the title may have the same digits.
            text = _replaced(text, str(kind.port), str(port), path)
        text = renamed(text, kind.example, identifiers)
        if path.suffix == ".po":
            # A catalogue names the files that have its texts.
            text = text.replace(_TEMPLATES_PATH, servers.name)
        elif path.name in ("service.py", SPEC_FILE):
            text = _replaced(text, json.dumps(kind.title, ensure_ascii=False), quoted, path)
        elif path.suffix == ".md":
            text = _replaced(text, kind.title, title, path)
        yield Path(renamed(relative.as_posix(), kind.example, identifiers)), text
    if kind.deployed:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
        )
        values = {"id": identifiers, "port": port, "title": title, "quoted": quoted}
        for name in (README, SPEC_FILE):
            yield Path(name), environment.get_template(f"{name}.j2").render(values)


def renamed(text: str, example: Identifiers, identifiers: Identifiers) -> str:
    """Return `text` of an example with another service's name in identifiers, variables, prose and strings."""
    snake = example.snake
    if snake == example.name:
        # The name has no hyphen: only an underscore beside it tells an identifier from the name.
        snake = rf"{snake}(?=_)|(?<=_){snake}"
    forms = (("snake", snake), ("upper", example.upper), ("camel", example.camel), ("name", example.name))
    pattern = "|".join(f"(?P<{form}>{word})" for form, word in forms)
    return re.sub(pattern, lambda match: str(getattr(identifiers, match.lastgroup or "name")), text)


def renamed_lock(lock: dict[str, Any], example: Identifiers, identifiers: Identifiers) -> str:
    """Return the example's tools.lock.json for another service, as dyber_kit.contract would write it."""
    new: dict[str, Any] = json.loads(renamed(json.dumps(lock, ensure_ascii=False), example, identifiers))
    for tool in new["tools"].values():
        visible = {key: value for key, value in tool.items() if key != "sha256"}
        tool["sha256"] = digest(visible)
    new["sha256"] = digest(new["tools"])
    return json.dumps(new, ensure_ascii=False, indent=2) + "\n"


def _replaced(text: str, old: str, new: str, file: Path) -> str:
    if text.count(old) != 1:
        raise ValueError(f"{file.as_posix()} must have {old!r} once")
    return text.replace(old, new)
