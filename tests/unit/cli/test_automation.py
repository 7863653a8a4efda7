"""The Automation API reads what Pulumi really writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pulumi.automation import PulumiCommand

from cli import automation


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for pulumi is a shell script")
def test_a_text_that_pulumi_cut_within_a_character_is_read_to_its_end(tmp_path: Path) -> None:
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text("#!/bin/sh\n[ \"$1\" = version ] && echo v3.259.0 && exit\nprintf '\\345\\260 cut\\nthe end\\n'\n")
    pulumi.chmod(0o755)
    automation.start_pulumi_well()
    answer = PulumiCommand(str(tmp_path)).run(["preview"], str(tmp_path), {})
    assert answer.stdout.splitlines() == ["\ufffd cut", "the end"]
