"""An image that no registry has is told from one that is only on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cli.engine.errors import EngineError
from cli.services.sources import oci_images
from cli.services.sources.packages import SourceError
from toolchain.progress import PlainProgress


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"RepoDigests": []}, "only on this machine"),
        ({"RepoDigests": ["x/y@sha256:1"]}, "cannot be had"),
        (None, "cannot be had"),
    ],
)
def test_an_image_that_is_only_on_this_machine_is_refused_with_that_reason(
    monkeypatch: pytest.MonkeyPatch, described: dict[str, Any] | None, words: str
) -> None:
    def inspect(image: str) -> dict[str, Any]:
        if described is None:
            raise EngineError("no such image")
        return described

    def refuse(image: str) -> None:
        raise EngineError("denied")

    @contextmanager
    def asking() -> Iterator[Any]:
        yield SimpleNamespace(inspect_distribution=refuse, inspect_image=inspect)

    monkeypatch.setattr(oci_images.engine, "asking", asking)
    with pytest.raises(SourceError, match=words):
        oci_images.find("mine/server:dev", PlainProgress())
