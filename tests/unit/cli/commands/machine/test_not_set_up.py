"""Commands name the first step on a machine that is not set up, and refuse an engine that is too old."""

from __future__ import annotations

import pytest

from cli.commands import options
from cli.deployment import environment
from cli.deployment.environment import activate
from cli.terminal.console import Activities
from toolchain import prerequisites
from toolchain.errors import SetupError
from toolchain.home import DyberHome


def test_without_pulumi_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(prerequisites, "environment", lambda home, **_: {"PATH": str(tmp_path)})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK", "")
    with pytest.raises(SetupError) as refused:
        activate(DyberHome(tmp_path))
    assert "./deploy.sh" in refused.value.next_step
    assert refused.value.exit_code == 2


def test_set_up_refuses_an_unusable_machine_even_if_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    def too_old(home: DyberHome, display: Activities) -> None:
        raise SetupError("the engine is too old")

    monkeypatch.setattr(prerequisites, "plan", lambda home: [])
    monkeypatch.setattr(prerequisites, "set_up", too_old)
    monkeypatch.setattr(environment.prerequisites, "environment", lambda home, **_: {})
    with Activities() as display, pytest.raises(SetupError, match="too old"):
        options.set_up(DyberHome(tmp_path), display)
