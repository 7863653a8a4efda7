"""What a killed run left on the engine is found by its deployment, and only that is removed."""

from __future__ import annotations

import pytest

from cli.engine.engine import Leftovers, leftovers, sweep
from tests.support.fake_engine import FakeEngine, use_engine


class EngineWithNetworks(FakeEngine):
    """Has the networks net-1 and net-2 as well."""

    def networks(self, filters: object = None) -> list[dict[str, object]]:
        self._receive()
        return [
            {"Id": name, "Name": f"dyber-{name}", "Labels": {"dyber.deployment": "abc"}} for name in ("net-1", "net-2")
        ]


@pytest.fixture
def engine_with_both(monkeypatch: pytest.MonkeyPatch) -> EngineWithNetworks:
    fake = EngineWithNetworks()
    fake.add("known")
    fake.add("unknown")
    use_engine(monkeypatch, fake)
    return fake


def test_what_the_state_knows_is_no_leftover(engine_with_both: EngineWithNetworks) -> None:
    assert not leftovers("abc", {"known", "unknown", "net-1", "net-2"})
    assert leftovers("abc", {"known", "net-1"}) == Leftovers({"unknown": "unknown"}, {"net-2": "dyber-net-2"})


def test_only_leftovers_are_removed_containers_before_their_networks(engine_with_both: EngineWithNetworks) -> None:
    assert sweep("abc", {"known", "net-1"}) == ["unknown", "dyber-net-2"]
    assert engine_with_both.changes == ["remove_container unknown", "remove_network net-2"]
