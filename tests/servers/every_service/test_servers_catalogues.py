"""Tests that the Chinese texts of the servers' library and of every service are complete, and have no dead entries."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path, PurePosixPath

import pytest

from cli.services.kinds import KINDS
from messages import catalogue
from tests.stand_in.running import SERVERS

CATALOGUES = {source.packages[0]: source for source in catalogue.servers()}
KIT = SERVERS / "kit" / "dyber_kit"
#: Files, and constants of other files, with Chinese that is read from platforms and callers, and not shown.
READ_FROM_OTHERS = {"upstream/text.py", "calling/arguments/conversions.py", "analysis/words.py"}
WORDS_OF_OTHERS = {"COMMON_TEXTS", "proof_words", "_CAPTCHA_WORDS", "_SCAN_WORD", "_SMS_WORD"}


@pytest.fixture(params=sorted(CATALOGUES))
def source(request: pytest.FixtureRequest) -> catalogue.Source:
    return CATALOGUES[request.param]


def translated(source: catalogue.Source) -> dict[str, str]:
    return catalogue.translations(source)


def values_of(text: str) -> list[tuple[str, str]]:
    """Return the names in braces of a text with their formats, such as `g`."""
    parts = string.Formatter().parse(text)
    return sorted({(name, spec or "") for _, name, spec, _ in parts if name and name.isidentifier()})


def test_the_library_and_the_examples_of_services_have_a_catalogue():
    examples = [kind.folder(SERVERS).relative_to(catalogue.ROOT) / kind.example.package for kind in KINDS.values()]
    assert {"mcp-servers/kit/dyber_kit", *map(Path.as_posix, examples)} <= set(CATALOGUES)


def test_exactly_the_texts_of_the_code_are_translated(source):
    texts = set(catalogue.collected(source))
    assert texts - {text for text, chinese in translated(source).items() if chinese} == set()
    assert set(translated(source)) - texts == set()


def test_translations_have_the_values_of_their_texts(source):
    with_values = {text: chinese for text, chinese in translated(source).items() if catalogue.placeholders(text)}
    assert {text for text, chinese in with_values.items() if values_of(text) != values_of(chinese)} == set()


def test_a_catalogue_names_the_files_that_have_its_texts(source):
    named = {file for message in catalogue.read(source) for file, _ in message.locations}
    assert named == {file for places in catalogue.collected(source).values() for file, _ in places}


def test_images_have_the_catalogue(source):
    """The Dockerfile copies the folder of the package."""
    file = PurePosixPath(*source.chinese.parts[-4:])
    ignored = (SERVERS / ".dockerignore").read_text(encoding="utf-8").split()
    assert [rule for rule in ignored for path in (file, *file.parents) if path.match(rule.removeprefix("**/"))] == []


def test_the_librarys_code_has_no_chinese_texts_outside_of_the_catalogue():
    chinese = [
        f"{place}:{line}"
        for file in sorted(KIT.rglob("*.py"))
        for place in [file.relative_to(KIT).as_posix()]
        if place not in READ_FROM_OTHERS
        for line in _chinese_literals(file.read_text(encoding="utf-8"))
    ]
    assert chinese == []


def _chinese_literals(code: str) -> list[int]:
    tree = ast.parse(code)
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = list(ast.walk(tree))
    ignored = {
        id(node.body[0].value) for node in nodes if isinstance(node, described) and isinstance(node.body[0], ast.Expr)
    }
    ignored |= {id(word) for node in nodes if _names(node) & WORDS_OF_OTHERS for word in ast.walk(node)}
    return [
        node.lineno
        for node in nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in ignored
        and re.search("[\u4e00-\u9fff]", node.value)
    ]


def _names(node: ast.AST) -> set[str]:
    """Return the names that an assignment gives values to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
