"""Tests that the message catalogue is complete, has no unused texts and the same values in both languages."""

from __future__ import annotations

import re

import pytest

from messages import catalogue, tr


@pytest.fixture(scope="module")
def translated() -> dict[str, str]:
    """The translations by text."""
    return catalogue.translations()


def test_exactly_the_texts_of_the_code_are_translated(translated: dict[str, str]) -> None:
    texts = set(catalogue.collected())
    assert texts - {text for text, chinese in translated.items() if chinese} == set()
    assert set(translated) - texts == set()


def test_a_translation_has_no_values_that_its_text_lacks(translated: dict[str, str]) -> None:
    wrong = {
        text: chinese
        for text, chinese in translated.items()
        if catalogue.placeholders(chinese) - catalogue.placeholders(text)
    }
    assert wrong == {}


def test_a_password_has_the_name_of_the_glossary(translated: dict[str, str]) -> None:
    # `passwords` is a word in descriptions of tools, for which the scan looks.
    texts = {text: chinese for text, chinese in translated.items() if re.search(r"\bpassword\b", text)}
    assert texts["password"] == "口令"
    assert {text: chinese for text, chinese in texts.items() if "密码" in chinese} == {}


@pytest.mark.parametrize(("language", "expected"), [("zh", "没有变化"), ("en", "no changes")])
def test_messages_are_in_the_chosen_language(language: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", language)
    assert tr("no changes") == expected


def test_a_text_without_a_translation_stays_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "zh")
    assert tr("a text that no catalogue has: {value}", value=3) == "a text that no catalogue has: 3"


@pytest.mark.parametrize(
    "source",
    [catalogue.PROGRAM, catalogue.console(), *catalogue.servers()],
    ids=lambda source: str(source.chinese.relative_to(catalogue.ROOT)),
)
def test_the_header_of_a_catalogue_has_no_placeholders(source: catalogue.Source) -> None:
    header = "\n".join(f"{name}: {value}" for name, value in catalogue.read(source).mime_headers)
    assert [word for word in ("ADDRESS", "FULL NAME", "YEAR", "li.org") if word in header] == []
