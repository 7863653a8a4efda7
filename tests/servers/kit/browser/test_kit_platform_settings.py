"""Tests of the settings that every service with a browser reads from its variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
from dyber_kit.browser.platform_settings import (
    PlatformSettings,
    flag_field,
    number_field,
    origin_field,
    secret_field,
)


class InnSettings(PlatformSettings):
    PREFIX = "INN"
    base_url = "https://www.inn.example"
    interval_seconds = 12.0


HOME, API = "https://www.inn.example", "https://api.inn.example"


@dataclass(frozen=True)
class LodgeSettings(PlatformSettings):
    PREFIX: ClassVar[str] = "LODGE"

    base_url: str = HOME
    api_url: str = origin_field(API, follows_base=HOME)
    media_url: str = origin_field("https://media.inn.example")
    most: int = number_field(10, 1, 100)
    cache_seconds: float = number_field(1800.0, 0, 86_400)
    asks: bool = flag_field(False)
    token: str | None = secret_field()
    key: str | None = secret_field("INN_KEY")


def test_settings_come_from_variables_with_the_prefix_of_the_service(monkeypatch):
    monkeypatch.setenv("INN_ACCOUNTS", "main, second")
    monkeypatch.setenv("INN_DAILY_PAGES", "7")
    values = InnSettings.environment_values()
    assert (values["accounts"], values["daily_pages"]) == (("main", "second"), 7)
    assert (values["interval_seconds"], values["base_url"]) == (12.0, "https://www.inn.example")


@pytest.mark.parametrize(
    ("name", "value"), [("INN_BASE_URL", "inn.example"), ("INN_ACCOUNTS", "Main"), ("INN_PAGE_SECONDS", "0")]
)
def test_the_error_for_an_unusable_value_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        InnSettings.environment_values()


def test_fields_of_a_service_have_their_defaults_without_variables():
    assert LodgeSettings.from_environment() == LodgeSettings()
    assert (LodgeSettings().api_url, LodgeSettings().most, LodgeSettings().token) == (API, 10, None)


def test_fields_of_a_service_come_from_variables(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("k3y\n", encoding="utf-8")
    values = {"LODGE_MOST": "7", "LODGE_CACHE_SECONDS": "0.5", "LODGE_ASKS": "on", "LODGE_TOKEN": "s3cret"}
    for name, value in {**values, "INN_KEY_FILE": str(tmp_path / "key")}.items():
        monkeypatch.setenv(name, value)
    settings = LodgeSettings.from_environment()
    assert (settings.most, settings.cache_seconds, settings.asks) == (7, 0.5, True)
    assert (settings.token, settings.key) == ("s3cret", "k3y")
    assert "s3cret" not in repr(settings) and "k3y" not in repr(settings)


def test_another_base_takes_the_place_of_the_parts_that_follow_it(monkeypatch):
    monkeypatch.setenv("LODGE_BASE_URL", "http://127.0.0.1:8100")
    settings = LodgeSettings.from_environment()
    assert (settings.api_url, settings.media_url) == ("http://127.0.0.1:8100", "https://media.inn.example")
    monkeypatch.setenv("LODGE_API_URL", "http://127.0.0.1:8200")
    assert LodgeSettings.from_environment().api_url == "http://127.0.0.1:8200"


@pytest.mark.parametrize(("name", "value"), [("LODGE_MOST", "0"), ("LODGE_API_URL", "x"), ("LODGE_ASKS", "maybe")])
def test_the_error_for_an_unusable_field_of_a_service_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        LodgeSettings.from_environment()
