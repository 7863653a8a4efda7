"""Progress of running work is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]

WORK = """
from cli.terminal.console import Activities
with Activities() as display:
    for number in range(3):
        with display.phase(f"step {number}"):
            pass
print("finished")
"""


def test_work_continues_when_the_reader_of_its_progress_has_gone() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None and process.stdout is not None
    process.stderr.close()
    assert process.stdout.read() == "finished\n"
    assert process.wait(timeout=30) == 0
