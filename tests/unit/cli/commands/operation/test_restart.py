"""A restart waits until the gateway sends calls again, unless the service refuses all of them."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cli.commands.operation import run
from cli.deployment.deployment import Deployment
from cli.engine import engine
from cli.inventory.members import Member


@pytest.mark.parametrize(("lacking", "waits"), [({}, ["amap"]), ({"amap": ("KEY",)}, [])])
def test_a_service_that_lacks_a_secret_is_not_waited_for(
    lacking: dict[str, tuple[str, ...]], waits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []
    client = SimpleNamespace(restart=lambda *_, **__: None)
    monkeypatch.setattr(engine, "asking", lambda: nullcontext(client))
    monkeypatch.setattr(run, "wait_until_well", lambda *_: None)
    monkeypatch.setattr(run, "_wait_until_ready", lambda service, *_: waited.append(service))
    display = cast(Any, SimpleNamespace(phase=lambda *_: nullcontext()))
    amap = cast(Member, SimpleNamespace(id="1", service="amap", kind="server", replica=1, stop_seconds=1))
    gateway = cast(Member, SimpleNamespace(service="gateway", kind="gateway", running=True))
    deployment = cast(Deployment, SimpleNamespace(missing_secrets=lambda: lacking))
    run._restart(amap, deployment, [amap, gateway], display)
    assert waited == waits
