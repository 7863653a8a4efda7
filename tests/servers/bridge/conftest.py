"""Makes locks of the foreign server and bridges in front of it."""

from __future__ import annotations

import pytest
from dyber_kit.bridge.listing import Lock

from tests.stand_in.bridges import lock_of, settings_of


@pytest.fixture(scope="session")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Lock:
    """Return the lock of the foreign server."""
    return lock_of(settings_of(), tmp_path_factory.mktemp("lock"))
