"""A problem is data; its text says where it is, which value is wrong, and what to write instead."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.rendering.gateway.inputs import configuration
from infra.schema.messages import MESSAGES, PYDANTIC_MESSAGES, WORDS
from infra.schema.problems import ConfigurationError, Problem
from infra.services.catalog import ServiceSpec, load_spec
from infra.settings import env_file
from infra.settings.stack import StackSettings, parse_settings
from messages import in_language

FILE = "Pulumi.dev.yaml"
HAN = re.compile("[\u4e00-\u9fff]")


def refused(**values: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as error:
        parse_settings("dev", {f"dyber:{key}": text for key, text in values.items()}, {})
    return error.value.problems


def test_a_wrong_value_is_told_with_its_file_its_keys_and_what_to_write() -> None:
    (problem,) = refused(gateway='{"limits": {"burst": 0}}')
    assert (problem.file, problem.path, problem.value) == (FILE, ("gateway", "limits", "burst"), 0)
    assert problem.message == "greater_than_equal"
    assert problem.instead == ("dyber:gateway:", "  limits:", "    burst: 1  # 1 … 100000")


@pytest.mark.parametrize("name", ["tryA", "1st", "my_stack", "a" * 32, ""])
def test_a_stack_name_that_cannot_be_used_is_told_in_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {}
    for language in ("zh", "en"):
        monkeypatch.setenv("DYBER_LANG", language)
        with pytest.raises(ConfigurationError) as error:
            parse_settings(name, {}, {})
        (problem,) = (problem for problem in error.value.problems if problem.path == ("stack",))
        texts[language] = problem.text()
    assert "只能有小写字母、数字和 -" in texts["zh"]
    assert "only lower-case letters, digits and -" in texts["en"]
    assert all("my-test" in text and "^[" not in text for text in texts.values())


def test_a_wrong_host_name_is_a_message_with_the_name_as_its_parameter() -> None:
    (problem,) = refused(gateway='{"serverNames": ["bad name"]}')
    assert (problem.message, problem.parameters) == ("host_name", {"name": "bad name"})


def test_a_secret_is_not_among_the_data() -> None:
    (problem,) = refused(cache='{"password": "short"}')
    assert not problem.shows_value
    assert "short" not in problem.text()


def test_a_problem_concerns_its_key_and_those_above_it() -> None:
    problem = Problem("no_service_enabled", FILE, ("gateway", "limits", "burst"))
    assert problem.concerns(FILE, ("gateway", "limits", "burst"))
    assert problem.concerns(FILE, ("gateway",))
    assert not problem.concerns(FILE, ("gateway", "limits", "bur"))
    assert not problem.concerns("Pulumi.test.yaml", ("gateway",))


def test_the_same_mistake_makes_an_equal_problem(tmp_path: Path) -> None:
    def problems_of(cause: Callable[[], object]) -> tuple[Problem, ...]:
        with pytest.raises(ConfigurationError) as error:
            cause()
        return error.value.problems

    folder = tmp_path / "weibo"
    folder.mkdir()
    (folder / "service.yaml").write_text("port: [", encoding="utf-8")
    (tmp_path / ".env").mkdir()
    settings = StackSettings(stack="dev")
    service = ServiceSpec(name="a", folder=tmp_path, title="a", port=8001, package="a")
    causes = [
        lambda: load_spec(folder / "service.yaml"),
        lambda: env_file.text_of(tmp_path / ".env"),
        lambda: configuration(settings, [service, service], {}),
    ]
    for cause in causes:
        assert problems_of(cause) == problems_of(cause)


def test_words_begin_with_the_place_and_hide_passwords_of_addresses() -> None:
    problem = Problem("string_type", FILE, ("build", "proxy"), "http://me:sesame@x", line=3)
    assert problem.text() == "Pulumi.dev.yaml:3: build.proxy = 'http://****@x': must be text"


def test_an_error_without_a_place_is_its_words() -> None:
    assert str(ConfigurationError("two\nlines")) == "two\nlines"


def names_in(text: str) -> set[str]:
    """The names of the parameters that a message fills in."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("message", sorted({*MESSAGES, *PYDANTIC_MESSAGES} - {WORDS}))
def test_every_message_is_in_both_languages_and_fills_in_the_same_in_both(message: str) -> None:
    english = (MESSAGES | PYDANTIC_MESSAGES)[message]
    chinese = in_language("zh", english)
    assert HAN.search(chinese) and not HAN.search(english)
    assert names_in(chinese) == names_in(english)


@pytest.mark.parametrize(
    ("wrong", "chinese", "english"),
    [
        ({"logLevle": "info"}, "没有这个键", "no such key"),
        (
            {"logLevel": "loud"},
            "不是可选的值，应为其中之一：'debug', 'info', 'warning', 'error'",
            "must be one of 'debug', ",
        ),
        ({"gateway": '{"limits": {"burst": 0}}'}, "太小，至少 1", "must be at least 1"),
        ({"services": '{"a": {"cpus": 0}}'}, "太小，应大于 0", "must be more than 0"),
        ({"gateway": '{"portOffset": 50001}'}, "太大，最多 50000", "must be at most 50000"),
        ({"services": '{"a": {"image": "a:latest"}}'}, "格式不对，应符合 ^", "it must match ^"),
        ({"clients": "{}"}, "太少，至少 1 项", "must have at least 1 entries"),
        ({"gateway": '{"bind": "localhost"}'}, "应为 IP 地址", "must be an IP address"),
        ({"gateway": '{"tls": {"source": "files"}}'}, "需要 certificateFile", "needs certificateFile"),
        ({"networkPool": "10.0.0.0/8"}, "应为大小是 /15 的私有网段", "must be a private network of the size /15"),
    ],
)
def test_a_problem_is_told_only_in_the_users_language(
    wrong: dict[str, str], chinese: str, english: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = refused(**wrong)
    texts = {}
    for language in ("zh", "en"):
        monkeypatch.setenv("DYBER_LANG", language)
        texts[language] = "\n".join(problem.text() for problem in problems)
    assert chinese in texts["zh"] and english not in texts["zh"]
    assert english in texts["en"] and not HAN.search(texts["en"])


def test_a_reason_within_a_problem_is_told_in_the_same_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "zh")
    reason = Problem("service_name_reserved", parameters={"name": "api"})
    problem = Problem("service_to_be_renamed", parameters={"name": "api", "reason": reason})
    assert problem.text().startswith("服务名 'api' 已有别的用途，请换一个。已经部署过")
    monkeypatch.setenv("DYBER_LANG", "en")
    assert problem.text().startswith("service name 'api' has another meaning; choose another. Where it was deployed")
