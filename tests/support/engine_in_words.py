"""Stands in for the Docker SDK's client before a fake engine that understands the words of the docker command."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from cli.engine import engine


class ClientInWords:
    """Tells a fake engine each call of the SDK in the words of the docker command."""

    def __init__(self, docker: Callable[..., Any]) -> None:
        self._docker = docker

    def start(self, container: str) -> None:
        self._docker("start", container)

    def stop(self, container: str, timeout: int | None = None) -> None:
        self._docker("stop", container)

    def pause(self, container: str) -> None:
        self._docker("pause", container)

    def unpause(self, container: str) -> None:
        self._docker("unpause", container)

    def remove_container(self, container: str, force: bool = False) -> None:
        self._docker("rm", *(["--force"] if force else []), container)

    def remove_network(self, network: str) -> None:
        self._docker("network", "rm", network)

    def remove_volume(self, volume: str) -> None:
        self._docker("volume", "rm", volume)


def use(monkeypatch: pytest.MonkeyPatch, docker: Callable[..., Any]) -> None:
    """Let `docker` answer whatever is asked through the SDK or through the docker command."""

    def asking() -> AbstractContextManager[ClientInWords]:
        return nullcontext(ClientInWords(docker))

    monkeypatch.setattr(engine, "asking", asking)
    monkeypatch.setattr(engine, "docker", docker)
