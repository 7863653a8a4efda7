"""Paths of settings are written as text and read back as the same keys."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.schema.key_paths import dotted, parts


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("gateway", "portOffset"), "gateway.portOffset"),
        (("services", "template", "contract", "notes.search"), 'services.template.contract["notes.search"]'),
        (("a", "b.c", "d"), 'a["b.c"].d'),
        (("a.b",), '["a.b"]'),
    ],
)
def test_a_key_with_a_dot_is_in_brackets_and_quotes(path: tuple[str, ...], text: str) -> None:
    assert dotted(path) == text
    assert parts(text) == path


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1))
def test_every_path_is_read_as_it_was_written(path: list[str]) -> None:
    assert list(parts(dotted(path))) == path


@pytest.mark.parametrize("text", ["", "a.", ".a", "a..b", 'a["b', "a[b]", 'a"b', 'a["b"]c', 'a.["b"]', "a b]"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        parts(text)
