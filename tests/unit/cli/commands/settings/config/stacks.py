"""Stack files for the tests of `config`, and a helper that reads what `config show` prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

DEV = """\
# yaml-language-server: $schema=docs/stack.schema.json
# 开发 / development
config:
  dyber:profiles: [dev] # who
  # a note
  dyber:gateway:
    openDocs: true
"""
TEST = """\
config:
  dyber:gateway:
    portOffset: 10000
  dyber:profiles: [dev]
"""
PASSWORD = "a-long-password-of-tests"
SECURE = "  dyber:cache:\n    password:\n      secure: v1:abc=:def\n"

Dyber = Callable[..., int]


def shown(capsys: pytest.CaptureFixture[str], dyber: Dyber, *arguments: str) -> dict[str, dict[str, Any]]:
    """Return the rows of `config show` by key."""
    capsys.readouterr()
    dyber("show", "--json", *arguments)
    return {row["key"]: row for row in json.loads(capsys.readouterr().out)}
