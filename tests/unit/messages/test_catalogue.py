"""The catalogue of messages: complete, with the same values in both languages, and nothing in it that is not used."""

from __future__ import annotations

import pytest

from messages import catalogue, tr

TEXTS = catalogue.collected()
TRANSLATED = {str(message.id): str(message.string) for message in catalogue.read() if message.id}


def test_every_text_of_the_code_is_translated_and_nothing_else_is() -> None:
    assert set(TEXTS) - {text for text, chinese in TRANSLATED.items() if chinese} == set()
    assert set(TRANSLATED) - set(TEXTS) == set()


def test_a_translation_has_the_values_of_its_text() -> None:
    other = {
        text: chinese
        for text, chinese in TRANSLATED.items()
        if catalogue.placeholders(chinese) - catalogue.placeholders(text)
    }
    assert other == {}


@pytest.mark.parametrize(("language", "expected"), [("zh", "没有变化"), ("en", "no changes")])
def test_people_read_their_own_language(language: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", language)
    assert tr("no changes") == expected


def test_a_text_without_a_translation_stays_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "zh")
    assert tr("a text that no catalogue has: {value}", value=3) == "a text that no catalogue has: 3"
