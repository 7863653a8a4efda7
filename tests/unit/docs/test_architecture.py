"""The pages for developers name existing paths, and have the same structure in both languages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
ARCHITECTURE = ("docs/architecture.md", "docs/architecture.en.md")
CONTRIBUTING = ("CONTRIBUTING.md", "CONTRIBUTING.en.md")
PAGES = [*ARCHITECTURE, *CONTRIBUTING]
#: The Chinese and the English file of every page that exists in two languages.
TRANSLATED = [
    (str(page.relative_to(REPOSITORY)), str(page.relative_to(REPOSITORY).with_suffix(".en.md")))
    for pattern in ("*.md", "docs/*.md")
    for page in sorted(REPOSITORY.glob(pattern))
    if not page.name.endswith(".en.md")
]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=REPOSITORY,
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()
TOP_LEVEL = {path.split("/")[0] for path in TRACKED}
FILE_NAMES = {Path(path).name for path in TRACKED}
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
FILE_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*\.(?:py|js|json|toml|txt|yaml|md|j2|conf)")


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def code_words(page: str) -> list[str]:
    """Return everything between backticks, outside of code blocks."""
    without_blocks = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", without_blocks)


def named_paths(page: str) -> list[str]:
    """Return the words that are paths from the top of the repository."""
    return [
        word for word in code_words(page) if PATH.fullmatch(word) and "/" in word and word.split("/")[0] in TOP_LEVEL
    ]


def headings(page: str) -> list[int]:
    """Return the levels of the headings, in order."""
    without_blocks = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return [len(level) for level in re.findall(r"^(#+) ", without_blocks, re.MULTILINE)]


def rows_by_section(page: str) -> list[int]:
    """Return how many rows of tables each section has."""
    return [
        len(re.findall(r"^\|", section, re.MULTILINE))
        for section in re.split(r"^#+ ", text_of(page), flags=re.MULTILINE)
    ]


def glossary(page: str) -> list[list[str]]:
    """Return the first two cells of each row of the last table: a term in the two languages."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", text_of(page).rsplit("\n## ", 1)[1], re.MULTILINE)
    return [[cell.replace("，", ", ").replace("；", "; ") for cell in row] for row in rows[1:]]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page: str) -> None:
    paths = named_paths(page)
    assert len(paths) > 30
    assert [path for path in paths if not list(REPOSITORY.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_without_its_folder_is_in_the_repository(page: str) -> None:
    names = [word for word in code_words(page) if FILE_NAME.fullmatch(word)]
    assert names
    assert [name for name in names if name not in FILE_NAMES] == []


@pytest.mark.parametrize(("chinese", "english"), [ARCHITECTURE, CONTRIBUTING])
def test_both_languages_name_the_same_paths(chinese: str, english: str) -> None:
    assert sorted(set(named_paths(chinese))) == sorted(set(named_paths(english)))


@pytest.mark.parametrize("page", ARCHITECTURE)
@pytest.mark.parametrize("parent", ["cli", "infra", "toolchain/from_source"])
def test_every_package_is_described(page: str, parent: str) -> None:
    packages = {str(file.parent.relative_to(REPOSITORY)) for file in (REPOSITORY / parent).glob("*/__init__.py")}
    assert packages
    described = {path.rstrip("/") for path in named_paths(page)}
    missing = [package for package in packages if not any(f"{path}/".startswith(f"{package}/") for path in described)]
    assert missing == []


@pytest.mark.parametrize(("chinese", "english"), TRANSLATED)
def test_both_languages_have_the_same_headings_and_rows(chinese: str, english: str) -> None:
    assert headings(chinese) == headings(english)
    assert rows_by_section(chinese) == rows_by_section(english)


def test_both_glossaries_have_the_same_terms() -> None:
    chinese, english = (glossary(page) for page in ARCHITECTURE)
    assert len(chinese) > 30
    assert {(there, here) for here, there in chinese} == {(here, there) for here, there in english}


@pytest.mark.parametrize("language", [0, 1])
def test_a_term_has_one_meaning(language: int) -> None:
    terms = [row[0] for row in glossary(ARCHITECTURE[language])]
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize(("readme", "language"), [("README.md", 0), ("README.en.md", 1)])
def test_the_readme_leads_to_both(readme: str, language: int) -> None:
    for page in (ARCHITECTURE[language], CONTRIBUTING[language]):
        assert f"]({page})" in text_of(readme)
