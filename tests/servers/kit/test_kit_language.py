"""Tests of languages: which one a request gets, and that texts are translated where they are shown."""

from __future__ import annotations

import asyncio
import doctest
import json
import sys
from pathlib import Path

import pytest
from dyber_kit import ErrorCode, ServiceError, Settings
from dyber_kit import language as languages
from dyber_kit.calling.arguments.reading import read_arguments
from dyber_kit.calling.cursors import decode_cursor
from dyber_kit.errors import KINDS
from dyber_kit.language import (
    Text,
    Translations,
    language,
    preferred_language,
    request_language,
    text_from_json,
    tr,
    tr_lazy,
    using_language,
)
from dyber_kit.times import duration
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.sharing import SharedWork
from pydantic import BaseModel, Field


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("en", "en"),
        ("EN-us", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("zh;q=0.5, en;q=0.9", "en"),
        ("fr-FR, fr;q=0.9, en;q=0.1", "en"),
        ("en;q=0, zh;q=0.1", "zh"),
        ("en;q=0.7, zh;q=0.7", "en"),
        ("en; q = x", "en"),
        ("zh-Hant-TW", "zh"),
        ("*", None),
        ("fr-FR, *;q=0.5", None),
        ("en;q=0", None),
        ("zha, enm", None),
        ("", None),
        (";;,=;q", None),
    ],
)
def test_a_header_counts_only_if_it_names_chinese_or_english(header, expected):
    assert preferred_language(header) == expected


@pytest.mark.parametrize("default", ["zh", "en"])
def test_without_such_a_header_a_request_gets_the_language_of_the_setting(default):
    assert request_language([], default) == default
    assert request_language([(b"accept-language", b"*")], default) == default
    assert request_language([(b"accept-language", b"fr"), (b"accept-language", b"en")], default) == "en"
    assert request_language([(b"accept-language", b"\xff\xfe")], default) == default
    assert request_language([(b"accept-language", b"fr," * 400 + b"en")], default) == default


@pytest.mark.parametrize(("value", "expected"), [("", "zh"), ("zh", "zh"), (" EN ", "en")])
def test_the_environment_chooses_the_language_of_a_service(monkeypatch, value, expected):
    monkeypatch.setenv("DYBER_LANGUAGE", value)
    assert Settings.from_environment().language == expected
    assert language() == expected


def test_a_language_that_does_not_exist_is_refused_at_the_start(monkeypatch):
    monkeypatch.setenv("DYBER_LANGUAGE", "fr")
    with pytest.raises(ValueError, match="DYBER_LANGUAGE.*'fr'.*zh, en"):
        Settings.from_environment()


def test_a_text_is_translated_each_time_it_is_shown():
    text = tr_lazy("{cause}: {problems}", cause=tr_lazy("The arguments are not correct"), problems="limit")
    with using_language("en"):
        assert str(text) == f"{text}" == "The arguments are not correct: limit"
    with using_language("zh"):
        assert str(text) == f"{text}" == "参数不正确：limit"


def test_values_may_have_braces_and_a_text_without_values_too():
    with using_language("en"):
        assert tr("Check {name}", name="{x}") == "Check {x}"
        assert tr('Send a body of the form {"name": value}') == 'Send a body of the form {"name": value}'


@pytest.mark.parametrize("chosen", ["zh", "en"])
def test_a_text_survives_json(chosen):
    text = tr_lazy("{cause} (id {error_id})", cause=KINDS[ErrorCode.INTERNAL].lazy_message, error_id="a1")
    read = text_from_json(json.loads(json.dumps(text.to_json())))
    assert isinstance(read, Text)
    with using_language(chosen):
        assert str(read) == str(text)
    assert text_from_json("一句话") == "一句话"


@pytest.mark.parametrize("code", list(ErrorCode))
def test_an_error_is_in_one_language(code):
    error = ServiceError(code, retry_after=4000)
    with using_language("en"):
        assert error.text.isascii() and error.text.startswith(f"{code}: {KINDS[code].message}. Next step: ")
    with using_language("zh"):
        assert error.text.startswith(f"{code}：{KINDS[code].message}。下一步：") and KINDS[code].message != str(code)
        assert not KINDS[code].message.isascii()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 second"), (45, "45 seconds"), (600, "10 minutes"), (11_100, "3 h 5 min")]
)
def test_durations_are_readable_in_english(seconds, text):
    with using_language("en"):
        assert duration(seconds) == text


