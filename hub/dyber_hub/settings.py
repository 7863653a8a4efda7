"""Reads where the hub's catalogue is, and how the hub reaches the services."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from dyber_kit.settings import environment_secret

from dyber_hub.catalogue import DEFAULT_HUB_FILE, HUB_FILE_SETTING
from dyber_hub.texts import tr

_TOKEN_SETTING = "DYBER_HUB_TOKEN"
_GATEWAY_SETTING = "DYBER_GATEWAY_URL"
_DEFAULT_GATEWAY = "http://gateway:10070"


@dataclass(frozen=True)
class HubSettings:
    """Holds the settings of the hub besides those that every server has.

    Attributes:
        file: The catalogue, `hub.json` (DYBER_HUB_FILE).
        gateway_url: Address of the gateway's listener for the hub, without a slash at the end (DYBER_GATEWAY_URL).
        token: What proves to the gateway that a request comes from the hub (DYBER_HUB_TOKEN_FILE).
    """

    file: Path
    gateway_url: str
    token: str = field(repr=False)

    @classmethod
    def from_environment(cls) -> HubSettings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable is missing or cannot be used; the message names it.
        """
        token = environment_secret(_TOKEN_SETTING)
        if token is None:
            raise ValueError(
                tr(
                    "The environment variable {name}_FILE is not set; it must name the file with the hub's token",
                    name=_TOKEN_SETTING,
                )
            )
        url = os.environ.get(_GATEWAY_SETTING) or _DEFAULT_GATEWAY
        if not url.startswith(("http://", "https://")):
            raise ValueError(
                tr(
                    "The value {value} of the environment variable {name} is not usable; it must be an http:// address",
                    value=repr(url),
                    name=_GATEWAY_SETTING,
                )
            )
        return cls(Path(os.environ.get(HUB_FILE_SETTING) or DEFAULT_HUB_FILE), url.rstrip("/"), token)
