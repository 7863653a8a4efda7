"""`test` runs pytest in an environment that suits it."""

from __future__ import annotations

from typing import Any

import pytest

from cli.machine import test_run
from cli.system import programs


def test_compiled_modules_are_kept_also_where_the_environment_forbids_that(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def call(command: list[str], **options: Any) -> int:
        given.update(options)
        return 0

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(programs, "call", call)
    assert test_run.run([]) == 0
    assert "PYTHONDONTWRITEBYTECODE" not in given["env"]