def test_texts_that_a_service_writes_as_literals_go_through_unchanged():
    error = ServiceError(ErrorCode.NOT_FOUND, "没有这条笔记", "请换一条")
    with using_language("en"):
        assert (error.message, error.next_step) == ("没有这条笔记", "请换一条")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a package that can be imported as `shop_server`."""
    folder = tmp_path / "shop_server"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(languages, "_catalogue_files", {**languages._catalogue_files})
    languages._chinese.cache_clear()
    yield folder
    languages._chinese.cache_clear()
    sys.modules.pop("shop_server", None)


def test_a_service_has_a_catalogue_in_its_own_package(package):
    (package / "locale").mkdir()
    entry = 'msgid "{count} goods"\nmsgstr "{count} 件商品"\n'
    (package / "locale" / "zh.po").write_text(f'msgid ""\nmsgstr ""\n\n{entry}', encoding="utf-8")
    texts = Translations("shop_server")
    assert texts.tr("{count} goods", count=3) == "3 件商品"
    assert texts.tr("no goods") == "no goods"
    with using_language("en"):
        assert str(texts.tr_lazy("{count} goods", count=3)) == "3 goods"


def test_a_text_about_one_thing_is_singular_in_english_and_the_same_in_chinese(package):
    (package / "locale").mkdir()
    entry = (
        'msgid "{count} book of {name}"\nmsgid_plural "{count} books of {name}"\nmsgstr[0] "{name} 的 {count} 本书"\n'
    )
    (package / "locale" / "zh.po").write_text(f'msgid ""\nmsgstr ""\n\n{entry}', encoding="utf-8")

    def books(count: int) -> str:
        return Translations("shop_server").tr_plural(
            "{count} book of {name}", "{count} books of {name}", count, name="A"
        )

    assert [books(count) for count in (1, 2)] == ["A 的 1 本书", "A 的 2 本书"]
    with using_language("en"):
        assert [books(count) for count in (0, 1, 2)] == ["0 books of A", "1 book of A", "2 books of A"]


def test_a_service_without_a_catalogue_shows_the_texts_of_its_code(package):
    texts = Translations("shop_server")
    assert (texts.tr("no goods"), texts.tr("没有商品")) == ("no goods", "没有商品")


async def test_callers_who_share_an_error_get_it_in_their_languages():
    shared, begun = SharedWork(), asyncio.Event()

    async def work() -> None:
        await begun.wait()
        raise ServiceError(ErrorCode.NOT_FOUND)

    async def caller(chosen: languages.Language) -> str:
        with using_language(chosen):
            try:
                await shared.run("key", work)
            except ServiceError as error:
                return error.message
        raise AssertionError("the work did not fail")

    calls = [asyncio.create_task(caller(chosen)) for chosen in ("zh", "en", "zh")]
    await asyncio.sleep(0)
    begun.set()
    chinese, english, again = await asyncio.gather(*calls)
    assert (chinese, english) == ("内容不存在或已被删除", "The content does not exist or was deleted")
    assert again == chinese


async def test_a_pause_that_survives_a_restart_has_its_cause_in_the_callers_language(tmp_path):
    with using_language("zh"), pytest.raises(ServiceError):
        async with Breaker("site", data_dir=tmp_path).guard():
            raise ServiceError(ErrorCode.CAPTCHA_REQUIRED)
    with using_language("en"), pytest.raises(ServiceError) as caught:
        Breaker("site", data_dir=tmp_path).check()
    with using_language("en"):
        assert caught.value.message == "The platform asks for a human verification; access to the platform is paused"


class Query(BaseModel):
    """Is the arguments of a search."""

    keyword: str = Field(min_length=1, max_length=20, description="Words to look for, such as coffee.")
    limit: int = Field(10, ge=1, le=40)
    ids: list[str] = Field(default=[], max_length=3)
    note: str = ""


def refusal(given: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        read_arguments(Query, Query.model_json_schema(), given)
    return caught.value


@pytest.mark.parametrize(
    ("given", "message", "fields"),
    [
        (
            {"keyword": "x", "limit": 99},
            "limit: must be an integer from 1 to 40 (given: 99); the nearest usable value is 40; for example 10",
            ["limit"],
        ),
        (
            {"keywrd": "x", "limit": "many"},
            "keyword is missing (keywrd was sent; did you mean keyword?): must be a text (1 to 20 characters): "
            "Words to look for, such as coffee; limit: must be an integer from 1 to 40 (given: a text of length 4), "
            "for example 10",
            ["keyword", "limit"],
        ),
        (
            {"keyword": None},
            "keyword is missing (given: null): must be a text (1 to 20 characters): Words to look for, such as coffee",
            ["keyword"],
        ),
        (
            {"keyword": "x" * 21},
            "keyword: must be a text (1 to 20 characters) (given: a text of length 21): Words to look for, such as coffee",
            ["keyword"],
        ),
        ({"keyword": "x", "note": {}}, "note: must be a text (given: an object)", ["note"]),
        ({"keyword": "x", "ids": ["1"] * 4}, "ids: must be a list (of length 3 at most) (given: a list of length 4), for example []", ["ids"]),
        ("[]", 'arguments: must be a JSON object, for example {"keyword": "…", "limit": 10, "ids": []}', ["arguments"]),
    ],
)  # fmt: skip
def test_refused_arguments_are_named_for_people_and_for_programs(given, message, fields):
    with using_language("en"):
        error = refusal(given)
        assert error.message == f"The arguments are not correct: {message}"
        assert error.next_step.endswith("The arguments of this tool: keyword, limit, ids, note")
    assert error.details["fields"] == fields


def test_a_cursor_that_is_not_readable_is_named_for_programs():
    with pytest.raises(ServiceError) as caught:
        decode_cursor("search", "broken")
    assert caught.value.details["fields"] == ["cursor"]


def test_an_error_that_is_not_about_arguments_names_none():
    assert "fields" not in ServiceError(ErrorCode.NOT_FOUND).details


def test_the_examples_in_the_code_are_true():
    assert doctest.testmod(languages).failed == 0
