"""Reads where spans go, and refuses addresses and headers that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.schema.problems import ConfigurationError
from infra.settings.observing.span_export import SpanExportSettings
from infra.settings.secrets import refuse_clear_text

ENDPOINT = "https://otlp.example.com:4318"


def test_headers_are_secret() -> None:
    settings = SpanExportSettings.model_validate({"endpoint": ENDPOINT, "headers": {"authorization": "Bearer words x"}})
    assert settings.headers["authorization"].get_secret_value() == "Bearer words x"
    assert "words" not in repr(settings)


@pytest.mark.parametrize(
    "endpoint",
    [
        "otlp.example.com:4318",
        "ftp://a.example",
        "https://",
        "https://a:b@a.example",
        "https://a.example?key=x",
        "http://a b",
    ],
)
def test_an_address_that_is_no_collectors_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError) as raised:
        SpanExportSettings.model_validate({"endpoint": endpoint})
    assert raised.value.errors()[0]["loc"] == ("endpoint",)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "Content-Type", "host", "a\nb"])
def test_a_name_that_is_no_header_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        SpanExportSettings.model_validate({"endpoint": ENDPOINT, "headers": {name: "x"}})


@pytest.mark.parametrize("value", ["", " x", "x\r\ny", "é"])
def test_a_value_that_is_none_of_a_header_is_refused(value: str) -> None:
    with pytest.raises(ValidationError):
        SpanExportSettings.model_validate({"endpoint": ENDPOINT, "headers": {"authorization": value}})


def test_a_header_in_clear_text_is_refused_with_the_command(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  dyber:console:\n    export:\n      headers:\n        authorization: words\n")
    values = {"dyber:console": '{"export": {"headers": {"authorization": "words"}}}'}
    with pytest.raises(ConfigurationError) as raised:
        refuse_clear_text("prod", values, (), file)
    text = str(raised.value)
    assert "console.export.headers.authorization" in text
    assert "words" not in text
