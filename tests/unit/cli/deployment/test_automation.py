"""The Automation API starts Pulumi as this project needs it, and reads what Pulumi really writes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from pulumi.automation import PulumiCommand

from cli.deployment import automation
from cli.engine import moments
from cli.system import programs


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for pulumi is a shell script")
def test_a_text_that_pulumi_cut_within_a_character_is_read_to_its_end(tmp_path: Path) -> None:
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text(
        "#!/bin/sh\n[ \"$1\" = version ] && echo v3.259.0 && exit\nprintf '\\345\\260 cut\\nthe end\\n'\n"
    )
    pulumi.chmod(0o755)
    automation.adapt_starting_pulumi()
    result = PulumiCommand(str(tmp_path)).run(["preview"], str(tmp_path), {})
    assert result.stdout.splitlines() == ["\ufffd cut", "the end"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for pulumi is a shell script")
def test_pulumi_is_recorded_as_started_and_gets_a_new_session_when_nothing_may_disturb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_started", set())
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    show = f"{sys.executable} -c 'import os; print(os.getsid(0))'"
    pulumi.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo v3.259.0 && exit\n{show}\n')
    pulumi.chmod(0o755)
    automation.adapt_starting_pulumi()
    command = PulumiCommand(str(tmp_path))
    assert not programs.was_started("pulumi")
    assert int(command.run(["up"], str(tmp_path), {}).stdout) == os.getsid(0)
    assert programs.was_started("pulumi")
    with moments.undisturbed():
        assert int(command.run(["up"], str(tmp_path), {}).stdout) != os.getsid(0)
