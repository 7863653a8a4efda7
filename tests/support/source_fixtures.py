"""Fixtures of registries of the tests' own, which the real npm, Go and uv use; a conftest.py imports those it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.registries import add_npm_package
from tests.support.wheels import served

Add = Callable[..., None]


@pytest.fixture
def npm_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Adds a package to the npm registry that the code under test uses; see `add_npm_package`."""
    registry = tmp_path / "registry"
    registry.mkdir()
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with served(registry) as address:
        monkeypatch.setenv("DYBER_NPM_REGISTRY", address)

        def add(name: str, version: str, **options: Any) -> None:
            add_npm_package(registry, address, name, version, **options)

        yield add


@pytest.fixture
def go_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the Go proxy that the code under test uses."""
    folder = tmp_path / "proxy"
    folder.mkdir()
    monkeypatch.setenv("DYBER_GOPROXY", folder.as_uri())
    return folder


@pytest.fixture
def python_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the package index that uv uses."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with served(folder) as address:
        monkeypatch.setenv("DYBER_PIP_INDEX_URL", address)
        yield folder


@pytest.fixture
def service_folder(tmp_path: Path) -> Path:
    """The folder of a service to which locks are written."""
    service = tmp_path / "mcp-servers" / "weather"
    service.mkdir(parents=True)
    return service
