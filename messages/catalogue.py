"""Compiles and updates the catalogues of messages: the program's, the servers', the hub's and the console's.

    python -m messages.catalogue            compile the program's, as the preparation of .venv does
    python -m messages.catalogue --update   first collect the texts of all code, and list those without a translation

Servers and the console read their catalogues without compiling them; see `mcp-servers/kit/dyber_kit/language.py`. Texts
are collected from Python's syntax tree, as Babel's extraction does not find texts inside f-strings, and from that of
Jinja's templates.
"""

from __future__ import annotations

import argparse
import ast
import string
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from messages import COMPILED, DOMAIN, FOLDER

ROOT = FOLDER.parent


@dataclass(frozen=True)
class Source:
    """Says which code has the texts of a catalogue.

    Attributes:
        packages: Folders with the code, relative to the repository.
        functions: Functions whose first argument is a text; it must be a literal. Those of PLURAL_FUNCTIONS have a
            second text, the plural.
        chinese: The catalogue.
        excluded: Folder within `packages` whose code has catalogues of its own, or "".
    """

    packages: tuple[str, ...]
    functions: tuple[str, ...]
    chinese: Path
    excluded: str = ""


#: Functions whose first two arguments are the English singular and plural of a text.
PLURAL_FUNCTIONS = ("tr_plural",)
CONSOLE = "console/dyber_console"
#: Examples from which new services are made; each is a whole service.
EXAMPLES = "cli/services/templates"
PROGRAM = Source(
    ("cli", "infra", "toolchain", "policy"),
    ("tr", "mark"),
    FOLDER / "zh" / "LC_MESSAGES" / f"{DOMAIN}.po",
    excluded=EXAMPLES,
)


def servers() -> list[Source]:
    """Return the catalogues of the servers' library, of the services and the examples of services, and of the hub."""
    return [
        Source((file.parents[1].relative_to(ROOT).as_posix(),), ("tr", "tr_lazy", *PLURAL_FUNCTIONS), file)
        for pattern in ("mcp-servers/*/*", f"{EXAMPLES}/*/*", "hub/*")
        for file in sorted(ROOT.glob(f"{pattern}/locale/zh.po"))
    ]


def console() -> Source:
    """Return the catalogue of the console, whose texts are in its code and in its templates."""
    functions = ("tr", "tr_html", *PLURAL_FUNCTIONS)
    return Source((CONSOLE,), functions, ROOT / CONSOLE / "locale" / "zh.po")


def collected(source: Source = PROGRAM) -> dict[str, list[tuple[str, int]]]:
    """Return all texts of the code, of those with a plural the singular, with their files and lines.

    Raises ValueError for a text that is not a literal.
    """
    texts: dict[str, list[tuple[str, int]]] = {}
    for file, call in _calls(source):
        if (text := _literal(call.args[0])) is not None:
            texts.setdefault(text, []).append((file.relative_to(ROOT).as_posix(), call.lineno))
    for file, line, forms in _template_texts(source):
        texts.setdefault(forms[0], []).append((file.relative_to(ROOT).as_posix(), line))
    return texts


def plurals(source: Source) -> dict[str, str]:
    """Return the plurals in the code by their singulars."""
    calls = [call for _, call in _calls(source) if _name(call) in PLURAL_FUNCTIONS]
    pairs = [(_literal(call.args[0]), _literal(call.args[1])) for call in calls]
    pairs += [(forms[0], forms[1]) for _, _, forms in _template_texts(source) if len(forms) > 1]
    return {singular: plural for singular, plural in pairs if singular is not None and plural is not None}


