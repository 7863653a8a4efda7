"""The tables of the scan's codes in the documents have every code with its title."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.services.scan.codes import CODES
from messages import in_language

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize(("language", "page"), [("zh", "environments.md"), ("en", "environments.en.md")])
def test_every_code_of_the_scan_is_explained(language: str, page: str) -> None:
    rows = [line.split(" | ") for line in (DOCS / page).read_text(encoding="utf-8").splitlines()]
    table = {cells[0].removeprefix("| "): cells[2] for cells in rows if cells[0].removeprefix("| ") in CODES}
    assert table == {code: in_language(language, texts.title) for code, texts in CODES.items()}
