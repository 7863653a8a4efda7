"""Compiles and updates the catalogue of messages.

    python -m messages.catalogue            compile it, as the preparation of .venv does
    python -m messages.catalogue --update   first collect the texts of the code, and list those without a translation

Texts are collected from Python's syntax tree, as Babel's extraction does not find texts inside f-strings.
"""

from __future__ import annotations

import argparse
import ast
import string
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from messages import COMPILED, DOMAIN, FOLDER

ROOT = FOLDER.parent
PACKAGES = ("cli", "infra", "toolchain", "policy")
FUNCTIONS = ("tr", "mark")
CHINESE = FOLDER / "zh" / "LC_MESSAGES" / f"{DOMAIN}.po"


def collected() -> dict[str, list[tuple[str, int]]]:
    """Return all texts of the code with their files and lines. Raises ValueError for a text that is not a literal."""
    texts: dict[str, list[tuple[str, int]]] = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for text, line in _texts(file):
                texts.setdefault(text, []).append((file.relative_to(ROOT).as_posix(), line))
    return texts


def _texts(file: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            continue
        first = node.args[0]
        if isinstance(first, ast.JoinedStr) or (isinstance(first, ast.BinOp) and node.func.id == "tr"):
            raise ValueError(f"{file}:{node.lineno}: give values by name, not in an f-string")
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value, node.lineno


def read() -> Catalog:
    """Read the Chinese catalogue. Raises OSError, and ValueError if the catalogue is not well-formed."""
    with CHINESE.open("rb") as file:
        return read_po(file, locale="zh", domain=DOMAIN, abort_invalid=True)


def placeholders(text: str) -> set[str]:
    """Return the names in braces of a text."""
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}
    except ValueError:  # A text without values may have single braces.
        return set()


def update() -> list[str]:
    """Bring the catalogue up to date with the code; return the texts that have no translation."""
    template = Catalog()
    for text, places in collected().items():
        # Line numbers are left out, as they would change with every edit.
        files = [(file, None) for file in sorted({file for file, _ in places})]
        template.add(text, locations=files)  # type: ignore[arg-type]
    catalogue = read()
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    with CHINESE.open("wb") as file:
        write_po(file, catalogue, width=120, sort_output=True, omit_header=False)
    return [str(message.id) for message in catalogue if message.id and not message.string]


def compile_catalogue() -> None:
    """Write the compiled catalogue beside its source."""
    with tempfile.NamedTemporaryFile(dir=COMPILED.parent, suffix=".mo.part", delete=False) as file:
        write_mo(file, read())
    Path(file.name).replace(COMPILED)


def main(arguments: list[str]) -> int:
    """Compile the catalogue, with --update after updating it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m messages.catalogue", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--update", action="store_true", help="collect the texts of the code first")
    if parser.parse_args(arguments).update:
        for text in update():
            print(f"no translation: {text}", file=sys.stderr)
    compile_catalogue()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