def _template_texts(source: Source) -> Iterator[tuple[Path, int, tuple[str, ...]]]:
    """Yield the texts of the templates in a source's packages with their files and lines, and with their plurals."""
    # Compiling, which prepares .venv, needs Babel only.
    from jinja2 import Environment, nodes

    environment = Environment(autoescape=True)
    for package in source.packages:
        for file in sorted((ROOT / package).rglob("templates/**/*.html")):
            tree = environment.parse(file.read_text(encoding="utf-8"))
            for call in tree.find_all(nodes.Call):
                if not (isinstance(call.node, nodes.Name) and call.node.name in source.functions):
                    continue
                count = 2 if call.node.name in PLURAL_FUNCTIONS else 1
                forms = [each.value for each in call.args[:count] if isinstance(each, nodes.Const)]
                if len(forms) != count:
                    raise ValueError(f"{file}:{call.lineno}: the text must be a literal")
                yield file, call.lineno, tuple(map(str, forms))


def _calls(source: Source) -> Iterator[tuple[Path, ast.Call]]:
    """Yield the calls of the source's functions with their files. Raises ValueError for a text that is not a literal."""
    for package in source.packages:
        for file in sorted((ROOT / package).rglob("*.py")):
            if source.excluded and file.is_relative_to(ROOT / source.excluded):
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and _name(node) in source.functions):
                    continue
                first = node.args[0]
                if isinstance(first, ast.JoinedStr) or (isinstance(first, ast.BinOp) and _name(node) != "mark"):
                    raise ValueError(f"{file}:{node.lineno}: give values by name, not in an f-string")
                yield file, node


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _literal(argument: ast.expr) -> str | None:
    is_text = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    return str(argument.value) if is_text and isinstance(argument, ast.Constant) else None


def read(source: Source = PROGRAM) -> Catalog:
    """Read a Chinese catalogue. Raises OSError, and ValueError if the catalogue is not well-formed."""
    with source.chinese.open("rb") as file:
        return read_po(file, locale="zh", domain=DOMAIN, abort_invalid=True)


def translations(source: Source = PROGRAM) -> dict[str, str]:
    """Return the Chinese texts of a catalogue by their English ones; "" for a text without a translation."""
    return {_first(message.id): _first(message.string) for message in read(source) if message.id}


def _first(forms: object) -> str:
    """Return a text, or the first form of a text with a plural."""
    return str(forms[0] if isinstance(forms, tuple | list) else forms or "")


def placeholders(text: str) -> set[str]:
    """Return the names in braces of a text."""
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}
    except ValueError:  # A text without values may have single braces.
        return set()


def update(source: Source = PROGRAM) -> list[str]:
    """Bring a catalogue up to date with the code; return the texts that have no translation."""
    template = Catalog()
    plural_of = plurals(source)
    for text, places in collected(source).items():
        # Line numbers are left out, as they would change with every edit.
        files = [(file, None) for file in sorted({file for file, _ in places})]
        template.add((text, plural_of[text]) if text in plural_of else text, locations=files)  # type: ignore[arg-type]
    catalogue = read(source)
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    _set_header(catalogue)
    with source.chinese.open("wb") as file:
        write_po(file, catalogue, width=120, sort_output=True, omit_header=False)
    return [text for text, chinese in translations(source).items() if not chinese]


def _set_header(catalogue: Catalog) -> None:
    """Fill in what Babel leaves as a placeholder for one person's name and address."""
    catalogue.msgid_bugs_address = ""
    catalogue.last_translator = catalogue.language_team = "DyberPet"
    catalogue.revision_date = catalogue.creation_date


def compile_catalogue() -> None:
    """Write the program's compiled catalogue beside its source."""
    with tempfile.NamedTemporaryFile(dir=COMPILED.parent, suffix=".mo.part", delete=False) as file:
        write_mo(file, read())
    Path(file.name).replace(COMPILED)


def main(arguments: list[str]) -> int:
    """Compile the program's catalogue, with --update after updating all; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m messages.catalogue", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--update", action="store_true", help="collect the texts of the code first")
    if parser.parse_args(arguments).update:
        for source in (PROGRAM, console(), *servers()):
            for text in update(source):
                print(f"{source.chinese.relative_to(ROOT)}: no translation: {text}", file=sys.stderr)
    compile_catalogue()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
