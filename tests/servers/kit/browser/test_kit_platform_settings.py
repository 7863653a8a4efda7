"""Tests of the settings that every service with a browser reads from its variables."""

from __future__ import annotations

import pytest
from dyber_kit.browser.platform_settings import PlatformSettings


class InnSettings(PlatformSettings):
    PREFIX = "INN"
    base_url = "https://www.inn.example"
    interval_seconds = 12.0


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
