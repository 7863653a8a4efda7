"""The filter of tools finds them by a part of their names."""

from __future__ import annotations

import pytest
from dyber_console.pages import calls

TOOLS = ["template_echo", "template_get", "zhihu_get"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("echo", ["template_echo"]),
        ("ECHO", ["template_echo"]),
        ("get", ["template_get", "zhihu_get"]),
        ("template_echo", []),
        ("nope", []),
        ("", []),
    ],
)
def test_a_part_of_a_name_finds_the_tools_that_have_it(wanted: str, found: list[str]) -> None:
    assert calls._similar(TOOLS, wanted) == found
