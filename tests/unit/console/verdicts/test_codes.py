"""Has a sentence for every code of the services and of the gateway."""

from __future__ import annotations

import json

import pytest
from dyber_console.language import LANGUAGES, Language, using_language
from dyber_console.verdicts.codes import known_codes, meaning
from dyber_kit.errors import ErrorCode

from cli.system.checkout import ROOT

GATEWAY = json.loads((ROOT / "nginx" / "errors.json").read_text(encoding="utf-8"))


def test_every_code_has_a_sentence() -> None:
    assert sorted({*map(str, ErrorCode), *GATEWAY} - known_codes()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unknown_code_has_one_too(language: Language) -> None:
    with using_language(language):
        assert meaning("SOMETHING_NEW").sentence
        assert "418" in meaning("http_418").sentence


def test_a_request_that_the_service_cannot_accept_is_the_clients_to_correct() -> None:
    with using_language("zh"):
        assert meaning("http_400").sentence == "客户端发来的请求无法处理（HTTP 状态 400）"
        assert "客户端" in meaning("http_400").next_step
        assert meaning("http_500").sentence.startswith("服务以")
        assert meaning("http_500").next_step
