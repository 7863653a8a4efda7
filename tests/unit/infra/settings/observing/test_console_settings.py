"""The settings of the console are strict, and only dev has it without a word about it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.infra.settings.test_settings import refusal, settings


@pytest.mark.parametrize(
    ("stack", "console", "has_it"),
    [
        ("dev", {}, True),
        ("dev", {"enabled": False}, False),
        ("prod", {}, False),
        ("prod", {"enabled": True}, True),
    ],
)
def test_only_dev_has_the_console_unless_a_stack_says_otherwise(
    stack: str, console: dict[str, Any], has_it: bool
) -> None:
    given = settings(stack=stack, console=console)
    assert given.has_console is has_it
    assert given.sends_traces is has_it
    assert ("consoleImage" in given.part_images()) is has_it
    assert ("console" in given.with_data([])) is has_it


def test_spans_can_be_switched_off_alone() -> None:
    given = settings(console={"enabled": True, "traces": False})
    assert (given.has_console, given.sends_traces) == (True, False)


@pytest.mark.parametrize("values", [{"clients": ["console"]}, {"clients": {"console": {}}}])
def test_no_client_can_be_called_console(values: dict[str, Any]) -> None:
    assert "no client can be called console" in refusal(**values)


@pytest.mark.parametrize(
    ("console", "key"),
    [
        ({"enabled": "maybe"}, "console.enabled"),
        ({"memoryMib": 50}, "console.memoryMib"),
        ({"storeMib": 1}, "console.storeMib"),
        ({"passwordGeneration": 0}, "console.passwordGeneration"),
        ({"password": "secret"}, "console.password"),
    ],
)
def test_an_unusable_value_is_named(console: dict[str, Any], key: str) -> None:
    assert key in refusal(console=console)
