"""The environment in which Pulumi runs, for this process and for people's shells."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from toolchain import prerequisites
from toolchain.home import DyberHome


def activate(home: DyberHome) -> None:
    """Put what Pulumi needs into this process's environment, and so into that of all it starts."""
    os.environ.update(prerequisites.environment(home))
    os.environ["PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK"] = "true"


def shell_lines(variables: Mapping[str, str]) -> Iterator[str]:
    """`export` lines for POSIX shells, `$env:` lines on Windows (PowerShell), with the virtual environment on PATH."""
    for key, value in sorted(variables.items()):
        if key == "PATH":
            value = os.pathsep.join([str(Path(sys.executable).parent), value])
        if os.name == "nt":
            quoted = value.replace("'", "''")
            yield f"$env:{key} = '{quoted}'"
        else:
            yield f"export {key}={shlex.quote(value)}"
