from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def english() -> Iterator[None]:
    """Messages are English, as the tests look for their words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DYBER_LANG", "en")
        yield
