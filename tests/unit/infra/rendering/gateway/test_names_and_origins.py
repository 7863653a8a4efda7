"""The names and origins that the gateway accepts follow from its address and from the address that clients use."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings.gateway import GatewaySettings
from infra.settings.stack import StackSettings


def of(**gateway: Any) -> GatewaySettings:
    return StackSettings(stack="dev", gateway=gateway).gateway


def names_of(settings: GatewaySettings) -> tuple[str, ...]:
    """Return the names that the gateway has in addition to those of every gateway."""
    return tuple(name for name in settings.all_server_names if name not in GatewaySettings().all_server_names)


@pytest.mark.parametrize(
    ("bind", "name"), [("192.168.1.5", "192.168.1.5"), ("172.17.0.1", "172.17.0.1"), ("fd00::5", "[fd00::5]")]
)
def test_the_address_it_listens_on_is_a_name_of_the_gateway(bind: str, name: str) -> None:
    settings = of(bind=bind, serverNames=["pet.example"])
    assert set(names_of(settings)) == {"pet.example", name}
    assert not settings.on_every_address


@pytest.mark.parametrize("bind", ["127.0.0.1", "::1"])
def test_loopback_adds_no_name(bind: str) -> None:
    assert names_of(of(bind=bind)) == ()
    assert not of(bind=bind).on_every_address


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_on_every_address_every_address_is_a_name(bind: str) -> None:
    assert of(bind=bind).on_every_address
    assert names_of(of(bind=bind)) == ()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://pet.example", "pet.example"),
        ("https://pet.example:8443", "pet.example"),
        ("https://[fd00::5]:8443", "[fd00::5]"),
        ("http://192.168.1.5", "192.168.1.5"),
    ],
)
def test_the_address_that_clients_use_is_a_name_and_an_origin(url: str, name: str) -> None:
    settings = of(publicUrl=url, allowedOrigins=["app://obsidian.md"])
    assert names_of(settings) == (name,)
    assert settings.all_origins == ("app://obsidian.md", url)


@pytest.mark.parametrize(
    "url", ["pet.example", "https://pet.example/api", "https://Pet.example", "https://a b", "ftp://x"]
)
def test_an_address_with_more_than_scheme_and_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="publicUrl"):
        of(publicUrl=url)
