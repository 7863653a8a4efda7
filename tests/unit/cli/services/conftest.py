from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.source_fixtures import python_index, service_folder  # noqa: F401 - fixtures


@pytest.fixture(autouse=True, scope="module")
def english() -> Iterator[None]:
    """Messages are English, as the tests look for their words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DYBER_LANG", "en")
        yield
