"""A problem is data; its words are made of it, and say where it is, what is there and what to write instead."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.rendering.gateway.inputs import configuration
from infra.schema.messages import MESSAGES
from infra.schema.problems import ConfigurationError, Problem
from infra.services.catalog import ServiceSpec, load_spec
from infra.settings import env_file
from infra.settings.stack import StackSettings, parse_settings

FILE = "Pulumi.dev.yaml"


def refused(**values: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as error:
        parse_settings("dev", {f"dyber:{key}": text for key, text in values.items()}, {})
    return error.value.problems


def test_a_wrong_value_is_told_with_its_file_its_keys_and_what_to_write() -> None:
    (problem,) = refused(gateway='{"limits": {"burst": 0}}')
    assert (problem.file, problem.path, problem.value) == (FILE, ("gateway", "limits", "burst"), 0)
    assert problem.message == "greater_than_equal"
    assert problem.instead == ("dyber:gateway:", "  limits:", "    burst: 1  # 1 … 100000")


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


def test_what_is_wrong_twice_in_the_same_way_is_the_same_problem(tmp_path: Path) -> None:
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
    problem = Problem(
        "string_pattern_mismatch", FILE, ("build", "proxy"), "http://me:sesame@x", {"words": "wrong"}, line=3
    )
    assert problem.text() == "Pulumi.dev.yaml:3: build.proxy = 'http://****@x': 格式不对 / wrong"


def test_an_error_without_a_place_is_its_words() -> None:
    assert str(ConfigurationError("话\nwords")) == "话\nwords"


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_is_in_both_languages_and_fills_in_the_same_in_both(message: str) -> None:
    template = MESSAGES[message]
    if isinstance(template, str):
        assert message == "words" or " / " in template or "/ " in template
        return
    chinese, english = ({name for _, name, _, _ in string.Formatter().parse(text) if name} for text in template)
    assert chinese - {"chinese"} == english - {"english"}
